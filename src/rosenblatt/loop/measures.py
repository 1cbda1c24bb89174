"""What is measured in an epoch: early stopping looks at nothing else, and a run that measures nothing of use ends."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping

from rosenblatt.errors import UserError, listed, nearest
from rosenblatt.loop.internals import measured


class StopEarly(EarlyStopping):
    """Lightning's early stopping, of what this epoch has measured: one without validation has no value to look at."""

    @property
    def state_key(self) -> str:
        """The key of its state in checkpoints, which was Lightning's own in older ones."""
        return super().state_key.replace(type(self).__qualname__, EarlyStopping.__qualname__)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look, where the value is one of validation."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self._look(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look, where the value is one of training."""
        self._look(trainer)

    def _look(self, trainer: pl.Trainer) -> None:
        if self.monitor in measured(trainer):
            self._run_early_stopping_check(trainer)


class Measures(Checkpoint):
    """Ends a run whose loss is no number any more, or that monitors what nobody logs; logs the learning rate.

    It is a `Checkpoint` for its place: after the module's own hooks, which log, and before whatever follows it among
    the callbacks, such as those that keep the best weights.

    Args:
        monitor: metric that says which epoch is the best.
        mode: whether it is to be low or high. One that is to be low, and is no number, ends the run, as a loss does;
            one that is to be high may be such as the AUROC of one class alone.

    Attributes:
        epochs: by number, from 1, what each has measured.
    """

    def __init__(self, monitor: str, mode: Literal["min", "max"] = "min") -> None:
        self.monitor = monitor
        self.mode = mode
        self.lr: float | None = None
        self.seen: set[str] = set()
        self.epochs: dict[int, dict[str, float]] = {}
        self.validated = False

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the learning rate, since the schedule has set the next one before the epoch's loss is known."""
        self.lr = trainer.optimizers[0].param_groups[0]["lr"] if trainer.optimizers else None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at what the validation has measured."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self.validated = True
            self._look(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at what the epoch has measured, and log its learning rate, unless the module does."""
        values = self._look(trainer)
        none_is_wanted = trainer.limit_val_batches == 0  # whoever says so gets the last weights
        if self.monitor not in self.seen and (self.validated or not trainer.enable_validation) and not none_is_wanted:
            raise UserError(_nobody_logs(self.monitor, sorted(self.seen), self.validated))
        if self.lr is not None and "lr" not in values:
            pl_module.log("lr", self.lr)

    def _look(self, trainer: pl.Trainer) -> dict[str, float]:
        values = measured(trainer)
        self.seen |= values.keys()
        self.epochs.setdefault(trainer.current_epoch + 1, {}).update(values)
        for name, value in values.items():
            counts = re.fullmatch(r"(.*[/_])?loss", name) or (name == self.monitor and self.mode == "min")
            if counts and not math.isfinite(value):
                raise UserError(self._no_number(name, value, trainer.current_epoch + 1))
        return values

    def _no_number(self, name: str, value: float, epoch: int) -> str:
        at = "" if self.lr is None else f" at lr={self.lr:g}"
        smaller = "" if self.lr is None else f", such as lr={self.lr / 10:g}"
        return (
            f"Training ended without a result: {name} became {value} in epoch {epoch}{at}. Try a smaller lr{smaller}, "
            "or trainer.gradient_clip_val=1."
        )

    def of_training(self, epoch: int, known: Mapping[str, Any]) -> dict[str, float]:
        """Return what an epoch has measured of training, but for figures that are known already.

        Args:
            epoch: from 1.
            known: figures by name.
        """
        found = self.epochs.get(epoch, {})
        return {name: value for name, value in found.items() if name.startswith("train") and name not in known}

    def state_dict(self) -> dict[str, Any]:
        """Return what an epoch that is resumed goes on with."""
        return {"lr": self.lr, "seen": sorted(self.seen), "validated": self.validated, "epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.lr, self.seen, self.validated = state_dict["lr"], set(state_dict["seen"]), state_dict["validated"]
        self.epochs.update(state_dict["epochs"])  # in place: others look at it


def _nobody_logs(monitor: str, seen: list[str], validated: bool) -> str:
    message = f"early_stopping.monitor={monitor}: expected a metric that is logged once an epoch; "
    if not seen:
        return f"{message}nothing was logged. Call self.log in training_step or validation_step."
    message += f"logged were {listed(seen)}.{nearest(monitor, seen)}"
    return message if validated else f"{message} There is no validation: the data have no val_dataloader."
