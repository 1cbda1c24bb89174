"""The loop of a usual Lightning template on points in the plane; prints steps a second as a line of JSON.

    python scripts/peers/template_loop.py train.npy val.npy --epochs 30

The files: (N, 3) numbers: x, y, and the class, 0 or 1. As such templates have it: metric objects of torchmetrics that
are updated and logged with each batch, a rich progress bar, checkpoints of the best and the last epoch, early stopping
(with a patience that never ends it here), TensorBoard, a DataLoader that shuffles. Logs go to a folder in the current
one, and are removed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import MaxMetric, MeanMetric
from torchmetrics.classification import BinaryAccuracy


class PerceptronModule(pl.LightningModule):
    """A perceptron with its loss, its metrics and its optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 1)
        self.criterion = nn.BCEWithLogitsLoss()
        self.train_acc, self.val_acc = BinaryAccuracy(), BinaryAccuracy()
        self.train_loss, self.val_loss = MeanMetric(), MeanMetric()
        self.val_acc_best = MaxMetric()

    def forward(self, points: Tensor) -> Tensor:
        """Return logits (N,) of points (N, 2)."""
        logits: Tensor = self.net(points)[:, 0]
        return logits

    def model_step(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return loss, probabilities (N,) and target (N,) of a batch."""
        points, target = batch
        logits = self(points)
        return self.criterion(logits, target), torch.sigmoid(logits), target.int()

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch, and log the metrics."""
        loss, probs, target = self.model_step(batch)
        self.train_loss(loss)
        self.train_acc(probs, target)
        self.log("train/loss", self.train_loss, on_step=False, on_epoch=True, prog_bar=True)
        self.log("train/acc", self.train_acc, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the metrics of a batch."""
        loss, probs, target = self.model_step(batch)
        self.val_loss(loss)
        self.val_acc(probs, target)
        self.log("val/loss", self.val_loss, on_step=False, on_epoch=True, prog_bar=True)
        self.log("val/acc", self.val_acc, on_step=False, on_epoch=True, prog_bar=True)

    def on_validation_epoch_end(self) -> None:
        """Log the best accuracy so far."""
        self.val_acc_best(self.val_acc.compute())
        self.log("val/acc_best", self.val_acc_best.compute(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.parameters())


def points_of(path: str, batch_size: int, shuffle: bool) -> DataLoader[tuple[Tensor, ...]]:
    """Return batches of points (batch_size, 2) and classes (batch_size,)."""
    table = torch.from_numpy(np.load(path)).float()
    data = TensorDataset(table[:, :2], table[:, 2])
    return DataLoader(data, batch_size=batch_size, shuffle=shuffle, num_workers=0)


def main() -> None:
    """Train, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("val")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=100)
    arguments = parser.parse_args()
    pl.seed_everything(0)
    train = points_of(arguments.train, arguments.batch_size, shuffle=True)
    val = points_of(arguments.val, arguments.batch_size, shuffle=False)
    module = PerceptronModule()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        callbacks: list[pl.Callback] = [
            ModelCheckpoint(folder, monitor="val/acc", mode="max", save_last=True),
            EarlyStopping("val/acc", mode="max", patience=arguments.epochs + 1),
            RichProgressBar(),
        ]
        logger = TensorBoardLogger(folder)
        trainer = pl.Trainer(max_epochs=arguments.epochs, callbacks=callbacks, logger=logger, accelerator="cpu")
        start = time.perf_counter()
        trainer.fit(module, train, val)
        seconds = time.perf_counter() - start
    accuracy = float(trainer.callback_metrics["val/acc"])
    result = {"accuracy": accuracy, "steps": trainer.global_step, "epochs": arguments.epochs}
    print("\n" + json.dumps(result | {"seconds_training": seconds}))


if __name__ == "__main__":
    main()
