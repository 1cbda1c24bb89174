"""The settings of a sweep, checked; and what follows from its launcher."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository
from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf

from rosenblatt.cli.schema import checked
from rosenblatt.cli.values import plain
from rosenblatt.errors import UserError, check_choice, listed
from rosenblatt.run.cores import num_cores
from rosenblatt.tasks.titles import TITLES

COSTS = ("seconds", "seconds_training", "epochs", "steps")  # that a run reports besides, and that may be objectives


class Settings(NamedTuple):
    """What ``configs/sweep/`` says, checked.

    Attributes:
        seeds: of each setting.
        objectives: metrics.
        trials: of a search.
        pictures: whether the sweep is to have a picture and a page.
        others: as they stand in the files.
    """

    method: str
    seeds: list[int]
    objectives: list[str]
    max_failures: int | None
    retry_failed: bool
    trials: int
    space: dict[str, str]
    sampler: str
    pruner: str | None
    storage: str | None
    pictures: bool

    @property
    def for_jobs(self) -> dict[str, Any]:
        """What a job has to know of the sweep, as JSON takes it."""
        pruning = {"pruner": self.pruner, "storage": self.storage if self.pruner else None}
        return {"objectives": self.objectives, **pruning}


def read_settings(config: DictConfig) -> Settings:
    """Return the settings of a sweep.

    Raises:
        UserError: an unknown one, or a value that can't be.
    """
    own = plain(checked(config, "train").sweep)
    if own["name"] is not None and not re.fullmatch(r"\w[\w.-]*", str(own["name"])):
        raise UserError(f"sweep.name={own['name']}: expected letters, digits, - and _, for the name of a folder.")
    objectives = [own["objective"]] if isinstance(own["objective"], str) else own["objective"]
    check_objectives(objectives)
    if own["storage"] and own["name"] is None:
        raise UserError("sweep.storage: the study in it is found by sweep.name=...; give that, too.")
    if own["method"] == "optuna":
        from rosenblatt.sweeps.search import check_names

        if own["retry_failed"]:
            raise UserError("sweep.retry_failed: a search has learnt from its failures. Give it more sweep.trials.")
        check_names(own["sampler"], own["pruner"], objectives, own["seeds"])
    return Settings(
        own["method"],
        [config.seed + i for i in range(own["seeds"])],
        objectives,
        own["max_failures"],
        own["retry_failed"],
        own["trials"],
        {str(key): str(value) for key, value in own["space"].items()},
        own["sampler"],
        own["pruner"],
        own["storage"],
        pictures=bool(OmegaConf.select(config, "figures.every_n_epochs")),
    )


def check_objectives(objectives: list[str]) -> None:
    """Raise a `UserError` for an objective that no job reports."""
    if not objectives:
        raise UserError("sweep.objective: expected a metric, such as val/loss.")
    for name in objectives:
        if name.startswith("test/"):
            raise UserError(
                f"sweep.objective={name}: what is chosen by the test split can't be measured on it any more. The "
                f"winner is, once. Take val/{name.removeprefix('test/')}."
            )
        known = [*(f"val/{one}" for one in TITLES if one != "ece"), *COSTS]
        check_choice("sweep.objective", name, known)
    if len(set(objectives)) < len(objectives):
        raise UserError(f"sweep.objective: {listed(objectives)}: one is there twice.")


def fixed_configs(loader: ConfigLoader, folder: Path) -> None:
    """Let Hydra compose jobs from the copy of ``configs/`` in the folder: files may be edited while a sweep runs."""
    search_path = loader.get_search_path()
    for element in search_path.get_path():
        if element.provider == "main":
            element.path = f"file://{(folder / 'configs').resolve()}"
    loader.repository = CachingConfigRepository(ConfigRepository(config_search_path=search_path))  # type: ignore[attr-defined]


def width_of(launcher: DictConfig) -> int:
    """Return how many jobs a launcher runs side by side."""
    if "n_jobs" in launcher:  # joblib
        num_jobs = int(launcher.n_jobs)
        return num_jobs if num_jobs > 0 else max(1, num_cores() + 1 + num_jobs)
    if "array_parallelism" in launcher:  # Slurm
        return int(launcher.array_parallelism)
    return num_cores() if "submitit_folder" in launcher else 1


def share_cores(width: int, launcher: DictConfig) -> None:
    """Let processes that are started from here, side by side, have their share of the cores each, and no more."""
    if width > 1 and "array_parallelism" not in launcher:
        share = str(max(1, num_cores() // width))
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
            os.environ.setdefault(name, share)
