"""The LightningModule of the project: the book's training loop, with the Trainer around it.

The five steps of the book's loop (examples 3.11 and 3.21) are zero_grad, forward, loss, backward and step. Lightning
does the first and the last two around `Classifier.training_step`, which is steps two and three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import lightning.pytorch as pl
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from rosenblatt.data.features import Features
from rosenblatt.tasks.epoch import EpochMetrics
from rosenblatt.tasks.task import Task


class Classifier(pl.LightningModule):
    """A model, its loss, its optimizer and its metrics; the task says what its outputs mean, numbers too.

    Logs ``train/...`` and ``val/...`` once an epoch: loss and metrics, as means over all rows, the last partial batch
    included.

    Args:
        model: maps features of N rows to outputs (N, num_outputs).
        task: what there is to predict.
        loss: takes outputs and target.
        optimizer: makes the optimizer from the parameters, such as ``functools.partial(torch.optim.Adam, lr=0.1)``.
        scheduler: makes the learning rate schedule from the optimizer; stepped once an epoch.
        monitor: the metric that a plateau schedule watches; ``val/score`` is logged where it is asked for.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        loss: nn.Module,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        monitor: str = "val/loss",
    ) -> None:
        super().__init__()
        self.model, self.loss = model, loss
        self.make_optimizer, self.make_scheduler, self.monitor = optimizer, scheduler, monitor
        # What ranks rows keeps every one; in training, where the model changes with each step, it says little.
        self.train_metrics = EpochMetrics(task, "train", ranking=False)
        self.val_metrics = EpochMetrics(task, "val", ranking=task.ranks_cheaply, score=monitor == "val/score")

    def forward(self, features: Features) -> Tensor:
        """Return outputs (N, num_outputs)."""
        outputs: Tensor = self.model(features)
        return outputs

    def training_step(self, batch: tuple[Features, Tensor], batch_idx: int) -> Tensor:
        """Steps two and three of the book's loop: forward and loss. The Trainer does the other three."""
        features, target = batch
        outputs = self.model(features)
        if outputs.ndim == 3:  # (N, members, num_outputs) of an ensemble, each of which learns for itself
            target = target.repeat_interleave(outputs.shape[1], dim=0)
            outputs = outputs.flatten(0, 1)
        loss: Tensor = self.loss(outputs, target)
        self.train_metrics.update(outputs, target, loss)
        return loss

    def validation_step(self, batch: tuple[Features, Tensor], batch_idx: int) -> Tensor:
        """Count a validation batch, and return its outputs; the Trainer has seen to eval mode and no gradients."""
        features, target = batch
        outputs: Tensor = self.model(features)
        self.val_metrics.update(outputs, target, self.loss(outputs, target))
        return outputs

    def predict_step(self, batch: tuple[Features, Tensor], batch_idx: int) -> Tensor:
        """Return outputs (N, num_outputs), which the task makes predictions and figures of."""
        outputs: Tensor = self.model(batch[0])
        return outputs

    def on_fit_start(self) -> None:
        """Forget what an earlier pass that was cut off had counted."""
        self.train_metrics.reset()
        self.val_metrics.reset()

    def on_train_epoch_end(self) -> None:
        """Log the training metrics."""
        self.log_dict(self.train_metrics.values(), sync_dist=self.trainer.world_size > 1)

    def on_validation_epoch_end(self) -> None:
        """Log the validation metrics."""
        self.log_dict(self.val_metrics.values(), sync_dist=self.trainer.world_size > 1)

    def configure_optimizers(self) -> Any:
        """Make the optimizer, and the schedule where there is one."""
        optimizer = self.make_optimizer(self.model.parameters())
        if self.make_scheduler is None:
            return optimizer
        scheduler = self.make_scheduler(optimizer)
        if not isinstance(scheduler, ReduceLROnPlateau):
            return [optimizer], [scheduler]
        # Not strict: an epoch without validation leaves the rate as it is.
        plateau = {"scheduler": scheduler, "monitor": self.monitor, "strict": False}
        return {"optimizer": optimizer, "lr_scheduler": plateau}
