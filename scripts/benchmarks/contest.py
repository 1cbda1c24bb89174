"""Contestants measured in turn, whole processes, each started fresh; every measurement is a line in a file."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import clock

NOT_INSTALLED = "not installed"
LONGEST = 150  # letters of a reason
REMEDY = "pip install -e '.[bench]'"

Figures = dict[str, float]


class Failure(Exception):
    """What a contestant printed or left behind holds no result; the message says why."""


def printed_figures(run: Path, output: str) -> Figures:
    """Return the last line of JSON that a program printed.

    Raises:
        Failure: there is none.
    """
    for line in reversed(output.splitlines()):
        start = line.find("{")
        if start >= 0:
            try:
                return dict(json.loads(line[start:]))
            except ValueError:
                continue
    raise Failure("it printed no result")


@dataclass(frozen=True)
class Contestant:
    """A program that takes part.

    Args:
        name: as the tables show it.
        command: its words; ``{run}`` stands for an empty folder, which is also the current one, and ``{turn}`` for the
            number of the turn.
        needs: package without which it can't run, or nothing.
        terminal: whether it prints on a terminal.
        figures: what reads its result from that folder and from what it printed.
    """

    name: str
    command: tuple[str, ...]
    needs: str = ""
    terminal: bool = False
    figures: Callable[[Path, str], Figures] = printed_figures


@dataclass(frozen=True)
class Case:
    """Contestants that are compared: with the same data, in the same minutes.

    Args:
        name: as the tables show it.
        contestants: in the order of their turns.
        scratch: folders that are removed before and after.
        least: turns, however few were asked for: each is a seed.
    """

    name: str
    contestants: tuple[Contestant, ...]
    scratch: tuple[Path, ...] = ()
    least: int = 1


@dataclass(frozen=True)
class Measurement:
    """One process.

    Args:
        suite: name of the suite.
        case: name of the case.
        contestant: name of the contestant.
        session: when the command was started that measured this; figures of one session are compared.
        turn: which repetition, from 0.
        failed: why there is no result, or nothing.
        wall: seconds; 0 without a result, as the two after it.
        cpu: seconds, user and system, children included.
        memory: peak resident bytes.
        figures: the program's own, such as ``accuracy`` and ``seconds_train``.
        machine: what it ran on.
    """

    suite: str
    case: str
    contestant: str
    session: str
    turn: int
    failed: str = ""
    wall: float = 0.0
    cpu: float = 0.0
    memory: float = 0.0
    figures: Figures = field(default_factory=dict)
    machine: str = ""


def measure(contestant: Contestant, turn: int, folder: Path, limit: float) -> dict[str, Any]:
    """Run a contestant once and return the fields of a `Measurement` that this tells.

    Args:
        contestant: what to run.
        turn: which repetition, from 0.
        folder: where its own folder is made, and removed; a file with what it printed stays.
        limit: seconds that it may take.
    """
    if contestant.needs and importlib.util.find_spec(contestant.needs) is None:
        return {"failed": NOT_INSTALLED}
    run, output = folder / "run", folder / f"{file_name(contestant.name)}.txt"
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    words = [word.replace("{run}", str(run)).replace("{turn}", str(turn)) for word in contestant.command]
    launcher = [sys.executable, "-I", clock.__file__, str(output), str(limit), "yes" if contestant.terminal else "no"]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(clock.COLUMNS)}
    try:
        done = subprocess.run([*launcher, *words], cwd=run, env=environment, capture_output=True, text=True, check=True)
        used: dict[str, Any] = json.loads(done.stdout)
        printed = output.read_text(encoding="utf-8", errors="replace")
        status, timed_out = used.pop("status"), used.pop("timed_out")
        if timed_out:
            return {"failed": f"not done after {limit:g} s"}
        if status:
            return {"failed": reason(printed, status)}
        figures = contestant.figures(run, printed)
        if not all(math.isfinite(value) for value in figures.values()):
            return {"failed": "it reached a number that is not finite"}
        return used | {"figures": figures}
    except Failure as failure:
        return {"failed": str(failure)}
    except subprocess.CalledProcessError as error:
        return {"failed": reason(error.stderr, error.returncode)}
    finally:
        shutil.rmtree(run, ignore_errors=True)


def file_name(name: str) -> str:
    """Return a name as that of a file."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())


def reason(printed: str, status: int) -> str:
    """Return why a program failed: what it says after ``error:``, or else its last line."""
    if status < 0:
        return f"ended by signal {-status}"
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    starts = [i for i, line in enumerate(lines) if line.startswith("error: ")]
    found = " ".join(lines[starts[-1] :]).removeprefix("error: ") if starts else (lines or [""])[-1]
    found = re.sub(r"(?:/[\w.+-]+){2,}/", ".../", found)  # folders of this machine are nothing for a table
    return found if 0 < len(found) <= LONGEST else f"{found[:LONGEST]} ..." if found else f"exit status {status}"


def hold(
    suite: str, cases: Iterable[Case], folder: Path, session: str, machine: str, repeats: int, limit: float
) -> Iterator[Measurement]:
    """Measure all contestants of each case in turn, A, B, C, A, B, C: what disturbs the machine hits all alike.

    Args:
        suite: name of the suite.
        cases: what to compare.
        folder: gets ``SUITE.jsonl`` with a line for each measurement, written as it is made.
        session: when this command was started.
        machine: what it runs on.
        repeats: turns; who failed gets no further one.
        limit: seconds that a process may take.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for case in cases:
        out: set[str] = set()
        _remove(case.scratch)  # of a session that was cut off
        try:
            for turn in range(max(repeats, case.least)):
                for contestant in case.contestants:
                    if contestant.name in out:
                        continue
                    told = measure(contestant, turn, folder / "output" / suite / file_name(case.name), limit)
                    one = Measurement(suite, case.name, contestant.name, session, turn, machine=machine, **told)
                    if one.failed:
                        out.add(contestant.name)
                    with (folder / f"{suite}.jsonl").open("a", encoding="utf-8") as lines:
                        lines.write(json.dumps(asdict(one)) + "\n")
                    yield one
        finally:
            _remove(case.scratch)


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def kept(suite: str, folder: Path) -> list[Measurement]:
    """Return the measurements of a suite in a folder: of each case, those of the newest session that has it."""
    path = folder / f"{suite}.jsonl"
    if not path.exists():
        return []
    every = [Measurement(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    newest: dict[str, str] = {}
    for one in every:
        newest[one.case] = max(one.session, newest.get(one.case, ""))
    return [one for one in every if one.session == newest[one.case]]
