"""The one LightningModule: the book's training loop, with the Trainer around it.

The five steps of the book's loop (examples 3.11 and 3.21) are zero_grad, forward, loss, backward and step. Lightning
does the first and the last two around `Classifier.training_step`, which is steps two and three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from rosenblatt.data.features import Batch, DataSpec
from rosenblatt.tasks.losses import ClassificationLoss
from rosenblatt.tasks.metrics import MAX_RANKED, EpochMetrics, Result


class Classifier(pl.LightningModule):
    """A model, its loss, its optimizer and the metrics of each split.

    Logs ``train/...`` and ``val/...`` once an epoch: the loss, accuracy and the others of
    `rosenblatt.tasks.metrics.make_metrics`, as means over all rows, the last partial batch included.

    Args:
        model: maps features of N rows to logits (N, num_outputs).
        spec: task and classes.
        loss: takes logits and target.
        optimizer: makes the optimizer from the parameters, such as ``functools.partial(torch.optim.Adam, lr=0.1)``.
        scheduler: makes the learning rate schedule from the optimizer; stepped once an epoch, and given ``monitor``
            where it is `torch.optim.lr_scheduler.ReduceLROnPlateau`.
        monitor: the metric that the plateau schedule watches.
        threshold: probability above which a binary class or a label counts as predicted (the book, page 62: 0.5), one
            or one a label; what evaluations use may be set anew once training has ended.

    Attributes:
        temperature: that evaluations divide logits by; 1 unless it is set once training has ended.
        test_result: of the last evaluation.
        test_logits: (N, num_outputs) of the last evaluation, where it was to keep them.
    """

    def __init__(
        self,
        model: nn.Module,
        spec: DataSpec,
        loss: ClassificationLoss,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        monitor: str = "val/loss",
        threshold: float | Sequence[float] = 0.5,
    ) -> None:
        super().__init__()
        self.model = model
        self.spec = spec
        self.loss = loss
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler
        self.monitor = monitor
        # The ranking metrics keep every row; in training, where the model changes with each step, they say little.
        self.train_metrics = EpochMetrics(spec, threshold, ranking=False)
        # With hundreds of classes they take longer than the epoch, and wait for the evaluation at the end.
        self.val_metrics = EpochMetrics(spec, threshold, ranking=len(spec.classes) <= MAX_RANKED)
        self.threshold = threshold
        self.temperature = 1.0
        self._restored: dict[str, Any] | None = None
        self.start_test()
        self.test_result = Result({}, {})
        self.test_logits = torch.empty(0)

    def forward(self, features: Any) -> Tensor:
        """Return logits (N, num_outputs)."""
        logits: Tensor = self.model(features)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Steps two and three of the book's loop: forward and loss. The Trainer does the other three."""
        features, target = batch
        logits = self.model(features)
        loss: Tensor = self.loss(logits, target)
        self.train_metrics.update(logits, target, loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Count a validation batch and return its logits; the Trainer has seen to eval mode and no gradients."""
        features, target = batch
        logits: Tensor = self.model(features)
        self.val_metrics.update(logits, target, self.loss(logits, target))
        return logits

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Count a batch of whichever split is evaluated."""
        features, target = batch
        logits: Tensor = self.model(features)
        if self.temperature != 1:
            logits = logits / self.temperature
        self.test_metrics.update(logits, target, self.loss(logits, target))
        if self._keep_logits:
            self._kept_logits.append(logits)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return logits (N, num_outputs)."""
        logits: Tensor = self.model(batch[0])
        return logits

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what was counted of an epoch that has not ended."""
        if "optimizer_states" in checkpoint:  # not of weights alone
            checkpoint["train_metrics"] = self.train_metrics.progress()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it back, once training starts."""
        self._restored = checkpoint.get("train_metrics")

    def on_train_start(self) -> None:
        """Go on counting the epoch that a checkpoint was saved in."""
        if self._restored is not None:
            self.train_metrics.restore_progress(self._restored)
            self._restored = None

    def on_train_epoch_end(self) -> None:
        """Compute and log the training metrics, once an epoch."""
        self._log("train", self.train_metrics)

    def on_validation_epoch_end(self) -> None:
        """Compute and log the validation metrics, once an epoch."""
        self._log("val", self.val_metrics)

    def _log(self, split: str, metrics: EpochMetrics) -> None:
        values = {f"{split}/{name}": value for name, value in metrics.compute().values.items()}
        self.log_dict(values, sync_dist=self.trainer.world_size > 1)

    def on_fit_start(self) -> None:
        """Forget what an earlier pass that was cut off had counted."""
        self.train_metrics.reset()
        self.val_metrics.reset()

    def start_test(self, ranking: bool = True, keep_logits: bool = False) -> None:
        """Make ready for the evaluation of a split.

        Args:
            ranking: also AUROC and average precision, however many classes there are.
            keep_logits: leave them in ``test_logits``.
        """
        self._keep_logits = keep_logits
        self._kept_logits: list[Tensor] = []
        ranking = ranking or len(self.spec.classes) <= MAX_RANKED
        self.test_metrics = EpochMetrics(self.spec, self.threshold, ranking, per_class=True)

    def on_test_epoch_start(self) -> None:
        """Start the evaluation from zero rows."""
        self.test_metrics.reset()

    def on_test_epoch_end(self) -> None:
        """Keep the result for whoever asked for it; nothing is logged, since any split may be evaluated."""
        self.test_result = self.test_metrics.compute()
        self.test_logits = torch.cat(self._kept_logits).cpu() if self._kept_logits else torch.empty(0)
        self._kept_logits = []

    def configure_optimizers(self) -> Any:
        """Make the optimizer, and the schedule where there is one."""
        optimizer = self.make_optimizer(self.model.parameters())
        if self.make_scheduler is None:
            return optimizer
        scheduler = self.make_scheduler(optimizer)
        config: dict[str, Any] = {"scheduler": scheduler, "interval": "epoch"}
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            # Not strict: an epoch without validation leaves the rate as it is.
            config |= {"monitor": self.monitor, "strict": False}
        return {"optimizer": optimizer, "lr_scheduler": config}
