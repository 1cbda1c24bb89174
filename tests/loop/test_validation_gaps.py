"""Where an epoch has no validation, or several, schedules, log lines and curves go by what was measured anew."""

from __future__ import annotations

import logging
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_any_loader import Copying, points
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

from any_code import CASES, Bare, Training, plain
from fitting import assert_same
from rosenblatt.loop.epochs import Measures, StopEarly, TrainingProgress
from rosenblatt.loop.internals import after_steps
from rosenblatt.loop.signals import end_training

pytestmark = pytest.mark.filterwarnings("ignore")


class Watched(pl.LightningModule):
    """Logs a validation loss that never gets better, and halves its learning rate on that; as people write it."""

    def __init__(self, monitor: str = "val/loss", train_losses: tuple[float, ...] = (), **schedule: Any) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.monitor, self.train_losses, self.schedule = monitor, train_losses, schedule
        self.rates: list[float] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self.rates.append(round(self.trainer.optimizers[0].param_groups[0]["lr"], 6))
        loss = self.train_losses[self.current_epoch] if self.train_losses else 1.0
        self.log("train/acc", 0.5, on_step=False, on_epoch=True, batch_size=1)
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=1)
        return (self.weight - 1) ** 2

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val/loss", 2.0, batch_size=1)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD([self.weight], lr=1.0)
        schedule = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "monitor": self.monitor, **self.schedule},
        }


def train(module: Watched, *callbacks: pl.Callback, logger: Any = False, **settings: Any) -> pl.Trainer:
    trainer = pl.Trainer(
        accelerator="cpu", callbacks=[*callbacks], logger=logger, num_sanity_val_steps=0, log_every_n_steps=1,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=bool(callbacks), **settings,
    )  # fmt: skip
    loader = DataLoader(TensorDataset(torch.zeros(4, 1)), 1)
    trainer.fit(module, loader, loader)
    return trainer


def measured() -> list[pl.Callback]:
    measures = Measures("val/loss")
    return [measures, TrainingProgress(measures)]


def of_epochs(module: Watched) -> list[float]:
    return module.rates[::4]


def test_a_plateau_halves_the_rate_by_validations_and_not_by_epochs():
    module = Watched()
    train(module, *measured(), max_epochs=21, check_val_every_n_epoch=5)
    # The first value, of epoch 5, is the best; those of 10 and 15 are not better, which is one more than patience.
    assert of_epochs(module) == [1.0] * 15 + [0.5] * 6


def test_with_a_validation_an_epoch_a_plateau_is_lightnings_own():
    modules = [Watched(), Watched()]
    train(modules[0], *measured(), max_epochs=9)
    train(modules[1], max_epochs=9)
    assert modules[0].rates == modules[1].rates
    assert len(set(modules[0].rates)) > 3


def test_a_plateau_that_looks_after_each_step_waits_for_the_next_validation():
    module = Watched(interval="step", strict=False)
    train(module, *measured(), max_epochs=3, val_check_interval=0.5)
    assert module.rates == [1.0] * 6 + [0.5] * 4 + [0.25] * 2  # after the third and the fifth validation


def test_a_plateau_of_training_goes_by_epochs_whatever_is_validated():
    module = Watched(monitor="train/loss")
    train(module, *measured(), max_epochs=5, check_val_every_n_epoch=4)
    assert of_epochs(module) == [1.0, 1.0, 1.0, 0.5, 0.5]


def test_a_plateau_that_watches_what_nobody_logs_is_told():
    with pytest.raises(Exception, match="conditioned on metric val/lost which is not available"):
        train(Watched(monitor="val/lost"), *measured(), max_epochs=4)


def test_early_stopping_counts_validations():
    stop = StopEarly("val/loss", patience=2, strict=False)
    trainer = train(Watched(), stop, *measured(), max_epochs=30, check_val_every_n_epoch=3)
    assert trainer.current_epoch == 9


def test_lines_and_curves_hold_each_validation_once(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    logger = TensorBoardLogger(tmp_path, "", "")
    train(Watched(), *measured(), logger=logger, max_epochs=5, check_val_every_n_epoch=2)
    lines = [message.split("  ", 1)[1] for message in caplog.messages if message.startswith("epoch")]
    alone, both = "train/acc 0.5000  train/loss 1.0000", "train/acc 0.5000  train/loss 1.0000  val/loss 2.0000"
    assert lines == [alone, both, alone, both, alone]
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [event.step for event in events.Scalars("val/loss")] == [7, 15]
    assert [event.step for event in events.Scalars("train/loss")] == [3, 7, 11, 15, 19]


class CutOff(pl.Callback):
    """Ends training within the second epoch."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        after_steps(trainer, lambda: end_training(trainer) if trainer.global_step == 6 else None)


def test_the_line_of_an_epoch_that_is_cut_off_does_not_repeat_a_validation(caplog):
    caplog.set_level(logging.INFO)
    train(Watched(), CutOff(), *measured(), max_epochs=5)
    lines = [message.replace("train/acc 0.5000  ", "") for message in caplog.messages if message.startswith("epoch")]
    assert lines == ["epoch 1/5  train/loss 1.0000  val/loss 2.0000", "epoch 2/5  train/loss 1.0000"]


@pytest.mark.parametrize(
    ("losses", "scaled", "epochs"),
    [
        ((1.0, 900.0, 0.5), False, []),
        ((1.0, 1e4, 1e27), False, [2]),
        ((1e9, 1e8, 1e7), False, []),  # of numbers in millions
        ((0.0, 1.0, 5.0), False, []),  # nothing is a thousand times nothing
        ((1e7, 1e8, 1e27), True, [1]),
        ((0.7, 1e4, 1.0), True, [2]),
        ((0.0001, 2.0, 0.1), True, []),
        ((4000.0, 3000.0, 5000.0), True, []),  # the sum over a batch
    ],
)
def test_a_loss_that_runs_away_is_told_once(caplog, losses, scaled, epochs):
    train(Watched(train_losses=losses), Measures("val/loss", scaled=scaled), max_epochs=3)
    told = [message for message in caplog.messages if "runs away" in message]
    assert len(told) == len(epochs)
    for message, epoch in zip(told, epochs, strict=True):
        assert f"train/loss runs away: it is {losses[epoch - 1]:.3g} in epoch {epoch} at lr=1. Try" in message


def test_a_plateau_with_gaps_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    for name, settings in (("twice", {"val_check_interval": 0.5}), ("now and then", {"check_val_every_n_epoch": 2})):
        monkeypatch.setitem(CASES, name, (plain, lambda: Bare(plateau=True), {"max_epochs": 4, **settings}))
        with monkeypatch.context() as patch:
            copying = Copying(patch, tmp_path / f"{name} killed")
            whole = Training(name, tmp_path / name).outcome()
        assert len(copying.copies) > 6
        for copy in copying.copies[2::5]:
            assert_same(Training(name, copy).outcome(), whole, copy.name)
            assert points(copy) == points(tmp_path / name)
