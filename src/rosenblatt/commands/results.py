"""What a trained model reaches: splits measured on one device, from predictions where there is a task."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor, nn

from rosenblatt.data.contract import pair_of
from rosenblatt.errors import UserError
from rosenblatt.tasks.epoch import EpochMetrics
from rosenblatt.tasks.measured import MAX_KEPT, Measured
from rosenblatt.tasks.task import Task

log = logging.getLogger(__name__)


class Evaluator:
    """Measures a module on splits; the Trainer sees to the device, eval mode and no gradients.

    On one device, however many have trained: shares of rows made equal by repeating some would count these twice.

    Args:
        module: with the weights to measure.
        accelerator: of the Trainer.
        precision: of the Trainer.
    """

    def __init__(self, module: pl.LightningModule, accelerator: str = "auto", precision: Any = "32-true") -> None:
        self.module = module
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()  # the others have ended, and nobody is to wait for them
        quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        try:
            self.trainer = pl.Trainer(
                accelerator=accelerator, devices=1, precision=precision, enable_checkpointing=False, **quiet
            )
        except ImportError as error:  # such as torch_xla, for a TPU
            raise UserError(f"accelerator={accelerator}: {str(error).splitlines()[0]}. Try auto.") from None

    def outputs(self, loader: Any, collect: Collect) -> None:
        """Hand what ``predict_step`` makes of each batch to a callback."""
        self.trainer.callbacks = [collect]  # type: ignore[attr-defined]
        self.trainer.predict(self.module, dataloaders=loader, return_predictions=False)

    def measured(
        self, loader: Any, task: Task, loss: nn.Module, ranking: bool, per_class: bool = False, keep_all: bool = False
    ) -> Measured:
        """Return what the module's predictions of a split reach.

        Args:
            loader: batches of features and target.
            task: what the outputs mean.
            loss: takes outputs and target.
            ranking: also metrics that sort all rows, however many classes there are.
            per_class: also those of every class by itself.
            keep_all: keep outputs however many there are.
        """
        metrics = EpochMetrics(task, ranking=ranking or task.ranks_cheaply, per_class=per_class)
        collect = Measure(task, loss, metrics, math.inf if keep_all else MAX_KEPT)
        self.outputs(loader, collect)
        values, classes = metrics.to("cpu").compute()
        return Measured(values, classes, *collect.kept())

    def logged(self, loader: Any, split: str) -> dict[str, float]:
        """Return what the module's own steps log of a split: ``validation_step`` or ``test_step``.

        Args:
            loader: of the split.
            split: ``val`` or ``test``.
        """
        step, run = {"val": ("validation_step", self.trainer.validate), "test": ("test_step", self.trainer.test)}[split]
        if not is_overridden(step, self.module, pl.LightningModule):
            return {}
        self.trainer.callbacks = []  # type: ignore[attr-defined]
        found = run(self.module, dataloaders=loader, verbose=False)
        return {name: float(value) for one in found for name, value in one.items()}


class Collect(pl.Callback):
    """Gets the outputs of each batch, and the batch."""

    def on_predict_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Take them."""
        self.take(outputs, batch)

    def take(self, outputs: Any, batch: Any) -> None:
        """Take the outputs of a batch."""
        raise NotImplementedError


class Measure(Collect):
    """Counts batches for metrics, and keeps outputs and targets.

    Args:
        task: what the outputs mean.
        loss: takes outputs and target.
        metrics: that count them.
        most: numbers of outputs that are kept.
    """

    def __init__(self, task: Task, loss: nn.Module, metrics: EpochMetrics, most: float) -> None:
        self.task, self.loss, self.metrics, self.most = task, loss, metrics, most
        self._outputs: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._num = 0

    def take(self, outputs: Any, batch: Any) -> None:
        """Count a batch."""
        pair = pair_of(batch)
        if pair is None or not isinstance(outputs, Tensor):
            raise UserError(
                "module: to evaluate by a task, predict_step has to return a tensor of outputs, and a batch to be "
                "(features, target). Without task= the module's own test_step is taken."
            )
        target = pair[1]
        if not self._targets:
            self.task.check(outputs, target)
            self.metrics.to(outputs.device)
        self.metrics.update(outputs, target, self.loss(outputs, target))
        self._targets.append(target.cpu())
        self._num += outputs.numel()
        if self._num <= self.most:
            self._outputs.append(outputs.detach().cpu())
        else:
            self._outputs = []

    def kept(self) -> tuple[Tensor, Tensor]:
        """Return outputs, of no row where they were too many, and targets."""
        target = torch.cat(self._targets)
        return (torch.cat(self._outputs) if self._outputs else torch.empty(0)).float(), target


def history_figures(curves: Mapping[int, Mapping[str, float]], epoch: int, known: Sequence[str]) -> dict[str, float]:
    """Return what was logged of training in an epoch, for splits that are not measured again.

    Args:
        curves: by epoch, from 1, its metrics.
        epoch: that the weights are of.
        known: names of figures that there are already.
    """
    return {
        name: value for name, value in curves.get(epoch, {}).items() if name not in known and name.startswith("train")
    }
