"""scripts/benchmark.py: measuring, and what the command says when something is wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from conftest import ROOT, Outcome

if sys.platform == "win32":
    pytest.skip("needs os.wait4, which is on Linux and macOS only", allow_module_level=True)

sys.path.insert(0, str(ROOT / "scripts"))

from benchmarks.contest import NOT_INSTALLED, Case, Contestant, hold, kept, measure, reason
from benchmarks.contestants import OURS, own_time
from benchmarks.suites import start


def python(code: str, name: str = "it", **options: object) -> Contestant:
    """A contestant that runs some code and prints an accuracy."""
    code += "\nimport json; print(json.dumps({'accuracy': 0.5, 'seconds_train': 0.25}))"
    return Contestant(name, (sys.executable, "-I", "-c", code), **options)  # type: ignore[arg-type]


@pytest.fixture
def benchmark(program: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """``python scripts/benchmark.py ...``"""
    return partial(program, "scripts/benchmark.py")


# measuring


def test_a_process_that_works_has_cpu_time_and_one_that_waits_has_none(tmp_path: Path) -> None:
    busy = measure(
        python("import time\nwhile time.process_time() < 0.6: pass", figures=own_time), 0, tmp_path, limit=60
    )
    idle = measure(python("import time; time.sleep(0.6)"), 0, tmp_path, limit=60)
    assert busy["wall"] >= 0.6
    assert busy["cpu"] >= 0.6
    assert idle["wall"] >= 0.6
    assert idle["cpu"] < 0.4
    assert busy["figures"] == {"accuracy": 0.5, "seconds_train": 0.25, "seconds_own": 0.25}


def test_cpu_time_of_children_counts(tmp_path: Path) -> None:
    child = "import time\nwhile time.process_time() < 0.5: pass"
    used = measure(
        python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"), 0, tmp_path, 60
    )
    assert used["cpu"] >= 0.5


def test_peak_memory_is_that_of_the_process_and_not_of_the_one_that_measures(tmp_path: Path) -> None:
    ballast = bytearray(200_000_000)  # exec would pass the peak on to the process that it starts
    ballast[::4096] = b"x" * len(ballast[::4096])
    small = measure(python("pass"), 0, tmp_path, 60)
    large = measure(
        python("block = bytearray(150_000_000); block[::4096] = b'x' * len(block[::4096])"), 0, tmp_path, 60
    )
    del ballast
    assert small["memory"] < 60e6
    assert 150e6 < large["memory"] < 230e6


def test_a_terminal_is_one(tmp_path: Path) -> None:
    code = "import sys, os; assert {0}sys.stdout.isatty(); assert {0}sys.stdin.isatty(); {1}"
    wide = python(code.format("", "assert os.get_terminal_size().columns == 120"), terminal=True)
    assert "failed" not in measure(wide, 0, tmp_path, limit=60)
    assert "failed" not in measure(python(code.format("not ", "pass")), 0, tmp_path, limit=60)


@pytest.mark.parametrize(
    ("contestant", "why"),
    [
        (python("pass", needs="no_such_package"), NOT_INSTALLED),
        (python("raise RuntimeError('Encountered NaN.')"), "RuntimeError: Encountered NaN."),
        (python("print('error: data.x: no such setting.'); raise SystemExit(1)"), "data.x: no such setting."),
        (python("print('{\"accuracy\": NaN}'); raise SystemExit"), "it reached a number that is not finite"),
        (python("raise SystemExit"), "it printed no result"),
        (python("import os; os.abort()"), "ended by signal 6"),
        (python("import time; time.sleep(60)"), "not done after 1 s"),
    ],
)
def test_whoever_fails_says_why(tmp_path: Path, contestant: Contestant, why: str) -> None:
    told = measure(contestant, 0, tmp_path, limit=1 if "sleep" in contestant.command[-1] else 60)
    assert told == {"failed": why}


def test_a_reason_tells_no_folders() -> None:
    printed = "Traceback ...\nFileNotFoundError: no '/home/somebody/data/train.csv'\n"
    assert reason(printed, 1) == "FileNotFoundError: no '.../train.csv'"
    assert reason("", 3) == "exit status 3"
    assert reason("error: " + "x" * 999, 1) == "x" * 150 + " ..."


def test_contestants_take_turns_and_who_failed_is_not_asked_again(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    contestants = (python("pass", "a"), python("raise SystemExit(1)", "b"), python("pass", "c"))
    found = list(hold("loop", [Case("x", contestants, (scratch,))], tmp_path, "now", "here", repeats=2, limit=60))
    assert [one.contestant for one in found] == ["a", "b", "c", "a", "c"]
    assert [one.turn for one in found] == [0, 0, 0, 1, 1]
    assert not scratch.exists()
    assert kept("loop", tmp_path) == found
    assert len((tmp_path / "loop.jsonl").read_text().splitlines()) == 5


def test_of_a_case_the_newest_session_counts(tmp_path: Path) -> None:
    for session, cases in (("1", "xy"), ("2", "x")):
        every = [Case(case, (python("raise SystemExit"),)) for case in cases]
        list(hold("loop", every, tmp_path, session, "", repeats=1, limit=60))
    assert [(one.case, one.session) for one in kept("loop", tmp_path)] == [("y", "1"), ("x", "2")]


# the command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["imbd"],
            "no such suite: imbd; there are accuracy, imdb, scale, loop, start, steps, cache, predict, reading, sweep,",
        ),
        (["imdb", "--data", "nowhere"], "--data nowhere: there is no such folder"),
        (["accuracy", "--sets", "tecr"], "no such set: tecr; there are imdb, sst2, trec"),
        (["scale", "--sizes", "many"], "expected whole numbers, such as 1000,10000"),
        (["scale", "--sizes", "5"], "expected at least 100 documents; got 5"),
        (["start", "--repeats", "0"], "expected at least 1; got 0"),
        (["start", "--write", "--docs", "no.md"], "no.md has no lines <!-- start --> and <!-- /start -->"),
    ],
)
def test_a_wrong_command_line_is_told_before_anything_runs(
    benchmark: Callable[..., Outcome], arguments: list[str], message: str
) -> None:
    done = benchmark(*arguments)
    assert done.status == 2
    assert message in done.err
    assert "Traceback" not in done.err


def test_suites_without_their_data_are_skipped(benchmark: Callable[..., Outcome], tmp_path: Path) -> None:
    done = benchmark("accuracy", "imdb", "--results", str(tmp_path))
    assert done.status == 0, done.err
    assert "accuracy: skipped: it needs --data FOLDER" in done.err
    assert "imdb: skipped: it needs --data FOLDER" in done.err
    (tmp_path / "data").mkdir()
    done = benchmark("imdb", "accuracy", "--sets", "trec", "--data", str(tmp_path / "data"), "--results", str(tmp_path))
    assert "imdb is not there" in done.err
    assert "trec is not there: left out" in done.err


def test_a_suite_runs_from_data_to_table(benchmark: Callable[..., Outcome], tmp_path: Path) -> None:
    results = tmp_path / "with, a comma"
    done = benchmark("scale", "--sizes", "400", "--repeats", "1", "--results", str(results))
    assert done.status == 0, done.err
    rows = [line.split(" | ") for line in done.out.splitlines() if line.startswith("| 400 | ")]
    assert rows[0][1] == OURS
    assert 0.4 < float(rows[0][2]) < 1, done.out
    assert [row[1] for row in rows[1:3]] == ["fastText", "Vowpal Wabbit"]
    for row in rows[1:3]:
        assert row[2] == NOT_INSTALLED or float(row[2]) > 0.3
    assert done.out.endswith(".\n")
    assert "One run each; " in done.out
    assert (results / "output" / "scale" / "400" / "rosenblatt.txt").exists()


def test_measurements_are_tabulated_again_into_a_document(benchmark: Callable[..., Outcome], tmp_path: Path) -> None:
    lines = [
        {"suite": "start", "case": "start", "contestant": start.DEFAULT, "session": "2026-01-01", "turn": turn}
        | {"wall": 5.0 + turn, "cpu": 4.0, "memory": 4e8, "machine": "a machine", "figures": {}, "failed": ""}
        for turn in range(3)
    ]
    (tmp_path / "start.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    document = tmp_path / "docs.md"
    document.write_text("<!-- start -->\n<!-- /start -->\n")
    done = benchmark("start", "--tabulate", "--write", "--docs", str(document), "--results", str(tmp_path))
    assert done.status == 0, done.err
    assert done.out == ""
    assert "| `python train.py` | 6.0 s | - | 4.0 s | 400 MB |" in document.read_text()
    assert "Medians of 3 runs, in turn; 2026-01-01; a machine." in document.read_text()
    assert "nothing was measured yet" in benchmark("loop", "--tabulate", "--results", str(tmp_path)).err
