"""What a sweep tells: a line for each job that ends, the leaderboard, its winner on test, a picture and a page."""

from __future__ import annotations

import shlex
import statistics
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from rosenblatt.errors import UserError
from rosenblatt.run.folder import RunFolder, as_json, shown_path
from rosenblatt.run.whole import write_whole
from rosenblatt.sweeps.dimensions import Trial, shortened
from rosenblatt.sweeps.folder import WINNER, SweepFolder
from rosenblatt.sweeps.jobs import Job, Outcome, outcome
from rosenblatt.sweeps.leaderboard import Board, Row, cells_of, leaderboard_table, table_of
from rosenblatt.sweeps.plan import Plan
from rosenblatt.sweeps.settings import Direction, Settings
from rosenblatt.tasks.titles import TITLES, shown

if TYPE_CHECKING:
    from rosenblatt.show.figures.trials import Setting

LOOK = 0.5  # seconds between two looks at jobs that run in other processes
MAX_SETTINGS = 12
LONGEST = 18  # characters of a value under an axis
MAX_ROWS = 200
LEFT_OUT = ("reason", "folder", "val/f1")  # of the columns
CAPTION = "Each point is a trial, the star is the best one; lines up and down are the spread over seeds."


class Progress:
    """Prints a line for each job that ends, and keeps ``leaderboard.csv`` up to date.

    Args:
        folder: of the sweep.
        settings: of the sweep.
        num_trials: that there are to be.
        watched: whether to look from a thread of its own, since jobs run in other processes.
    """

    def __init__(self, folder: SweepFolder, settings: Settings, num_trials: int, watched: bool) -> None:
        self.folder = folder
        self.objectives = settings.objectives
        self.console = Console()
        self.board = Board(folder.path, settings.objectives)
        self.num_jobs = num_trials * len(settings.seeds)
        self.num_ended = sum(one.ended for _, one in self.board.look())
        self._expected: list[Job] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True) if watched else None
        self._lock = threading.Lock()

    def __enter__(self) -> Progress:
        done = f", {self.num_ended} of them done before" if self.num_ended else ""
        jobs = "1 job" if self.num_jobs == 1 else f"{self.num_jobs} jobs"
        self.console.print(Text(f"sweep {self.folder.path.name}: {jobs}{done}; {shown_path(self.folder.path)}"))
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self.look()

    def expect(self, jobs: Sequence[Job]) -> None:
        """Note jobs that are to be run now."""
        with self._lock:
            self._expected = [job for job in jobs if not outcome(job, self.objectives).ended]

    def look(self) -> None:
        """Tell of jobs that have ended since the last look."""
        with self._lock:
            found = [(job, outcome(job, self.objectives)) for job in self._expected]
            self._expected = [job for job, one in found if not one.ended]
            for job, one in found:
                if one.ended:
                    self.num_ended += 1
                    self.console.print(self._line(job, one), soft_wrap=True)
            if len(self._expected) < len(found):
                self.board.write()

    def _line(self, job: Job, one: Outcome) -> Text:
        count = f"{self.num_ended:>{len(str(self.num_jobs))}}/{self.num_jobs}"
        if one.state == "failed":
            return Text(f"{count}  {job.words}  failed: {one.reason}")
        figures = "  ".join(f"{name} {shown(one.metrics[name])}" for name in self.objectives)
        pruned = "  stopped early" if one.state == "pruned" else ""
        return Text(f"{count}  {job.words}  {figures}  {one.metrics['seconds']:.1f} s{pruned}")

    def _watch(self) -> None:
        while not self._over.wait(LOOK):
            self.look()


@dataclass
class Report:
    """Tells of a sweep, and measures its winner.

    Args:
        folder: of the sweep.
        settings: of the sweep.
        plan: of the sweep.
        fixed: words that all jobs have in common, as they are typed.
        command: of the sweep, as it is typed.
        evaluate: measures the run in a folder on test; returns its metrics.
    """

    folder: SweepFolder
    settings: Settings
    plan: Plan
    fixed: Sequence[str]
    command: str
    evaluate: Callable[[Path], Mapping[str, Any]]

    def tell(self, seconds: float, with_figures: bool) -> bool:
        """Print the leaderboard, and measure the winner once all trials have ended.

        Args:
            seconds: that the sweep has taken.
            with_figures: whether to write a picture and a page.

        Returns:
            Whether no more jobs have failed than may.
        """
        console, board = Console(), Board(self.folder.path, self.settings.objectives)
        num_left = self.plan.num_left()
        rows = board.write()
        if num_left == 0 and rows and rows[0].rank == 1 and self.plan.is_best(rows[0].trial.number):
            with self.folder.lock():
                self._measure_winner(rows[0])
            rows = board.write()
        every = board.look()
        failed = [(job, one) for job, one in every if one.state == "failed"]
        if num_left == 0 and rows and with_figures:
            self._write_page(rows, failed)
        console.print()
        if rows:
            console.print(leaderboard_table(rows, self.settings.objectives, console.width))
        else:
            console.print("No job has run in this folder: all trials have ended, or are taken, elsewhere.")
        for job, one in failed:
            console.print(Text(f"failed: {job.words or job.folder.name}: {one.reason}"), soft_wrap=True)
            file = job.folder / "train.log"
            console.print(Text(f"        {shown_path(file if file.exists() else job.folder)}"), soft_wrap=True)
        for word, note in self._notes(rows, num_left, seconds):
            console.print(Text(f"{word:<12}{note}"), soft_wrap=True)
        most = len(every) - 1 if self.settings.max_failures is None else self.settings.max_failures
        return not failed or len(failed) <= most

    def _measure_winner(self, row: Row) -> None:
        """Evaluate the runs of the best setting on test, and write ``winner.json``; not again what has been already."""
        values: dict[str, list[float]] = {}
        for name in row.folders:
            run = RunFolder(self.folder.path / name)
            if "test" not in (run.read_json("data.json") or {}):
                continue  # there is no test split
            try:
                found = run.read_json("evaluation.json") or self.evaluate(run.path)
            except UserError as error:
                Console(stderr=True).print(Text(f"The winner can't be measured on test: {error}"), soft_wrap=True)
                return
            for key, value in found.items():
                if key.startswith("test/") and isinstance(value, float):
                    values.setdefault(key, []).append(value)
        main = {key: found for key, found in values.items() if not key.endswith(("_low", "_high"))}
        test = {key: statistics.fmean(found) for key, found in (values if len(row.folders) == 1 else main).items()}
        test |= {f"{key} spread": statistics.stdev(found) for key, found in main.items() if len(found) > 1}
        content = {
            "folders": row.folders,
            "setting": row.trial.setting,
            "command": self._repeated(row.trial, len(row.folders)),
            "validation": {name: row.means[name] for name in row.means if name.startswith("val/")},
            "test": test,
        }
        write_whole(self.folder.path / WINNER, as_json(content).encode())

    def _repeated(self, trial: Trial, num_seeds: int) -> str:
        """Return the command that trains a setting by itself."""
        words = [*self.fixed, *(f"{key}={value}" for key, value in trial.setting.items())]
        if num_seeds > 1:
            words = ["-m", *words, f"sweep.seeds={num_seeds}"]
        return shlex.join(["python", "train.py", *words])

    def _write_page(self, rows: Sequence[Row], failed: Sequence[tuple[Job, Outcome]]) -> None:
        commands = [("The whole sweep; what is done already is not done again", self.command)]
        if rows[0].rank == 1:
            commands.insert(0, ("The best setting", self._repeated(rows[0].trial, len(rows[0].folders))))
        svg = draw_overview(rows, self.settings.objectives, self.plan.importances(), self.folder.path)
        failures = [(job.words or job.folder.name, one.reason) for job, one in failed]
        content = sweep_page(self.folder.path.name, rows, self.settings.objectives, svg, failures, commands)
        write_whole(self.folder.path / "report.html", content.encode())

    def _notes(self, rows: Sequence[Row], num_left: int, seconds: float) -> list[tuple[str, str]]:
        notes = []
        best = rows[0] if rows and rows[0].rank == 1 else None
        if best is not None:
            first, *others = self.settings.objectives
            by = f" (by {first}, of those that none beats)" if others else ""
            notes.append(("best", (best.trial.words or best.folders[0]) + by))
            if best.test:
                names = [name for name in best.test if f"{name}_low" in best.test or f"{name} spread" in best.test]
                notes.append(("on test", ", ".join(_with_interval(name, best.test) for name in names[:4])))
            notes.append(("repeat", self._repeated(best.trial, len(best.folders))))
        if num_left:
            trials = "1 trial" if num_left == 1 else f"{num_left} trials"
            notes.append(("left", f"{trials}, which other processes run; the last one to end measures the winner"))
        notes.append(("time", f"{seconds:.1f} s"))
        files = [
            name for name in ("report.html", "leaderboard.csv", "overview.png") if (self.folder.path / name).exists()
        ]
        notes.append(("folder", ": ".join([shown_path(self.folder.path), *([", ".join(files)] if files else [])])))
        notes.append(("next", f"tensorboard --logdir {shown_path(self.folder.path)}"))
        return notes


def _with_interval(name: str, test: Mapping[str, float]) -> str:
    value = f"{name.removeprefix('test/')} {test[name]:.4f}"
    if f"{name}_low" in test:
        return f"{value} ({test[f'{name}_low']:.4f} to {test[f'{name}_high']:.4f})"
    return f"{value} ± {test[f'{name} spread']:.4f}"


def draw_overview(
    rows: Sequence[Row], objectives: Mapping[str, Direction], importances: Mapping[str, float], folder: Path
) -> str:
    """Write ``overview.png`` and ``overview.svg``; nothing where there is no result.

    Args:
        rows: ranked.
        objectives: the first is drawn.
        importances: of each setting, or empty.
        folder: that gets them.

    Returns:
        The SVG, or an empty string.
    """
    from rosenblatt.show.figures.style import draw  # matplotlib takes its time
    from rosenblatt.show.figures.trials import Trials

    name, way = next(iter(objectives.items()))
    known = [row for row in rows if row.rank is not None]
    keys = list(dict.fromkeys(key for row in known for key in row.trial.setting))[:MAX_SETTINGS]
    if not known or not keys:
        return ""
    better = "lower" if way == "min" else "higher"
    order = sorted(importances, key=lambda key: importances[key])
    drawn = draw(
        Trials(
            f"{folder.name}: {name} of {len(known)} {'trial' if len(known) == 1 else 'trials'} ({better} is better)",
            name,
            [row.means[name] for row in known],
            [row.spreads.get(name, 0.0) for row in known],
            [row.state == "pruned" for row in known],
            [_setting(known, key) for key in keys],
            [(key, importances[key]) for key in order],
        ),
        with_svg=True,
    )
    write_whole(folder / "overview.png", drawn.png, forced=False)
    write_whole(folder / "overview.svg", drawn.svg.encode(), forced=False)
    return drawn.svg


def _setting(rows: Sequence[Row], key: str) -> Setting:
    from rosenblatt.show.figures.trials import Setting
    from rosenblatt.show.words import short_name

    values = [row.trial.setting.get(key, "") for row in rows]
    numbers = [_number(value) for value in values]
    if None not in numbers and len(set(values)) > 2:
        return Setting(key, [number for number in numbers if number is not None], None)
    names = sorted(set(values), key=lambda value: (_number(value) is None, _number(value) or 0.0, value))
    words = [short_name(shortened(one), LONGEST) for one in names]
    return Setting(key, [float(names.index(value)) for value in values], words)


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def sweep_page(
    name: str,
    rows: Sequence[Row],
    objectives: Mapping[str, Direction],
    svg: str,
    failures: Sequence[tuple[str, str]],
    commands: Sequence[tuple[str, str]],
) -> str:
    """Return ``report.html`` of a sweep.

    Args:
        name: of the sweep.
        rows: from `rosenblatt.sweeps.leaderboard.ranked`.
        objectives: metrics by which they are judged.
        svg: the picture, or empty.
        failures: jobs that have failed, and why.
        commands: each with what it repeats.
    """
    from rosenblatt.show.page import PageFigure, inline, page

    best = rows[0] if rows and rows[0].rank == 1 else None
    facts = [(f"{len(rows):,}", "trials"), (f"{len(failures):,}", "jobs failed")]
    if best is not None:
        first = next(iter(objectives))
        facts.insert(0, (shown(best.means[first]), f"{first} of the best"))
        tests = {key: key.removeprefix("test/") for key in best.test if {f"{key}_low", f"{key} spread"} & {*best.test}}
        facts[1:1] = [(shown(best.test[key]), f"{TITLES.get(name, name)} on test") for key, name in tests.items()][:3]
    lines = [cells_of(line) for line in table_of(rows[:MAX_ROWS], objectives)]
    of_test = {"test/acc", "test/p_at_1", *(f"test/{one.removeprefix('val/')}" for one in objectives)}
    columns = [
        column for column in (lines[0] if lines else {})
        if column in objectives or (column not in LEFT_OUT and not column.endswith(" spread")
        and any(line[column] for line in lines) and (column in of_test or not column.startswith("test/")))
    ]  # fmt: skip
    better = " and ".join(f"{one} ({'low' if way == 'min' else 'high'} is good)" for one, way in objectives.items())
    note = f"Judged by {better}, at the best epoch of each job; only the best setting was measured on test, once."
    if len(rows) > MAX_ROWS:
        note += f" Here are the first {MAX_ROWS} of {len(rows):,}; leaderboard.csv has all."
    return page(
        "sweep.html",
        title=f"Sweep {name}",
        lead="Best: " + (best.trial.words or best.folders[0]) if best is not None else "No trial is done.",
        facts=facts,
        board={"header": columns, "rows": [[line[column] for column in columns] for line in lines], "note": note},
        figures=[PageFigure("overview", CAPTION, inline(svg, "overview", CAPTION))] if svg else [],
        failures=failures,
        commands=commands,
    )
