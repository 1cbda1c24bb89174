"""Stops trials of a search that do worse than others did by then."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as pl
import optuna
from lightning.pytorch.callbacks import Checkpoint

from rosenblatt.loop.epochs import Measures
from rosenblatt.loop.signals import end_training
from rosenblatt.sweeps.settings import PRUNERS


class Pruning(Checkpoint):  # for its place, after `Measures`
    """Reports a metric after each epoch that has measured it; ends training where the study says so (``pruned``)."""

    def __init__(self, storage: optuna.storages.BaseStorage, study: str, number: int, pruner: str, metric: str) -> None:
        made = getattr(optuna.pruners, PRUNERS[pruner])()
        self.study = optuna.load_study(
            study_name=study, storage=storage, sampler=optuna.samplers.RandomSampler(), pruner=made
        )
        trial_id = storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(study), number)
        self.trial = optuna.Trial(self.study, trial_id)
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
        measures = next(one for one in trainer.checkpoint_callbacks if isinstance(one, Measures))
        value = measures.epochs[trainer.current_epoch + 1].get(self.metric, math.nan)
        if math.isfinite(value) and self.is_bad(value, trainer.current_epoch):
            self.pruned = True
            end_training(trainer)

    def is_bad(self, value: float, epoch: int) -> bool:
        """Return whether a trial is to be stopped; of an epoch that was judged before the run was cut off, as then."""
        if epoch in self.study.get_trials(deepcopy=False)[self.trial.number].intermediate_values:
            return bool(self.trial.user_attrs.get("pruned_at") == epoch)
        self.trial.report(value, epoch)
        if not self.trial.should_prune():
            return False
        self.trial.set_user_attr("pruned_at", epoch)
        return True
