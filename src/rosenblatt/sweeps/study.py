"""A study of Optuna's: what it has been told, what it proposes to try next, and the file or database that keeps it.

A proposal follows from the seed, the number of the trial and the trials that have ended, and from nothing else. So a
search that was killed goes on as if nothing had been, as long as trials are started in the same groups.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import optuna
from filelock import FileLock
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.trial import TrialState

from rosenblatt.errors import UserError
from rosenblatt.sweeps.dimensions import Choices, Dimension, Trial
from rosenblatt.sweeps.leaderboard import Row
from rosenblatt.sweeps.settings import SAMPLERS, Settings

LEAST = 10  # trials with a result, before anything is said of importances
JOURNAL = "study.journal"

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Study:
    """An Optuna study of the trials of a sweep, in whatever folder; ``place`` names the one of this process.

    Raises:
        UserError: the storage has a study of that name that is another sweep's.
    """

    def __init__(
        self, storage: BaseStorage, name: str, dimensions: Sequence[Dimension], settings: Settings, place: str
    ) -> None:
        self.storage = storage
        self.distributions = {one.key: distribution(one) for one in dimensions}
        self.objectives = list(settings.objectives)
        self.directions: list[Literal["minimize", "maximize"]] = [
            "minimize" if way == "min" else "maximize" for way in settings.objectives.values()
        ]
        self.sampler = SAMPLERS[settings.sampler]
        # Where processes do not wait for each other, two of them may propose the same trial at the same time.
        self.seeds = [settings.seeds[0], *([zlib.crc32(place.encode())] if settings.storage else [])]
        self.place = place
        self.study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=self.directions,
            sampler=optuna.samplers.RandomSampler(),  # proposals come from `ask`
            load_if_exists=True,
        )
        space = {key: repr(one) for key, one in self.distributions.items()}
        is_of = {"objectives": self.objectives, "space": space}
        before = self.study.user_attrs.get("sweep")
        if before is None and not self.trials():
            self.study.set_user_attr("sweep", is_of)
        elif before != is_of:
            raise UserError(
                f"sweep.name={name}: the storage has a study of that name with other objectives or another space. "
                "Take another sweep.name."
            )

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """Return all trials, by number, as the storage has them now."""
        return self.study.get_trials(deepcopy=False)

    def unfinished(self) -> list[Trial]:
        """Return the trials that were begun at this place and not told of yet."""
        running = [one for one in self.trials() if one.state == TrialState.RUNNING]
        own = [one for one in running if one.user_attrs.get("place") == self.place]
        return [Trial(one.number, dict(one.user_attrs["setting"])) for one in own]

    def ask(self, num_trials: int) -> Trial | None:
        """Propose a trial and note that it has begun; ``None`` where others have begun the last of ``num_trials``.

        The proposal is written at once: a process that is killed in the middle leaves all of it, or nothing.
        """
        trials = self.trials()
        seed = int(np.random.SeedSequence([*self.seeds, len(trials)]).generate_state(1)[0])
        sampler = getattr(optuna.samplers, self.sampler)(seed=seed)
        copy = optuna.create_study(sampler=sampler, directions=self.directions)
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
        if number < num_trials:
            return Trial(number, setting)
        self.study.tell(number, state=TrialState.FAIL)  # another machine, with a folder of its own, was quicker
        return None

    def is_best(self, number: int) -> bool:
        """Return whether no trial of another machine is better than this one."""
        return len(self.directions) > 1 or self.study.best_trial.number == number

    def tell(self, row: Row) -> None:
        """Note how a trial has ended; what another process has told since it was taken is the same."""
        state = {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED}.get(row.state, TrialState.FAIL)
        values = [row.means[name] for name in self.objectives] if row.state == "done" else None
        self.study.tell(row.trial.number, values, state, skip_if_finished=True)

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
        return CategoricalDistribution(tuple(dimension.values))
    if dimension.whole:
        return IntDistribution(int(dimension.low), int(dimension.high), dimension.log, int(dimension.step or 1))
    return FloatDistribution(dimension.low, dimension.high, dimension.log, dimension.step)


def storage_of(folder: Path, url: str | None) -> BaseStorage:
    """Return where a study is kept.

    Args:
        folder: of the sweep.
        url: of a database, as SQLAlchemy has it, or a path that ends in ``.journal``; ``None``: a file in the folder.

    Raises:
        UserError: it can't be reached.
    """
    if url is None or url.endswith(".journal"):
        path = folder / JOURNAL if url is None else Path(url)
        try:
            return JournalStorage(JournalFileBackend(str(path), lock_obj=_JournalLock(path)))
        except OSError as error:
            raise UserError(f"sweep.storage={path}: it can't be written: {error.strerror}.") from None
    arguments = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}  # others write, too
    for attempts_left in (3, 2, 1, 0):  # several processes may make its tables at once, and one of them succeeds
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs=arguments)
        except Exception as error:  # of SQLAlchemy, of a driver, of Optuna
            if not attempts_left or isinstance(error, ImportError | ValueError):
                raise UserError(
                    f"sweep.storage={url}: it can't be reached. Expected a database that may be written, "
                    "such as sqlite:///sweeps.db, or a file that ends in .journal."
                ) from error
            time.sleep(0.2)
    raise AssertionError


class _JournalLock(JournalFileSymlinkLock):
    """A lock that ends with its process: Optuna's own outlasts a kill, and others wait half a minute."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(f"{path}.lock")

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()
