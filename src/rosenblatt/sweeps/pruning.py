"""Stops trials of a search that do worse than others did by then."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as pl
import optuna

from rosenblatt.loop.signals import end_training
from rosenblatt.sweeps.search import make_pruner


class StudyTrial:
    """A trial of a study, reached from the process that runs its job.

    Args:
        storage: of the study.
        study: its name.
        number: of the trial.
        pruner: name of the pruner.
    """

    def __init__(self, storage: optuna.storages.BaseStorage, study: str, number: int, pruner: str) -> None:
        self.study = optuna.load_study(study_name=study, storage=storage, pruner=make_pruner(pruner))
        self.storage = storage
        self.trial_id = storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(study), number)

    def report(self, value: float, step: int) -> None:
        """Note a value; one that was noted before the run was cut off is the same again."""
        self.step = step
        self.is_new = step not in self.storage.get_trial(self.trial_id).intermediate_values
        if self.is_new:
            self.storage.set_trial_intermediate_value(self.trial_id, step, value)

    def should_prune(self) -> bool:
        """Return whether the trial is to be stopped; of a step that was judged already, what was said then."""
        trial = self.storage.get_trial(self.trial_id)
        if not self.is_new:
            return bool(trial.user_attrs.get("pruned_at") == self.step)
        if not self.study.pruner.prune(self.study, trial):
            return False
        self.storage.set_trial_user_attr(self.trial_id, "pruned_at", self.step)
        return True


class Pruning(pl.Callback):
    """Reports a metric after each epoch, and ends training where the study says so.

    Args:
        trial: that is judged.
        metric: that is reported.

    Attributes:
        pruned: whether training was ended so.
    """

    def __init__(self, trial: StudyTrial, metric: str) -> None:
        self.trial = trial
        self.metric = metric
        self.pruned = False

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"pruned": self.pruned}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it back."""
        self.pruned = state_dict["pruned"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End training where that was decided before the run was cut off."""
        if self.pruned:
            end_training(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report, and end training."""
        value = trainer.callback_metrics.get(self.metric)
        if value is None or not math.isfinite(float(value)):
            return
        self.trial.report(float(value), trainer.current_epoch)
        if self.trial.should_prune():
            self.pruned = True
            end_training(trainer)
