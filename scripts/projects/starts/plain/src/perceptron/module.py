"""The model, and the LightningModule that trains it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import lightning.pytorch as pl
from torch import Tensor, nn
from torch.optim import Optimizer


class Network(nn.Module):
    """From features (N, num_features) to outputs (N, num_outputs); put your own network in its place."""

    def __init__(self, num_features: int, num_outputs: int, hidden: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(num_features, hidden), nn.ReLU(), nn.Linear(hidden, num_outputs))

    def forward(self, features: Tensor) -> Tensor:
        """Map features to outputs."""
        outputs: Tensor = self.layers(features)
        return outputs


class Module(pl.LightningModule):
    """Trains a model; what its constructor names of model, task, loss, optimizer and scheduler it is given.

    Since it takes the task, and ``predict_step`` returns outputs, a run has every figure that belongs to the task.
    """

    def __init__(
        self, model: nn.Module, task: Any, loss: nn.Module, optimizer: Callable[[Iterable[nn.Parameter]], Optimizer]
    ) -> None:
        super().__init__()
        self.model, self.loss, self.make_optimizer = model, loss, optimizer

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        features, target = batch
        loss: Tensor = self.loss(self.model(features), target)
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(target))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss, by which the best epoch is chosen; anything else can be logged besides."""
        features, target = batch
        self.log("val/loss", self.loss(self.model(features), target), batch_size=len(target))

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return outputs (N, num_outputs)."""
        outputs: Tensor = self.model(batch[0])
        return outputs

    def configure_optimizers(self) -> Optimizer:
        """Make the optimizer that was chosen."""
        return self.make_optimizer(self.parameters())
