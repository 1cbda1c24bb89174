"""Which trials are next: of a grid, or of a search. Several processes can work on one sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from rosenblatt.sweeps.dimensions import Choices, Trial, product
from rosenblatt.sweeps.folder import SweepFolder
from rosenblatt.sweeps.jobs import jobs_of, outcome
from rosenblatt.sweeps.leaderboard import Row

if TYPE_CHECKING:  # Optuna takes half a second to import, and a grid does without
    from rosenblatt.sweeps.search import Search


class Plan(Protocol):
    """Says which trials are next.

    Attributes:
        num_trials: that there are to be in all.
    """

    num_trials: int

    def take(self) -> list[Trial]:
        """Return trials to run now, which no other process runs; none once all have ended or are taken."""

    def tell(self, row: Row) -> None:
        """Note how a trial has ended."""

    def num_left(self) -> int:
        """Return how many trials have not ended."""

    def importances(self) -> dict[str, float]:
        """Return how much each setting decides, adding up to 1; empty where nobody knows."""

    def is_best(self, number: int) -> bool:
        """Return whether the best trial of this folder is the best of all."""


class GridPlan:
    """Every combination of some values, in their order.

    Args:
        folder: of the sweep.
        dimensions: what varies.
        seeds: of each setting.
        objectives: metrics by which jobs are judged.
        at_once: trials that are given at a time.
    """

    def __init__(
        self,
        folder: SweepFolder,
        dimensions: Sequence[Choices],
        seeds: Sequence[int],
        objectives: Sequence[str],
        at_once: int,
    ) -> None:
        self.folder = folder
        self.trials = list(product(dimensions))
        self.num_trials = len(self.trials)
        self.seeds = seeds
        self.objectives = objectives
        self.at_once = at_once
        self._untouched = list(self.trials)

    def take(self) -> list[Trial]:
        """Return trials to run now; see `Plan.take`."""
        taken: list[Trial] = []
        while self._untouched and len(taken) < self.at_once:
            trial = self._untouched.pop(0)
            if self._is_left(trial) and self.folder.claim(trial.number):
                taken.append(trial)
        return taken

    def _is_left(self, trial: Trial) -> bool:
        jobs = jobs_of(self.folder.path, trial, self.seeds)
        return not all(outcome(job, self.objectives).ended for job in jobs)

    def tell(self, row: Row) -> None:
        """Let others have a trial: its folders tell the rest."""
        self.folder.let_go(row.trial.number)

    def num_left(self) -> int:
        """Return how many trials have not ended."""
        return sum(map(self._is_left, self.trials))

    def importances(self) -> dict[str, float]:
        """Return nothing: a grid is looked at."""
        return {}

    def is_best(self, number: int) -> bool:
        """Return that it is: a grid has one folder."""
        return True


class SearchPlan:
    """As many trials as wanted, each proposed once those before it have ended.

    Trials are asked for in groups of ``at_once``, which begin together: what has ended when one is proposed, and so the
    whole search, does not depend on how fast jobs are, or whether it was killed.

    Args:
        folder: of the sweep.
        search: proposes.
        objectives: metrics by which jobs are judged.
        num_trials: in all, of all processes that share the study.
        at_once: trials that are given at a time.
    """

    def __init__(
        self, folder: SweepFolder, search: Search, objectives: Sequence[str], num_trials: int, at_once: int
    ) -> None:
        self.folder = folder
        self.search = search
        self.objectives = objectives
        self.num_trials = num_trials
        self.at_once = at_once

    def take(self) -> list[Trial]:
        """Return trials to run now: first those of a process that was killed."""
        with self.folder.lock():
            begun = [trial for trial in self.search.unfinished() if trial.number < self.num_trials]
            free = [trial for trial in begun if self.folder.claim(trial.number)]
            still = {trial.number for trial in self.search.unfinished()}  # another process may have ended some since
            for trial in [one for one in free if one.number not in still]:
                self.folder.let_go(trial.number)
            taken = [trial for trial in free if trial.number in still]
            number = len(self.search.trials())
            while number < self.num_trials and (not taken or number % self.at_once):
                trial = self.search.ask()
                if trial.number >= self.num_trials:  # another machine, with a folder of its own, was quicker
                    self.search.give_up(trial.number)
                    break
                self.folder.claim(trial.number)
                taken.append(trial)
                number = trial.number + 1
        return taken

    def tell(self, row: Row) -> None:
        """Tell the study how a trial has ended."""
        self.search.tell(row, self.objectives)
        self.folder.let_go(row.trial.number)

    def num_left(self) -> int:
        """Return how many trials have not ended."""
        return self.num_trials - sum(one.state.is_finished() for one in self.search.trials()[: self.num_trials])

    def importances(self) -> dict[str, float]:
        """Return how much each setting decides."""
        return self.search.importances()

    def is_best(self, number: int) -> bool:
        """Return whether no machine with a folder of its own has a better trial."""
        return self.search.is_best_here(number)
