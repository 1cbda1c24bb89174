"""What a sweep tells while it runs: a line for each job that has ended, and the leaderboard as far as it has come."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.text import Text

from rosenblatt.run.folder import shown_path
from rosenblatt.sweeps.folder import SweepFolder
from rosenblatt.sweeps.jobs import Job, Outcome, outcome
from rosenblatt.sweeps.leaderboard import Board
from rosenblatt.sweeps.settings import Settings
from rosenblatt.tasks.titles import shown

LOOK = 0.5  # seconds between two looks at jobs that run in other processes


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
