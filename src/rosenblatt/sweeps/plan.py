"""Which trials are next: of a grid, or of a search. Several processes can work on one sweep."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

from rosenblatt.sweeps.dimensions import Choices, Dimension, Trial, product
from rosenblatt.sweeps.folder import SweepFolder
from rosenblatt.sweeps.jobs import jobs_of
from rosenblatt.sweeps.leaderboard import Row
from rosenblatt.sweeps.settings import Settings

if TYPE_CHECKING:  # Optuna takes its time, and a grid does without: its folders tell all that there is to know
    from rosenblatt.sweeps.study import Study


class Plan:
    """Every combination of a grid in its order, or as many trials of a study as wanted.

    Trials of a study are asked for in groups of ``at_once``, which begin together: what has ended when one is
    proposed, and so the whole search, does not depend on how fast jobs are, or whether it was killed.

    Args:
        folder: of the sweep.
        settings: of the sweep.
        dimensions: what varies.
        at_once: trials that are given at a time.
        study: proposes the trials of a search; ``None``: a grid.

    Attributes:
        num_trials: in all, of all processes that work on them.
    """

    def __init__(
        self,
        folder: SweepFolder,
        settings: Settings,
        dimensions: Sequence[Dimension],
        at_once: int,
        study: Study | None = None,
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.at_once = at_once
        self.study = study
        self._grid = [] if study else list(product([one for one in dimensions if isinstance(one, Choices)]))
        self._untouched = iter(self._grid)
        self.num_trials = settings.trials if study else len(self._grid)

    def take(self) -> list[Trial]:
        """Return trials to run now, which no other process runs; none once all have ended or are taken.

        Those of a process that was killed come first.
        """
        taken: list[Trial] = []
        with self.folder.lock():
            if self.study is None:
                # In the end all of it once more: a process that had taken a trial may have died since.
                left = (trial for trial in chain(self._untouched, self._grid) if self._is_left(trial))
            else:
                left = (trial for trial in self.study.unfinished() if trial.number < self.num_trials)
            for trial in left:
                if trial not in taken and self.folder.claim(trial.number):
                    taken.append(trial)
                if len(taken) == self.at_once:
                    return taken
            if self.study is None:
                return taken
            number = len(self.study.trials())
            while number < self.num_trials and (not taken or number % self.at_once):
                asked = self.study.ask(self.num_trials)
                if asked is None:
                    break
                self.folder.claim(asked.number)
                taken.append(asked)
                number = asked.number + 1
        return taken

    def _is_left(self, trial: Trial) -> bool:
        jobs = jobs_of(self.folder.path, trial, self.settings.seeds)
        return not all(job.look(self.settings.objectives).ended for job in jobs)

    def tell(self, row: Row) -> None:
        """Note how a trial has ended, and let others have it."""
        if self.study is not None:
            self.study.tell(row)
        self.folder.let_go(row.trial.number)

    def num_left(self) -> int:
        """Return how many trials have not ended."""
        if self.study is None:
            return sum(map(self._is_left, self._grid))
        return self.num_trials - sum(one.state.is_finished() for one in self.study.trials()[: self.num_trials])
