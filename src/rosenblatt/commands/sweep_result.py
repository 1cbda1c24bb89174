"""What a sweep tells: a line for each job that has ended, the leaderboard, and its winner, measured on test."""

from __future__ import annotations

import shlex
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.text import Text

from rosenblatt.cli.space import Words
from rosenblatt.commands.sweep_settings import Settings
from rosenblatt.commands.winner import measure_winner, repeated
from rosenblatt.run.folder import shown_path
from rosenblatt.run.whole import write_whole
from rosenblatt.sweeps.board import Board
from rosenblatt.sweeps.dimensions import described
from rosenblatt.sweeps.folder import SweepFolder
from rosenblatt.sweeps.jobs import Job, Outcome, outcome
from rosenblatt.sweeps.leaderboard import Row, leaderboard_table
from rosenblatt.sweeps.plans import Plan
from rosenblatt.tasks.titles import shown as shown_number

LOOK = 0.5  # seconds between two looks at jobs that run in other processes


class Progress:
    """Prints a line for each job that ends, and keeps ``leaderboard.csv`` up to date.

    Args:
        folder: of the sweep.
        plan: knows how many trials there are to be.
        settings: of the sweep.
        watched: whether to look from a thread of its own, since jobs run in other processes.
    """

    def __init__(self, folder: SweepFolder, plan: Plan, settings: Settings, watched: bool) -> None:
        self.folder = folder
        self.settings = settings
        self.console = Console()
        self.board = Board(folder.path, settings.objectives)
        self.num_jobs = plan.num_trials * len(settings.seeds)
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

    def expect(self, jobs: list[Job]) -> None:
        """Note jobs that are to be run now."""
        with self._lock:
            self._expected = [job for job in jobs if not outcome(job, self.settings.objectives).ended]

    def look(self) -> None:
        """Tell of jobs that have ended since the last look."""
        with self._lock:
            found = [(job, outcome(job, self.settings.objectives)) for job in self._expected]
            ended = [(job, one) for job, one in found if one.ended]
            self._expected = [job for job, one in found if not one.ended]
            for job, one in ended:
                self.num_ended += 1
                self.console.print(self._line(job, one), soft_wrap=True)
            if ended:
                self.board.write()

    def _line(self, job: Job, one: Outcome) -> Text:
        count = f"{self.num_ended:>{len(str(self.num_jobs))}}/{self.num_jobs}"
        if one.state == "failed":
            return Text(f"{count}  {job.described}  failed: {one.reason}")
        figures = "  ".join(f"{name} {shown_number(one.metrics[name])}" for name in self.settings.objectives)
        pruned = "  stopped early" if one.state == "pruned" else ""
        return Text(f"{count}  {job.described}  {figures}  {one.metrics['seconds']:.1f} s{pruned}")

    def _watch(self) -> None:
        while not self._over.wait(LOOK):
            self.look()


def report(folder: SweepFolder, plan: Plan, settings: Settings, words: Words, start: float) -> bool:
    """Print the leaderboard, and measure the winner once all have ended.

    Args:
        folder: of the sweep.
        plan: of it.
        settings: of it.
        words: of its command.
        start: when it was started, on `time.perf_counter`.

    Returns:
        Whether no more jobs have failed than may.
    """
    console, board = Console(), Board(folder.path, settings.objectives)
    num_left = plan.num_left()
    rows = board.write()
    if num_left == 0 and rows and rows[0].rank == 1 and plan.is_best(rows[0].trial.number):
        with folder.lock():
            measure_winner(folder.path, rows[0], words)
        rows = board.write()
    failed = [(job, one) for job, one in board.look() if one.state == "failed"]
    if num_left == 0 and rows and settings.pictures:
        _write_report(folder.path, rows, settings, words, plan.importances(), failed)
    console.print()
    if rows:
        console.print(leaderboard_table(rows, settings.objectives, console.width))
    else:
        console.print("No job has run in this folder: all trials have ended, or are taken, elsewhere.")
    for job, one in failed:
        console.print(Text(f"failed: {job.described or job.folder.name}: {one.reason}"), soft_wrap=True)
        file = job.folder / "train.log"
        console.print(Text(f"        {shown_path(file if file.exists() else job.folder)}"), soft_wrap=True)
    for word, note in _notes(folder.path, rows, settings, words, num_left, time.perf_counter() - start):
        console.print(Text(f"{word:<12}{note}"), soft_wrap=True)
    most = len(board.look()) - 1 if settings.max_failures is None else settings.max_failures
    return not failed or len(failed) <= most


def _write_report(
    path: Path, rows: list[Row], settings: Settings, words: Words, importances: Mapping[str, float],
    failed: list[tuple[Job, Outcome]],
) -> None:  # fmt: skip
    """Write the picture and ``report.html``."""
    from rosenblatt.show.report.sweep_page import sweep_page  # matplotlib takes its time
    from rosenblatt.sweeps.overview import draw_overview

    typed = [word.removeprefix("++") for word in sys.argv[1:]]
    content = sweep_page(
        name=path.name,
        rows=rows,
        objectives=settings.objectives,
        svg=draw_overview(rows, settings.objectives, importances, path),
        failures=[(job.described or job.folder.name, one.reason) for job, one in failed],
        winner_command=repeated(words, rows[0].trial, len(rows[0].folders)) if rows[0].rank == 1 else None,
        command=shlex.join(["python", Path(sys.argv[0]).name, *typed]),
    )
    write_whole(path / "report.html", content.encode())


def _notes(
    path: Path, rows: list[Row], settings: Settings, words: Words, num_left: int, seconds: float
) -> list[tuple[str, str]]:
    notes = []
    best = rows[0] if rows and rows[0].rank == 1 else None
    if best is not None:
        by = f" (by {settings.objectives[0]}, of those that none beats)" if len(settings.objectives) > 1 else ""
        notes.append(("best", (described(best.trial.setting) or best.folders[0]) + by))
        if best.test:
            names = [name for name in best.test if f"{name}_low" in best.test or f"{name} spread" in best.test]
            notes.append(("on test", ", ".join(_with_interval(name, best.test) for name in names[:4])))
        notes.append(("repeat", repeated(words, best.trial, len(best.folders))))
    if num_left:
        trials = "1 trial" if num_left == 1 else f"{num_left} trials"
        notes.append(("left", f"{trials}, which other processes run; the last one to end measures the winner"))
    notes.append(("time", f"{seconds:.1f} s"))
    files = [name for name in ("report.html", "leaderboard.csv", "overview.png") if (path / name).exists()]
    notes.append(("folder", ": ".join([shown_path(path), *([", ".join(files)] if files else [])])))
    notes.append(("next", f"tensorboard --logdir {shown_path(path)}"))
    return notes


def _with_interval(name: str, test: dict[str, float]) -> str:
    value = f"{name.removeprefix('test/')} {test[name]:.4f}"
    if f"{name}_low" in test:
        return f"{value} ({test[f'{name}_low']:.4f} to {test[f'{name}_high']:.4f})"
    return f"{value} ± {test[f'{name} spread']:.4f}"
