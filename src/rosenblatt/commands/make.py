"""Classifier and callbacks of a run, made from its settings."""

from __future__ import annotations

from typing import Literal, NamedTuple

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping
from omegaconf import DictConfig, OmegaConf

from perceptron.classifier import Classifier
from rosenblatt.cli.build import build
from rosenblatt.cli.values import plain
from rosenblatt.commands.resume import SettingsOfNow
from rosenblatt.data.features import DataSpec
from rosenblatt.errors import UserError, check_choice
from rosenblatt.loop.checkpoints import Checkpoints
from rosenblatt.loop.progress import TrainingProgress, without_idle_hooks
from rosenblatt.loop.signals import StopOnCtrlC
from rosenblatt.run.folder import RunFolder
from rosenblatt.tasks.losses import ClassificationLoss
from rosenblatt.tasks.threshold import Fixed, Tuned
from rosenblatt.tasks.titles import direction


def make_classifier(config: DictConfig, spec: DataSpec, threshold: Fixed | Tuned) -> Classifier:
    """Build model, loss, optimizer and schedule, and put them together."""
    sizes = {"num_features": spec.num_features, "num_outputs": spec.num_outputs, "bags": spec.bags}
    if isinstance(threshold, Tuned) and spec.task == "multiclass":
        raise UserError(
            "threshold: with more than two classes the most probable one is predicted, so there is no threshold to "
            "choose. Leave threshold=fixed, or set task=multilabel where several classes can be right."
        )
    classifier = Classifier(
        build("model", config.model, **sizes),
        spec,
        ClassificationLoss(spec, **plain(config.loss)),
        build("optimizer", config.optimizer),
        build("scheduler", config.scheduler, mode=mode_of(config)) if config.scheduler else None,
        monitor=config.early_stopping.monitor,
        threshold=threshold.value if isinstance(threshold, Fixed) else 0.5,
    )
    names = [f"val/{name}" for name in classifier.val_metrics.names]
    check_choice("early_stopping.monitor", config.early_stopping.monitor, names)
    return classifier


def mode_of(config: DictConfig) -> Literal["min", "max"]:
    """Return whether what is monitored is to be low or high."""
    mode: Literal["min", "max"] = config.early_stopping.mode or direction(config.early_stopping.monitor)
    return mode


class Callbacks(NamedTuple):
    """The callbacks that every run has.

    Attributes:
        all: of them, as the Trainer takes them.
        checkpoints: keeps the best weights and the last state.
        stop: knows whether a signal came.
    """

    all: list[pl.Callback]
    checkpoints: Checkpoints
    stop: StopOnCtrlC


def make_callbacks(config: DictConfig, run: RunFolder) -> Callbacks:
    """Make the callbacks that every run has."""
    stopping = plain(config.early_stopping)
    stopping["mode"] = mode_of(config)
    checkpoints = Checkpoints(run, stopping["monitor"], stopping["mode"], **plain(config.checkpoint))
    stop = StopOnCtrlC(checkpoints.save_last)
    # Not strict: an epoch without validation is no mistake.
    early = [] if stopping["patience"] is None else [EarlyStopping(**stopping, strict=False, check_finite=False)]
    anyway = [SettingsOfNow(_lr_before(config, run))] if config.resume and config.resume_anyway else []
    return Callbacks(without_idle_hooks(*early, *anyway, checkpoints, stop, TrainingProgress()), checkpoints, stop)


def _lr_before(config: DictConfig, run: RunFolder) -> float:
    """Return the learning rate that a run was started with."""
    try:
        return float(OmegaConf.load(run.path / "config.yaml").lr)
    except Exception:  # a file that is damaged has been told, and resume_anyway says to go on
        return float(config.lr)
