"""The figures of a run while it trains: of some epochs, in TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, TypeAlias

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from rosenblatt.data.features import Features
from rosenblatt.show import tensorboard
from rosenblatt.show.figures.kinds import Drawing
from rosenblatt.show.inside import looked_at
from rosenblatt.show.pool import FigurePool, Ordered, told
from rosenblatt.tasks.examination import OneAgainstRest

ITS_OWN = ("roc", "precision_recall")  # what TensorBoard has a tab of curves for, itself
MAX_WAITING = 40  # figures, before training waits for them


class Examined(NamedTuple):
    """What there is to see of a split: drawings, or why there is none, by name, and precision-recall curves."""

    figures: Mapping[str, Drawing | str]
    questions: Sequence[OneAgainstRest] = ()


Examine: TypeAlias = Callable[[Tensor, Tensor, str], Examined]  # outputs and target of all rows, and "epoch 3"


class LiveFigures(pl.Callback):
    """Shows what a model makes of validation after some epochs, in whatever TensorBoard logger the Trainer has.

    Which epochs, their number alone decides; and each checkpoint finds the history of all epochs before it complete. So
    a run that goes on from it has the history of an undisturbed one.

    Args:
        pool: draws.
        epochs: by number, from 1, the metrics of each; somebody else fills it.
        every_n_epochs: the first one and each n-th after it; ``"auto"``: 1, 2, 4, 8, ...
        examine: makes figures of what `pair_of` gave for all validation rows, one batch after the other; ``None``:
            there are learning curves and histograms alone.
        pair_of: outputs (N, num_outputs) and target of a batch, from what ``validation_step`` returns and the batch; or
            ``None``.
        graph: a model and features of a row or more, to draw its layers with.

    Attributes:
        seconds: that all this has kept training waiting.
    """

    def __init__(
        self,
        pool: FigurePool,
        epochs: Mapping[int, Mapping[str, float]],
        every_n_epochs: int | Literal["auto"] = "auto",
        examine: Examine | None = None,
        pair_of: Callable[[Any, Any], tuple[Tensor, Tensor] | None] = lambda returned, batch: None,
        graph: tuple[nn.Module, Features] | None = None,
    ) -> None:
        self.pool = pool
        self.epochs = epochs
        self.every_n_epochs = every_n_epochs
        self.examine = examine
        self.pair_of = pair_of
        self.graph = graph
        self.seconds = 0.0
        self._pairs: list[tuple[Tensor, Tensor]] = []
        self._waiting: list[tuple[SummaryWriter, str, int, Ordered]] = []  # writer, tag and step of each figure

    def is_due(self, epoch: int) -> bool:
        """Return whether an epoch, from 1, is shown."""
        if self.every_n_epochs == "auto":
            return epoch & (epoch - 1) == 0
        return (epoch - 1) % self.every_n_epochs == 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the model itself."""
        if self.graph is None or trainer.global_step > 0:
            return
        model, features = self.graph
        for writer in tensorboard.writers_of(trainer):
            with self._shown("model graph"), looked_at(pl_module):
                tensorboard.log_graph(writer, model, pl_module.transfer_batch_to_device(features, pl_module.device, 0))

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        """Keep the outputs of a batch, in an epoch that is shown."""
        if self.examine is not None and not trainer.sanity_checking and self.is_due(trainer.current_epoch + 1):
            found = self.pair_of(outputs, batch)
            if found is not None:
                self._pairs.append((found[0].detach(), found[1]))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show what the model makes of validation."""
        pairs, self._pairs = self._pairs, []
        writers = tensorboard.writers_of(trainer)
        if self.examine is None or not pairs or not writers or trainer.state.fn != "fit":
            return
        with self._shown("figures"):
            step = trainer.global_step - 1  # where Lightning puts the scalars of the epoch
            outputs, target = (torch.cat(parts).cpu() for parts in zip(*pairs, strict=True))
            found = self.examine(outputs.float(), target, f"epoch {trainer.current_epoch + 1}")
            for writer in writers:
                tensorboard.log_pr_curves(writer, "val", found.questions, step)
            for name, one in found.figures.items():
                if name not in ITS_OWN and not isinstance(one, str):
                    ordered = self.pool.order(one)
                    self._waiting += [(writer, f"val/{name}", step, ordered) for writer in writers]
            self._deliver(MAX_WAITING)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show weights and gradients; and charts, once the training metrics of an epoch are known."""
        epoch, step = trainer.current_epoch + 1, trainer.global_step - 1
        for writer in tensorboard.writers_of(trainer):
            with self._shown("histograms"):
                if self.is_due(epoch):
                    tensorboard.log_histograms(writer, pl_module, step)
                if epoch == 2:
                    tensorboard.log_layout(writer, self.epochs[1])

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Wait for figures."""
        with self._shown("figures"):
            self._deliver()

    def _deliver(self, at_most: int = 0) -> None:
        """Log figures in their order, waiting for them until no more than some are left."""
        while len(self._waiting) > at_most:
            writer, tag, step, ordered = self._waiting.pop(0)
            drawn = self.pool.result(ordered)
            if not isinstance(drawn, str):
                tensorboard.log_figure(writer, tag, drawn, step)

    @contextmanager
    def _shown(self, what: str) -> Iterator[None]:
        start = time.perf_counter()
        with told(what):
            yield
        self.seconds += time.perf_counter() - start

    def state_dict(self) -> dict[str, Any]:
        """Return nothing, once all figures so far are in TensorBoard's history.

        Lightning asks each callback for its state before the checkpoint's own, which notes how long that history is.
        """
        writers = {writer for writer, *_ in self._waiting}
        with self._shown("figures"):
            self._deliver()
            for writer in writers:
                writer.flush()
        return {}
