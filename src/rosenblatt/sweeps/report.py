"""What a sweep tells: a line for each job that ends, the leaderboard, its winner on test, a figure and a page."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from rosenblatt.errors import UserError
from rosenblatt.run.folder import RunFolder, shown_path
from rosenblatt.run.whole import write_whole
from rosenblatt.show.metrics import title_of
from rosenblatt.sweeps.dimensions import shortened
from rosenblatt.sweeps.folder import WINNER
from rosenblatt.sweeps.jobs import Job
from rosenblatt.sweeps.leaderboard import Board, Row, columns, leaderboard_table, means_of
from rosenblatt.sweeps.plan import Plan
from rosenblatt.sweeps.settings import Direction
from rosenblatt.tasks.titles import shown

if TYPE_CHECKING:
    from rosenblatt.show.figures.trials import Setting

LOOK = 0.5  # seconds between two looks at jobs that run in other processes
MAX_SETTINGS = 12
MAX_ROWS = 200
CAPTION = "Each point is a trial, the star is the best one; lines up and down are the spread over seeds."


class Report:
    """Prints a line for each job that ends, keeps ``leaderboard.csv`` up to date, and measures the winner.

    Args:
        plan: of the sweep.
        fixed: words that all jobs have in common, as they are typed.
        command: of the sweep, as it is typed.
        evaluate: measures the run in a folder on test; returns its metrics.
        watched: whether to look from a thread of its own, since jobs run in other processes.
    """

    def __init__(
        self,
        plan: Plan,
        fixed: Sequence[str],
        command: str,
        evaluate: Callable[[Path], Mapping[str, Any]],
        watched: bool,
    ) -> None:
        self.plan = plan
        self.path = plan.folder.path
        self.objectives = plan.settings.objectives
        self.fixed = fixed
        self.command = command
        self.evaluate = evaluate
        self.console = Console()
        self.board = Board(self.path, self.objectives)
        self.num_jobs = plan.num_trials * len(plan.settings.seeds)
        self.num_ended = sum(job.ended for job in self.board.jobs())
        self._expected: list[Job] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True) if watched else None
        self._lock = threading.Lock()

    def __enter__(self) -> Report:
        done = f", {self.num_ended} of them done before" if self.num_ended else ""
        self._print(f"sweep {self.path.name}: {_counted(self.num_jobs, 'job')}{done}; {shown_path(self.path)}")
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self.look()

    def expect(self, jobs: Sequence[Job]) -> None:
        """Note jobs that are to be run now."""
        with self._lock:
            self._expected = [job for job in jobs if not job.look(self.objectives).ended]

    def look(self) -> None:
        """Tell of jobs that have ended since the last look."""
        with self._lock:
            now = [job.look(self.objectives) for job in self._expected]
            self._expected = [job for job in now if not job.ended]
            for job in now:
                if job.ended:
                    self.num_ended += 1
                    self._print(f"{self.num_ended:>{len(str(self.num_jobs))}}/{self.num_jobs}  {self._told(job)}")
            if len(self._expected) < len(now):
                self.board.write()

    def _told(self, job: Job) -> str:
        if job.state == "failed":
            return f"{job.words}  failed: {job.reason}"
        figures = "  ".join(f"{name} {shown(job.metrics[name])}" for name in self.objectives)
        pruned = "  stopped early" if job.state == "pruned" else ""
        return f"{job.words}  {figures}  {job.metrics['seconds']:.1f} s{pruned}"

    def _print(self, line: str) -> None:
        self.console.print(Text(line), soft_wrap=True)

    def _watch(self) -> None:
        while not self._over.wait(LOOK):
            self.look()

    def finish(self, seconds: float, with_figures: bool) -> bool:
        """Measure the winner once all trials have ended, and print the leaderboard.

        Returns:
            Whether no more jobs have failed than may.
        """
        num_left = self.plan.num_left()
        rows = self.board.write()
        study = self.plan.study  # which other machines may share
        if not num_left and rows and rows[0].rank == 1 and (study is None or study.is_best(rows[0].trial.number)):
            with self.plan.folder.lock():
                self._measure_winner(rows[0])
            rows = self.board.write()
        every = self.board.jobs()
        failed = [job for job in every if job.state == "failed"]
        if num_left == 0 and rows and with_figures:
            commands = [("The whole sweep; what is done already is not done again", self.command)]
            if rows[0].rank == 1:
                commands.insert(0, ("The best setting", self._repeated(rows[0])))
            importances = {} if study is None else study.importances()
            write_page(self.path, rows, self.objectives, importances, failed, commands)
        self.console.print()
        if rows:
            self.console.print(leaderboard_table(rows, self.objectives, self.console.width))
        else:
            self._print("No job has run in this folder: all trials have ended, or are taken, elsewhere.")
        for job in failed:
            self._print(f"failed: {job.words or job.folder.name}: {job.reason}")
            file = job.folder / "train.log"
            self._print(f"        {shown_path(file if file.exists() else job.folder)}")
        for word, note in self._notes(rows, num_left, seconds):
            self._print(f"{word:<12}{note}")
        most = self.plan.settings.max_failures
        return not failed or len(failed) <= (len(every) - 1 if most is None else most)

    def _measure_winner(self, row: Row) -> None:
        """Evaluate the runs of the best setting on test, and write ``winner.json``; not again what has been already."""
        runs = [RunFolder(self.path / name) for name in row.folders]
        try:
            found = [run.read_json("evaluation.json") or self.evaluate(run.path) for run in runs]
        except UserError as error:
            Console(stderr=True).print(Text(f"The winner can't be measured on test: {error}"), soft_wrap=True)
            return
        test, spreads = means_of(found)
        test |= {f"{key} spread": spread for key, spread in spreads.items()}
        limits = ("_low", "_high", "_low spread", "_high spread") if len(runs) > 1 else ()  # of one run alone
        content = {
            "folders": row.folders,
            "setting": row.trial.setting,
            "command": self._repeated(row),
            "validation": {name: row.means[name] for name in row.means if name.startswith("val/")},
            "test": {key: test[key] for key in test if key.startswith("test/") and not key.endswith(limits)},
        }
        RunFolder(self.path).write_json(WINNER, content)

    def _repeated(self, row: Row) -> str:
        """Return the command that trains a setting by itself."""
        words = [*self.fixed, *(f"{key}={value}" for key, value in row.trial.setting.items())]
        if len(row.folders) > 1:
            words = ["-m", *words, f"sweep.seeds={len(row.folders)}"]
        return shlex.join(["python", "train.py", *words])

    def _notes(self, rows: Sequence[Row], num_left: int, seconds: float) -> Iterator[tuple[str, str]]:
        if rows and rows[0].rank == 1:
            best = rows[0]
            first, *others = self.objectives
            by = f" (by {first}, of those that none beats)" if others else ""
            yield "best", (best.trial.words or best.folders[0]) + by
            if best.test:
                yield "on test", ", ".join(_with_interval(name, best.test) for name in _measured(best.test)[:4])
            yield "repeat", self._repeated(best)
            run = shlex.quote(shown_path(self.path / best.folders[0]))
            yield "use", f"python scripts/predict.py run={run} input=FILE output=FILE"
        if num_left:
            trials = _counted(num_left, "trial")
            yield "left", f"{trials}, which other processes run; the last one to end measures the winner"
        yield "time", f"{seconds:.1f} s"
        files = [name for name in ("report.html", "leaderboard.csv", "overview.png") if (self.path / name).exists()]
        yield "folder", shown_path(self.path) + (": " + ", ".join(files) if files else "")
        yield "next", f"tensorboard --logdir {shown_path(self.path)}"


def _counted(num: int, word: str) -> str:
    return f"1 {word}" if num == 1 else f"{num} {word}s"


def _measured(test: Mapping[str, float]) -> list[str]:
    """Return the metrics that come with an interval, or with a spread over seeds."""
    return [name for name in test if f"{name}_low" in test or f"{name} spread" in test]


def _with_interval(name: str, test: Mapping[str, float]) -> str:
    value = f"{name.removeprefix('test/')} {test[name]:.4f}"
    if f"{name}_low" in test:
        return f"{value} ({test[f'{name}_low']:.4f} to {test[f'{name}_high']:.4f})"
    return f"{value} ± {test[f'{name} spread']:.4f}"


def write_page(
    folder: Path,
    rows: Sequence[Row],
    objectives: Mapping[str, Direction],
    importances: Mapping[str, float],
    failed: Sequence[Job],
    commands: Sequence[tuple[str, str]],
) -> None:
    """Write ``report.html``, and where there is a result ``overview.png`` and ``overview.svg``."""
    from rosenblatt.show.page import PageFigure, inline, page  # matplotlib takes its time

    facts = [(f"{len(rows):,}", "trials"), (f"{len(failed):,}", "jobs failed")]
    lead = "No trial is done."
    if rows and rows[0].rank == 1:
        best, first = rows[0], next(iter(objectives))
        lead = f"Best: {best.trial.words or best.folders[0]}"
        tests = [(one, one.removeprefix("test/")) for one in _measured(best.test)][:3]
        on_test = [(shown(best.test[one]), f"{title_of(metric)} on test") for one, metric in tests]
        facts = [(shown(best.means[first]), f"{first} of the best"), *on_test, *facts]
    names, lines = columns(rows[:MAX_ROWS], objectives)
    better = " and ".join(f"{one} ({'low' if way == 'min' else 'high'} is good)" for one, way in objectives.items())
    note = f"Judged by {better}, at the best epoch of each job; only the best setting was measured on test, once."
    if len(rows) > MAX_ROWS:
        note += f" Here are the first {MAX_ROWS} of {len(rows):,}; leaderboard.csv has all."
    svg = _overview(folder, [row for row in rows if row.rank is not None], objectives, importances)
    content = page(
        "sweep.html",
        title=f"Sweep {folder.name}",
        lead=lead,
        facts=facts,
        board={"header": names, "rows": [[line[one] for one in names] for line in lines], "note": note},
        figures=[PageFigure("overview", CAPTION, inline(svg, "overview", CAPTION))] if svg else [],
        failures=[(job.words or job.folder.name, job.reason) for job in failed],
        commands=commands,
    )
    write_whole(folder / "report.html", content.encode())


def _overview(
    folder: Path, rows: Sequence[Row], objectives: Mapping[str, Direction], importances: Mapping[str, float]
) -> str:
    """Draw all trials with a result, and return the SVG; an empty string where there is none."""
    from rosenblatt.show.figures.style import draw
    from rosenblatt.show.figures.trials import Trials

    name, way = next(iter(objectives.items()))
    keys = list(dict.fromkeys(key for row in rows for key in row.trial.setting))[:MAX_SETTINGS]
    if not keys:
        return ""
    better = "lower" if way == "min" else "higher"
    drawn = draw(
        Trials(
            f"{folder.name}: {name} of {_counted(len(rows), 'trial')} ({better} is better)",
            name,
            [row.means[name] for row in rows],
            [row.spreads.get(name, 0.0) for row in rows],
            [row.state == "pruned" for row in rows],
            [_setting(rows, key) for key in keys],
            sorted(importances.items(), key=lambda one: one[1]),
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
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        numbers = []
    if numbers and len(set(values)) > 2:
        return Setting(key, numbers, None)
    names = sorted(set(values), key=float if numbers else str)
    return Setting(key, [float(names.index(one)) for one in values], [short_name(shortened(one), 18) for one in names])
