"""Search with Optuna: what it has been told, and what it proposes to try next.

A proposal follows from the seed, the number of the trial and the trials that have ended, and from nothing else. So a
search that was killed goes on as if nothing had been, as long as trials are started in the same groups.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from rosenblatt.errors import UserError, check_choice
from rosenblatt.sweeps.dimensions import Choices, Dimension, Trial
from rosenblatt.sweeps.leaderboard import Row
from rosenblatt.tasks.titles import direction

SAMPLERS = {
    "tpe": "TPESampler", "random": "RandomSampler", "nsgaii": "NSGAIISampler",
}  # fmt: skip
LEAST = 10  # trials with a result, before anything is said of importances
PRUNERS = {"median": "MedianPruner", "hyperband": "HyperbandPruner"}

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Search:
    """An Optuna study.

    Args:
        storage: from `storage_of`.
        name: of the study.
        dimensions: what varies.
        objectives: metrics; whether each is to be low or high follows from its name.
        sampler: one of `SAMPLERS`.
        pruner: one of `PRUNERS`, or ``None``.
        seed: of the proposals.
        place: names the folder of the sweep; on other machines there may be others.
        shared: whether these work on the same study.

    Raises:
        UserError: the storage has a study of that name that is another sweep's.
    """

    def __init__(
        self,
        storage: BaseStorage,
        name: str,
        dimensions: Sequence[Dimension],
        objectives: Sequence[str],
        sampler: str,
        pruner: str | None,
        seed: int,
        place: str,
        shared: bool = False,
    ) -> None:
        self.storage = storage
        self.distributions = {one.key: distribution(one) for one in dimensions}
        both = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE
        self.directions = [both[direction(one) == "max"] for one in objectives]
        self.sampler = sampler
        # Where processes do not wait for each other, two of them may propose the same trial at the same time.
        self.seeds = [seed, zlib.crc32(place.encode())] if shared else [seed]
        self.place = place
        self.study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=self.directions,
            sampler=optuna.samplers.RandomSampler(),  # proposals come from `make_sampler`
            pruner=make_pruner(pruner),
            load_if_exists=True,
        )
        is_of = {"objectives": list(objectives), "space": {key: repr(one) for key, one in self.distributions.items()}}
        before = self.study.user_attrs.get("sweep")
        if before is None and not self.study.get_trials(deepcopy=False):
            self.study.set_user_attr("sweep", is_of)
        elif before != is_of:
            raise UserError(
                f"sweep.name={name}: the storage has a study of that name with other objectives or another space. "
                "Take another sweep.name."
            )

    def make_sampler(self, number: int) -> optuna.samplers.BaseSampler:
        """Return the sampler for a trial."""
        made = getattr(optuna.samplers, SAMPLERS[self.sampler])
        return made(seed=int(np.random.SeedSequence([*self.seeds, number]).generate_state(1)[0]))  # type: ignore[no-any-return]

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """Return all trials, by number, as the storage has them now."""
        return self.study.get_trials(deepcopy=False)

    def unfinished(self) -> list[Trial]:
        """Return the trials that were begun at this place and not told of yet."""
        running = [one for one in self.trials() if one.state == TrialState.RUNNING]
        own = [one for one in running if one.user_attrs.get("place") == self.place]
        return [Trial(one.number, dict(one.user_attrs["setting"])) for one in own]

    def give_up(self, number: int) -> None:
        """Take a trial out that is one too many."""
        self.study.tell(number, state=TrialState.FAIL)

    def ask(self) -> Trial:
        """Propose a trial and note that it has begun.

        The proposal is written at once: a process that is killed in the middle leaves all of it, or nothing.
        """
        trials = self.trials()
        copy = optuna.create_study(sampler=self.make_sampler(len(trials)), directions=self.directions)
        copy.add_trials([one for one in trials if one.state.is_finished()])
        copy.ask(self.distributions)
        proposed = copy.get_trials(deepcopy=False)[-1]
        params = proposed.params
        setting = {key: value if isinstance(value, str) else repr(value) for key, value in params.items()}
        trial = optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=params,
            distributions=proposed.distributions,
            user_attrs={"setting": setting, "place": self.place},
            system_attrs=proposed.system_attrs,  # such as the generation that NSGA-II counts the trial to
        )
        study_id = self.storage.get_study_id_from_name(self.study.study_name)
        number = self.storage.get_trial_number_from_id(self.storage.create_new_trial(study_id, trial))
        return Trial(number, setting)

    def is_best_here(self, number: int) -> bool:
        """Return whether no trial of another machine is better than this one."""
        return len(self.directions) > 1 or self.study.best_trial.number == number

    def tell(self, row: Row, objectives: Sequence[str]) -> None:
        """Note how a trial has ended.

        Args:
            row: its means.
            objectives: metrics by which it is judged.
        """
        if row.state == "done":
            self.study.tell(row.trial.number, [row.means[name] for name in objectives])
        else:
            state = TrialState.PRUNED if row.state == "pruned" else TrialState.FAIL
            self.study.tell(row.trial.number, state=state)

    def importances(self) -> dict[str, float]:
        """Return how much each setting decides, adding up to 1; empty where that can't be told yet."""
        if sum(one.state == TrialState.COMPLETE for one in self.trials()) < LEAST:
            return {}
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        target = (lambda one: one.values[0]) if len(self.directions) > 1 else None
        try:
            found = optuna.importance.get_param_importances(self.study, evaluator=evaluator, target=target)
        except (RuntimeError, ValueError):  # fewer than two trials, or all equally good
            return {}
        return {name: float(value) for name, value in found.items()}


def distribution(dimension: Dimension) -> BaseDistribution:
    """Return a dimension as Optuna has it."""
    if isinstance(dimension, Choices):
        return CategoricalDistribution(dimension.values)
    if dimension.whole:
        return IntDistribution(int(dimension.low), int(dimension.high), dimension.log, int(dimension.step or 1))
    return FloatDistribution(dimension.low, dimension.high, dimension.log, dimension.step)


def check_names(sampler: str, pruner: str | None, objectives: Sequence[str], num_seeds: int) -> None:
    """Raise a `UserError` for a sampler or pruner that there is none of, or that does not go with the rest."""
    check_choice("sweep.sampler", sampler, SAMPLERS)
    if pruner is None:
        return
    check_choice("sweep.pruner", pruner, PRUNERS)
    if not objectives[0].startswith("val/"):
        raise UserError(f"sweep.pruner={pruner}: it goes by a metric of each epoch, and {objectives[0]} is none.")
    if len(objectives) > 1 or num_seeds > 1:
        raise UserError(
            f"sweep.pruner={pruner}: bad trials are stopped by one objective and one run each. Leave it out, or take "
            "one sweep.objective and sweep.seeds=1."
        )


def make_pruner(name: str | None) -> optuna.pruners.BasePruner:
    """Return the pruner of that name."""
    if name is None:
        return optuna.pruners.NopPruner()
    made = getattr(optuna.pruners, PRUNERS[name])
    return made()  # type: ignore[no-any-return]
