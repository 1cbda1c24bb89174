"""The settings of a run as a whole: checks that no class does for its own arguments, and how they are shown."""

from __future__ import annotations

import logging
import math
from typing import Any, get_args

from lightning.pytorch.callbacks import EarlyStopping
from omegaconf import DictConfig, OmegaConf

from rosenblatt.commands.build import check_arguments
from rosenblatt.errors import UserError, check_choice, listed, nearest
from rosenblatt.losses import ClassificationLoss
from rosenblatt.spec import Task

log = logging.getLogger(__name__)

SETTINGS = (
    "data", "model", "optimizer", "lr", "scheduler", "trainer", "loss", "early_stopping", "seed", "task", "threads",
)  # fmt: skip


def check(config: DictConfig) -> None:
    """Check the settings that no class takes under their own name.

    Raises:
        UserError: an unknown key, or a value of the wrong kind.
    """
    unknown = [str(key) for key in config if key not in SETTINGS]
    if unknown:
        raise UserError(f"{unknown[0]}: no such setting.{nearest(unknown[0], SETTINGS)} There are {listed(SETTINGS)}.")
    if not isinstance(config.lr, int | float) or isinstance(config.lr, bool) or not 0 < config.lr < math.inf:
        raise UserError(f"lr: expected a number above 0, such as lr=0.001; got {config.lr!r}.")
    if not isinstance(config.seed, int) or isinstance(config.seed, bool) or not 0 <= config.seed < 2**32:
        raise UserError(f"seed: expected a whole number from 0 to 4294967295; got {config.seed!r}.")
    threads = config.threads
    if threads is not None and (not isinstance(threads, int) or isinstance(threads, bool) or threads < 1):
        raise UserError(f"threads: expected null or a whole number of at least 1; got {threads!r}.")
    if config.task is not None:
        check_choice("task", config.task, get_args(Task))
        if "task" not in config.data:
            log.warning("task=%s is ignored: these data have a task of their own.", config.task)
    for group in ("loss", "early_stopping"):
        if not isinstance(config[group], DictConfig):
            raise UserError(
                f"{group}={config[group]}: expected the settings under it. Training to the end is "
                "early_stopping.patience=null."
            )
    check_arguments("loss", ClassificationLoss, plain(config.loss))
    stopping = plain(config.early_stopping)
    if stopping.get("patience", 0) is None:
        stopping["patience"] = 0
    check_arguments("early_stopping", EarlyStopping, stopping)
    if stopping["patience"] < 0:
        raise UserError(f"early_stopping.patience: expected null or at least 0; got {stopping['patience']}.")
    check_choice("early_stopping.mode", config.early_stopping.mode, ("min", "max"))
    if "limit_test_batches" in config.trainer:
        log.warning("trainer.limit_test_batches is ignored: a split is evaluated whole.")


def plain(config: DictConfig) -> dict[str, Any]:
    """Return settings as plain dicts, lists and values, interpolations resolved."""
    container: Any = OmegaConf.to_container(config, resolve=True)
    return dict(container)


def flat(config: DictConfig) -> dict[str, int | float | str | bool]:
    """Return settings as ``data.batch_size``: value, for TensorBoard's HParams tab."""
    found: dict[str, int | float | str | bool] = {}

    def walk(node: dict[str, Any], prefix: str) -> None:
        for key, value in node.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{key}.")
            else:
                found[f"{prefix}{key}"] = value if isinstance(value, int | float | str | bool) else str(value)

    walk(plain(config), "")
    return found
