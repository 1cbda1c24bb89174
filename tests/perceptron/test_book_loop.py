"""The book's loop is what runs: plain torch, on the same start weights and batches, gives the same parameters.

The reference is written from the book's examples 3.11 and 3.21: zero_grad, forward, loss, backward, step, with a
running mean of the loss and of the accuracy.
"""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from perceptron.classifier import Classifier
from perceptron.models import MLP, Perceptron
from perceptron.toy import ToyData

OPTIMIZERS = {"adam": (torch.optim.Adam, 0.01), "sgd": (torch.optim.SGD, 0.1), "adagrad": (torch.optim.Adagrad, 0.1)}
MODELS: dict[str, Any] = {"perceptron": Perceptron, "mlp": partial(MLP, hidden=[8])}
EPOCHS = 3


class KeepMetrics(pl.Callback):
    """Keep what was logged in each epoch."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._keep(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._keep(trainer)

    def _keep(self, trainer: pl.Trainer) -> None:
        if "train/loss" in trainer.callback_metrics:
            self.epochs.append({name: float(value) for name, value in trainer.callback_metrics.items()})


def toy() -> ToyData:
    # 500 rows in batches of 100: the book's means over batches are means over rows only where batches are equal.
    data = ToyData([[3, 3], [3, -2]], [0, 1], num_train=500, num_val=200, num_test=100, batch_size=100)
    data.setup()
    return data


def book_loop(model: nn.Module, data: ToyData, optimizer: Optimizer) -> list[dict[str, float]]:
    """Train as the book does and return the running means of each epoch."""
    bce_loss = nn.BCEWithLogitsLoss()
    history = []
    batches = data.train_dataloader()

    def accuracy(logits: torch.Tensor, target: torch.Tensor) -> float:
        return ((torch.sigmoid(logits) > 0.5).long() == target).float().mean().item()

    for _ in range(EPOCHS):
        running_loss = running_acc = 0.0
        model.train()
        for index, (features, target) in enumerate(batches):
            optimizer.zero_grad()  # step 1
            logits = model(features).squeeze(1)  # step 2
            loss = bce_loss(logits, target.float())  # step 3
            loss.backward()  # step 4
            optimizer.step()  # step 5
            running_loss += (loss.item() - running_loss) / (index + 1)
            running_acc += (accuracy(logits, target) - running_acc) / (index + 1)
        epoch = {"train/loss": running_loss, "train/acc": running_acc}
        model.eval()
        features, target = data.splits["val"]
        with torch.no_grad():
            logits = model(features).squeeze(1)
            epoch |= {"val/loss": bce_loss(logits, target.float()).item(), "val/acc": accuracy(logits, target)}
        history.append(epoch)
    return history


@pytest.mark.parametrize("model_name", MODELS)
@pytest.mark.parametrize("optimizer_name", OPTIMIZERS)
def test_the_trainer_takes_the_steps_of_the_books_loop(optimizer_name: str, model_name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    make, lr = OPTIMIZERS[optimizer_name]
    data = toy()
    ours = MODELS[model_name](2, 1)
    books = copy.deepcopy(ours)
    expected = book_loop(books, toy(), make(books.parameters(), lr=lr))

    keep = KeepMetrics()
    fused = {} if optimizer_name == "adagrad" else {"fused": True}
    classifier = Classifier(ours, data.task, data.task.loss(), partial(make, lr=lr, **fused))
    fit(classifier, data, tmp_path, keep)

    for ours_one, books_one in zip(ours.parameters(), books.parameters(), strict=True):
        torch.testing.assert_close(ours_one, books_one, rtol=0, atol=1e-6)
    assert len(keep.epochs) == EPOCHS
    for got, wanted in zip(keep.epochs, expected, strict=True):
        for name, value in wanted.items():
            assert got[name] == pytest.approx(value, abs=1e-6), name


def test_validation_leaves_parameters_and_optimizer_alone_and_switches_dropout_off(tmp_path: Path) -> None:
    class Watch(pl.Callback):
        looked = 0

        def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            self.parameters = copy.deepcopy(pl_module.state_dict())
            self.optimizer = copy.deepcopy(trainer.optimizers[0].state_dict())

        def on_validation_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
            assert not any(module.training for module in pl_module.model.modules())
            assert not torch.is_grad_enabled()

        def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            self.looked += 1
            torch.testing.assert_close(pl_module.state_dict(), self.parameters, rtol=0, atol=0)
            state = trainer.optimizers[0].state_dict()["state"]
            torch.testing.assert_close(state, self.optimizer["state"], rtol=0, atol=0)

        def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
            assert all(module.training for module in pl_module.model.modules())

    data, watch = toy(), Watch()
    model = MLP(2, 1, hidden=[8], dropout=0.5)
    classifier = Classifier(model, data.task, data.task.loss(), partial(torch.optim.Adam, lr=0.01))
    fit(classifier, data, tmp_path, watch)
    assert watch.looked == EPOCHS


def fit(classifier: Classifier, data: ToyData, folder: Path, callback: pl.Callback) -> None:
    trainer = pl.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    trainer.fit(classifier, datamodule=data)
