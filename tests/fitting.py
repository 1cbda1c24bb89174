"""A small training, for tests of what stands around a model or beside the loop."""

from __future__ import annotations

from functools import partial
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from perceptron.classifier import Classifier
from perceptron.models import Perceptron
from rosenblatt.data.batches import Batches
from rosenblatt.loop.epochs import Measures
from rosenblatt.tasks.binary import Binary

QUIET = [
    # torchmetrics, of a validation split with one class or of NaN
    pytest.mark.filterwarnings("ignore:No (positive|negative) samples (in targets|found in target):UserWarning"),
    # Lightning, where a test does without validation, and where the tests run beside a GPU
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`"),
    pytest.mark.filterwarnings("ignore:GPU available but not used"),
]
NUM_BATCHES = 5


def batches(seed: int, num_batches: int = NUM_BATCHES, scale: float = 1.0) -> Batches:
    """Batches of 8 rows, the last of 3."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(8 * num_batches - 5, 2, generator=generator)
    return Batches(features * scale, (features.sum(dim=1) > 0).long(), batch_size=8)


def perceptron(lr: float = 0.5) -> Classifier:
    """The same start each time."""
    torch.manual_seed(0)
    task = Binary(("no", "yes"), num_rows=35, class_counts=(20, 15))
    return Classifier(Perceptron(2, 1), task, task.loss(), partial(torch.optim.SGD, lr=lr))


def make_trainer(*callbacks: pl.Callback, **kwargs) -> pl.Trainer:
    settings = {"max_epochs": 3, "num_sanity_val_steps": 0, "enable_checkpointing": bool(callbacks)} | kwargs
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return pl.Trainer(accelerator="cpu", callbacks=list(callbacks), **quiet, **settings)


def fit(
    *callbacks: pl.Callback,
    lr: float = 0.5,
    scale: float = 1.0,
    validate: bool = True,
    classifier: Classifier | None = None,
    **kwargs,
) -> pl.Trainer:
    """Train; an error on the way carries the trainer with it."""
    measures = Measures("val/loss" if validate else "train/loss")
    trainer = make_trainer(measures, *callbacks, **kwargs)
    classifier = classifier or perceptron(lr)
    try:
        trainer.fit(classifier, batches(1, scale=scale), batches(2, num_batches=2) if validate else None)
    except BaseException as error:
        error.trainer = trainer
        raise
    return trainer


class Poison(pl.Callback):
    """Makes the model's bias NaN, or another value, before an epoch or the sanity check."""

    def __init__(self, when: int | str, value: float = float("nan")) -> None:
        self.when = when
        self.value = value

    def on_sanity_check_start(self, trainer, pl_module):
        if self.when == "sanity check":
            torch.nn.init.constant_(pl_module.model.linear.bias, self.value)

    def on_train_epoch_start(self, trainer, pl_module):
        if self.when == trainer.current_epoch:
            torch.nn.init.constant_(pl_module.model.linear.bias, self.value)


def assert_same(ours: Any, theirs: Any, where: str = "") -> None:
    """Equal to the bit, in dicts, lists and tensors."""
    if isinstance(ours, torch.Tensor):
        assert torch.equal(ours, theirs), where
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), where
        for key, value in ours.items():
            assert_same(value, theirs[key], f"{where} {key}")
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs), (where, ours, theirs)
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(one, other, f"{where} {number}")
    else:
        assert ours == theirs or (ours != ours and theirs != theirs), (where, ours, theirs)
