"""Classifier and callbacks of a run, made from its settings."""

from __future__ import annotations

from typing import NamedTuple

import lightning.pytorch as pl
from omegaconf import DictConfig, OmegaConf

from perceptron.classifier import Classifier
from rosenblatt.cli.build import build, called
from rosenblatt.cli.values import plain
from rosenblatt.commands.resume import SettingsOfNow
from rosenblatt.data.features import DataSpec
from rosenblatt.errors import UserError, check_choice
from rosenblatt.loop.checkpoints import Checkpoints
from rosenblatt.loop.measures import Measures, StopEarly
from rosenblatt.loop.progress import TrainingProgress
from rosenblatt.loop.signals import StopOnCtrlC
from rosenblatt.run.folder import RunFolder
from rosenblatt.tasks.losses import ClassificationLoss
from rosenblatt.tasks.threshold import Fixed, Tuned


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
        build("scheduler", config.scheduler) if config.scheduler else None,
        monitor=config.early_stopping.monitor,
        threshold=threshold.value if isinstance(threshold, Fixed) else 0.5,
    )
    # Made once for nothing, so that a wrong setting is told before training is set up.
    optimizer = called("optimizer", classifier.make_optimizer, classifier.model.parameters())
    if classifier.make_scheduler is not None:
        called("scheduler", classifier.make_scheduler, optimizer)
    names = [f"val/{name}" for name in classifier.val_metrics.names]
    check_choice("early_stopping.monitor", config.early_stopping.monitor, names)
    return classifier


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
    checkpoints = Checkpoints(run, stopping["monitor"], stopping["mode"], **plain(config.checkpoint))
    stop = StopOnCtrlC(checkpoints.save_last)
    # Not strict: an epoch without validation is no mistake.
    early = [] if stopping["patience"] is None else [StopEarly(**stopping, strict=False, check_finite=False)]
    anyway = [SettingsOfNow(_lr_before(config, run))] if config.resume and config.resume_anyway else []
    measures = Measures(stopping["monitor"], stopping["mode"])
    progress = TrainingProgress(monitor=stopping["monitor"])
    return Callbacks([*early, *anyway, measures, checkpoints, stop, progress], checkpoints, stop)


def _lr_before(config: DictConfig, run: RunFolder) -> float:
    """Return the learning rate that a run was started with."""
    try:
        return float(OmegaConf.load(run.path / "config.yaml").lr)
    except Exception:  # a file that is damaged has been told, and resume_anyway says to go on
        return float(config.lr)
