"""A run that goes on from any of its checkpoints ends as the one that nobody disturbed, to the bit."""

from __future__ import annotations

import math
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.loggers.logger import DummyLogger
from torch.optim import lr_scheduler

from fitting import QUIET, assert_same, batches
from perceptron.classifier import Classifier
from perceptron.models import MLP
from rosenblatt.data.batches import Batches
from rosenblatt.errors import UserError
from rosenblatt.loop.checkpoints import Checkpoints
from rosenblatt.loop.epochs import Measures, StopEarly
from rosenblatt.run.folder import RunFolder
from rosenblatt.tasks.binary import Binary

pytestmark = [
    *QUIET,
    pytest.mark.filterwarnings("ignore:ReduceLROnPlateau conditioned on metric val/loss which is not available"),
]
NUM_BATCHES = 3


class Lines(DummyLogger):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int, dict[str, float]]] = []

    def log_metrics(self, metrics, step=None):
        self.lines.append((step, {name: value for name, value in metrics.items() if name != "epoch"}))


class Saving(Checkpoints):
    """Keeps a copy of every checkpoint, with the number of lines that were logged before it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.copies: list[tuple[Path, int]] = []

    @property
    def state_key(self) -> str:
        return Checkpoints.__qualname__

    def _save_last(self, trainer, whole_epochs):
        super()._save_last(trainer, whole_epochs)
        copy = self.run.path / f"{len(self.copies)}.ckpt"
        shutil.copy(self.run.checkpoints / "last.ckpt", copy)
        self.copies.append((copy, len(trainer.logger.lines)))


class Fitting:
    """A training of some epochs, from its start or from a checkpoint."""

    def __init__(
        self,
        folder: Path,
        every_n_steps: int | None = None,
        checkpoint: Path | None = None,
        seed: int = 0,
        num_batches: int = NUM_BATCHES,
        schedule: Any = None,
        fresh: bool = False,
        early: dict[str, Any] | None = None,
        lr: float = 0.05,
        scale: float = 1.0,
        **settings: Any,
    ) -> None:
        torch.manual_seed(seed)
        task = Binary(("no", "yes"), num_rows=35, class_counts=(20, 15))
        model = MLP(2, 1, hidden=[4], dropout=0.3)
        optimizer = partial(torch.optim.Adam, lr=lr)
        self.classifier = Classifier(model, task, task.loss(), optimizer, schedule)
        rows = batches(1, num_batches)
        self.train = Batches(
            rows.features * scale, rows.target, 8, shuffle=True, seed=7,
            draw=(lambda epoch: (rows.features + epoch, rows.target.roll(epoch))) if fresh else None,
        )  # fmt: skip
        self.saving = Saving(RunFolder(folder), "val/loss", "min", every_n_steps)
        self.early = StopEarly("val/loss", strict=False, check_finite=False, **(early or {"patience": 99}))
        self.lines = Lines()
        self.trainer = pl.Trainer(
            accelerator="cpu", logger=self.lines, callbacks=[self.early, Measures("val/loss"), self.saving],
            enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1,
            **{"max_epochs": 3, "num_sanity_val_steps": 0} | settings,
        )  # fmt: skip
        self.trainer.fit(
            self.classifier, self.train, batches(2, num_batches=2), ckpt_path=checkpoint, weights_only=True
        )

    def outcome(self) -> dict[str, Any]:
        """All that has to be the same in the end."""
        return {
            "weights": self.classifier.state_dict(),
            "optimizer": self.trainer.optimizers[0].state_dict(),
            "schedule": [config.scheduler.state_dict() for config in self.trainer.lr_scheduler_configs],
            "early stopping": self.early.state_dict(),
            "best score": self.saving.best_score,
            "position": (self.trainer.global_step, self.trainer.current_epoch, self.trainer.fit_loop.total_batch_idx),
        }


plateau = partial(lr_scheduler.ReduceLROnPlateau, factor=0.5, patience=0, threshold=0.2)
two, twice = {"max_epochs": 2}, {"num_batches": 4, "val_check_interval": 0.5}
VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "gradients of two batches": {**two, "accumulate_grad_batches": 2},
    "validation twice an epoch": {**two, **twice},
    "validation twice an epoch, gradients of two": {**two, **twice, "num_batches": 8, "accumulate_grad_batches": 2},
    "validation after each batch": {**two, "val_check_interval": 1},
    "validation in every other epoch": {"check_val_every_n_epoch": 2, "max_epochs": 4, "num_batches": 2},
    "validation every four batches": {"val_check_interval": 4, "check_val_every_n_epoch": None},
    "a sanity check": {**two, "num_sanity_val_steps": 2},
    "one batch an epoch": {"num_batches": 1, "max_epochs": 4},
    "plateau": {"schedule": plateau, "max_epochs": 4, "num_batches": 2},
    "plateau, validation in every other epoch": {
        "schedule": plateau, "max_epochs": 5, "num_batches": 2, "check_val_every_n_epoch": 2,
    },
    "cosine": {"schedule": partial(lr_scheduler.CosineAnnealingLR, T_max=3), "num_batches": 2},
    "steps": {"schedule": partial(lr_scheduler.StepLR, step_size=2, gamma=0.1), "num_batches": 2},
    "two batches of an epoch": {"limit_train_batches": 2},
    "half of an epoch": {**two, "limit_train_batches": 0.5, "num_batches": 4},
    "fresh data": {**two, "fresh": True},
    "a number of steps": {"max_steps": 7, "max_epochs": -1},
    "a number of steps, plateau": {"max_steps": 7, "max_epochs": -1, "schedule": plateau, "num_batches": 2},
    "a number of steps, gradients of two": {"max_steps": 5, "max_epochs": -1, "accumulate_grad_batches": 2},
    "early stopping": {"max_epochs": 20, "early": {"patience": 2, "min_delta": 0.3}, "num_batches": 2},
    "early stopping in the first epoch": {"max_epochs": 20, "early": {"patience": 0, "stopping_threshold": 9.0}},
    "early stopping by a value": {"max_epochs": 20, "early": {"patience": 9, "stopping_threshold": 0.5}},
    "early stopping within an epoch": {**twice, "max_epochs": 20, "early": {"patience": 2, "min_delta": 0.3}},
    "early stopping before the least epochs": {
        "max_epochs": 20, "min_epochs": 7, "early": {"patience": 1}, "num_batches": 2, "lr": 0.2,
    },
    "early stopping before the least steps": {
        "max_epochs": 20, "min_steps": 9, "early": {"patience": 1, "min_delta": 9.0}, "num_batches": 2,
        "check_val_every_n_epoch": 2,
    },
}  # fmt: skip


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_run_goes_on_from_any_checkpoint_to_the_same_end(tmp_path, settings):
    undisturbed = Fitting(tmp_path / "undisturbed", **settings)
    saving = Fitting(tmp_path / "saving", every_n_steps=1, **settings)
    expected, lines = undisturbed.outcome(), undisturbed.lines.lines
    assert_same(saving.outcome(), expected)  # saving changes nothing
    assert_same(saving.lines.lines, lines)
    ends = [step for step, values in lines if "train/loss" in values]
    within = [step for step, values in lines if "val/loss" in values and step not in ends]
    assert len(saving.saving.copies) == saving.trainer.global_step - len(within)  # each step but where one was due
    for copy, num_lines in saving.saving.copies:
        resumed = Fitting(tmp_path / "resumed", checkpoint=copy, seed=1, **settings)
        assert_same(resumed.lines.lines, lines[num_lines:], f"{copy.name}, lines")
        assert_same(resumed.outcome(), expected, copy.name)


@pytest.mark.parametrize("name", ["as it is", "gradients of two batches", "validation twice an epoch", "fresh data"])
def test_a_run_that_has_ended_is_trained_longer_as_if_it_had_not(tmp_path, name):
    short = Fitting(tmp_path / "short", **VARIANTS[name])
    long = Fitting(tmp_path / "long", **VARIANTS[name] | {"max_epochs": 5})
    resumed = Fitting(
        tmp_path / "resumed", checkpoint=short.saving.copies[-1][0], seed=1, **VARIANTS[name] | {"max_epochs": 5}
    )
    assert_same(short.lines.lines + resumed.lines.lines, long.lines.lines)
    assert_same(resumed.outcome(), long.outcome())


def test_a_loss_that_is_no_number_is_told_in_an_epoch_that_was_resumed_too(tmp_path):
    saving = Fitting(tmp_path / "saving", every_n_steps=1)
    within = next(copy for copy, num_lines in saving.saving.copies if num_lines == 0)
    with pytest.raises(UserError, match=r"val/loss became nan in epoch 1 at lr=0\.05"):
        Fitting(tmp_path / "resumed", checkpoint=within, scale=math.nan)


def test_seconds_of_earlier_processes_are_added_up(tmp_path):
    first = Fitting(tmp_path / "first", every_n_steps=1)
    for copy, _ in first.saving.copies[:2]:
        resumed = Fitting(tmp_path / "resumed", checkpoint=copy)
        seconds = resumed.saving.seconds
        assert 0 < seconds < 60
    again = Fitting(tmp_path / "again", checkpoint=resumed.saving.copies[-1][0])
    assert again.saving.seconds > seconds
    assert first.saving.seconds == 0
