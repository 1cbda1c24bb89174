"""The settings of a run as a whole: checks that no class does for its own arguments, and how they are shown."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any, get_args

from lightning.pytorch.callbacks import EarlyStopping
from omegaconf import DictConfig, OmegaConf

from rosenblatt.arguments import check_arguments
from rosenblatt.cli.checked import check_seed
from rosenblatt.cli.values import differences, flat, plain
from rosenblatt.data.features import Task
from rosenblatt.errors import UserError, check_choice, listed, nearest
from rosenblatt.loop.checkpoints import Checkpoints
from rosenblatt.tasks.losses import ClassificationLoss

log = logging.getLogger(__name__)

SETTINGS = (
    "data", "model", "optimizer", "lr", "scheduler", "trainer", "loss", "threshold", "calibration", "early_stopping",
    "checkpoint", "seed", "task", "threads", "figures", "resume", "resume_anyway", "sweep",
)  # fmt: skip
OF_THIS_CALL = ("resume", "resume_anyway", "sweep")  # and not of the run
OF_NO_MATTER = ("figures",)  # for what is learnt


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
    check_seed(config.seed)
    check_threads(config.threads)
    if config.task is not None:
        check_choice("task", config.task, get_args(Task))
        if "task" not in config.data:
            log.warning("task=%s is ignored: these data have a task of their own.", config.task)
    for group in ("loss", "early_stopping", "checkpoint"):
        if not isinstance(config[group], DictConfig):
            raise UserError(
                f"{group}={config[group]}: expected the settings under it, such as early_stopping.patience=null (which "
                "is training to the end)."
            )
    check_arguments("loss", ClassificationLoss, plain(config.loss))
    check_arguments("checkpoint", Checkpoints, plain(config.checkpoint))
    for name, value in plain(config.checkpoint).items():
        if value is not None and (value < 0 or (value == 0 and name != "min_seconds")):
            raise UserError(f"checkpoint.{name}: expected null or a number above 0; got {value}.")
    check_figures(config.figures)
    if config.calibration is not None:
        check_choice("calibration", str(config.calibration), ["temperature"])
    if not isinstance(config.resume_anyway, bool):
        raise UserError(f"resume_anyway: expected true or false; got {config.resume_anyway!r}.")
    if config.resume_anyway and config.resume is None:
        log.warning("resume_anyway is ignored: no run is resumed.")
    stopping = plain(config.early_stopping)
    if stopping.get("patience", 0) is None:
        stopping["patience"] = 0
    check_arguments("early_stopping", EarlyStopping, stopping)
    if stopping["patience"] < 0:
        raise UserError(f"early_stopping.patience: expected null or at least 0; got {stopping['patience']}.")
    check_choice("early_stopping.mode", config.early_stopping.mode, ("min", "max"))
    if "limit_test_batches" in config.trainer:
        log.warning("trainer.limit_test_batches is ignored: a split is evaluated whole.")


def check_figures(figures: Any) -> None:
    """Raise a `UserError` unless these are the settings of figures."""
    if not isinstance(figures, DictConfig):
        raise UserError(f"figures={figures}: expected one of none and default, or figures.every_n_epochs=1.")
    every = figures.every_n_epochs
    if every not in (None, "auto") and (not isinstance(every, int) or isinstance(every, bool) or every < 1):
        raise UserError(f"figures.every_n_epochs: expected auto or a whole number of at least 1; got {every!r}.")


def check_threads(threads: Any) -> None:
    """Raise a `UserError` unless this is a number of threads or ``None``."""
    if threads is not None and (not isinstance(threads, int) or isinstance(threads, bool) or threads < 1):
        raise UserError(f"threads: expected null or a whole number of at least 1; got {threads!r}.")


def changes(before: Path, config: DictConfig) -> list[str]:
    """Return what differs from the settings that a run was started with, as lines.

    Args:
        before: its ``config.yaml``, of which nothing is resolved or called.
        config: of now.

    Raises:
        UserError: the file can't be read.
    """
    try:
        container: Any = OmegaConf.to_container(OmegaConf.create(before.read_text(encoding="utf-8")), resolve=False)
        old = flat(container)
    except Exception as error:  # of the operating system, of YAML, of OmegaConf
        raise UserError(f"{before}: it can't be read: {str(error).splitlines()[0]}") from None
    then, now = (
        {key: value for key, value in every.items() if key.partition(".")[0] not in (*OF_THIS_CALL, *OF_NO_MATTER)}
        for every in (old, flat(plain(config)))
    )
    return differences(then, now, missing="there")
