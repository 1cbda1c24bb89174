"""The settings of a sweep, and which of them do not go together."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from rosenblatt.errors import UserError, check_choice, listed
from rosenblatt.tasks.titles import COSTS

Direction: TypeAlias = Literal["min", "max"]

SAMPLERS = {"tpe": "TPESampler", "random": "RandomSampler", "nsgaii": "NSGAIISampler"}
PRUNERS = {"median": "MedianPruner", "hyperband": "HyperbandPruner"}


class Settings(NamedTuple):
    """What ``configs/sweep/`` says.

    Attributes:
        method: ``grid`` or ``optuna``.
        seeds: of each setting.
        objectives: metrics, and whether each is to be low or high.
        max_failures: jobs that may fail; ``None``: all but one.
        retry_failed: whether jobs of a grid that have failed are run once more.
        trials: of a search.
        sampler: one of `SAMPLERS`.
        pruner: one of `PRUNERS`, or ``None``.
        storage: of the study; ``None``: a file in the folder.
    """

    method: str
    seeds: list[int]
    objectives: dict[str, Direction]
    max_failures: int | None = None
    retry_failed: bool = False
    trials: int = 0
    sampler: str = "tpe"
    pruner: str | None = None
    storage: str | None = None

    @property
    def for_jobs(self) -> dict[str, Any]:
        """What a job has to know of the sweep, as JSON takes it."""
        pruning = {"pruner": self.pruner, "storage": self.storage if self.pruner else None}
        return {"objectives": self.objectives, **pruning}


def read_settings(given: Mapping[str, Any], seed: int, direction: Callable[[str], Direction]) -> Settings:
    """Return the settings of a sweep, of which each by itself has been checked; ``direction`` tells that of a metric.

    Raises:
        UserError: values that do not go together.
    """
    if given["name"] is not None and not re.fullmatch(r"\w[\w.-]*", str(given["name"])):
        raise UserError(f"sweep.name={given['name']}: expected letters, digits, - and _, for the name of a folder.")
    objectives = [given["objective"]] if isinstance(given["objective"], str) else given["objective"]
    if not objectives:
        raise UserError("sweep.objective: expected a metric, such as val/loss.")
    if len(set(objectives)) < len(objectives):
        raise UserError(f"sweep.objective: {listed(objectives)}: one is there twice.")
    for name in objectives:
        if name.startswith("test/"):
            raise UserError(
                f"sweep.objective={name}: what is chosen by the test split can't be measured on it any more. The "
                f"winner is, once. Take val/{name.removeprefix('test/')}."
            )
    if given["storage"] and given["name"] is None:
        raise UserError("sweep.storage: the study in it is found by sweep.name=...; give that, too.")
    if given["method"] == "optuna":
        if given["retry_failed"]:
            raise UserError("sweep.retry_failed: a search has learnt from its failures. Give it more sweep.trials.")
        check_choice("sweep.sampler", given["sampler"], SAMPLERS)
    if pruner := given["pruner"]:
        check_choice("sweep.pruner", pruner, PRUNERS)
        if objectives[0] in COSTS:
            raise UserError(f"sweep.pruner={pruner}: it goes by a metric of each epoch, and {objectives[0]} is none.")
        if len(objectives) > 1 or given["seeds"] > 1:
            raise UserError(
                f"sweep.pruner={pruner}: bad trials are stopped by one objective and one run each. Leave it out, or "
                "take one sweep.objective and sweep.seeds=1."
            )
    return Settings(
        seeds=[seed + i for i in range(given["seeds"])],
        objectives={name: direction(name) for name in objectives},
        **{name: value for name, value in given.items() if name in Settings._fields and name != "seeds"},
    )
