"""Toy data: points in the plane around given centres, one Gaussian each (the book, chapter 3, example 3.10 on)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rosenblatt.data.batches import Batches
from rosenblatt.data.features import Features, Splits
from rosenblatt.data.module import DataModule
from rosenblatt.errors import UserError
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.tasks.task import Task


class ToyData(DataModule):
    """Points around centres, as many around each.

    Args:
        centers: (num_clusters, num_features): the centre of each cluster.
        labels: the class of each cluster, numbers from 0 on.
        spread: standard deviation of a cluster in every direction.
        num_train: points to train on; with ``fresh``, points an epoch.
        num_val: points to choose on.
        num_test: points to report.
        fresh: new training points each epoch, as the book draws them, in place of one fixed set.
        batch_size: points per training batch.
        seed: of the points and their order.

    Raises:
        UserError: settings that make no data set of two classes.
    """

    def __init__(
        self,
        centers: Sequence[Sequence[float]],
        labels: Sequence[int],
        spread: float = 1.0,
        num_train: int = 10_000,
        num_val: int = 2_000,
        num_test: int = 10_000,
        fresh: bool = False,
        batch_size: int = 100,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, seed)
        if len(centers) != len(labels) or len({len(center) for center in centers}) > 1:
            raise UserError(
                f"data.centers, data.labels: expected one label a centre, and centres of one length; got "
                f"{list(map(list, centers))} and {list(labels)}."
            )
        if sorted(set(labels)) != list(range(len(set(labels)))) or len(set(labels)) < 2:
            raise UserError(f"data.labels: expected at least two classes, numbered 0, 1, ...; got {list(labels)}.")
        for name, value in (("num_train", num_train), ("num_val", num_val), ("num_test", num_test)):
            if value < len(centers):
                raise UserError(f"data.{name}: expected a point for each of the {len(centers)} centres; got {value}.")
        if spread < 0:
            raise UserError(f"data.spread: expected a number of at least 0; got {spread}.")
        self.centers = torch.tensor(centers, dtype=torch.float32)
        self.labels = torch.tensor(labels, dtype=torch.int64)
        self.spread = spread
        self.num_points = {"train": num_train, "val": num_val, "test": num_test}
        self.fresh = fresh

    def load(self) -> tuple[Task, Splits]:
        """Draw the three splits, each from a generator of its own."""
        splits = {split: self.draw(size, number) for number, (split, size) in enumerate(self.num_points.items())}
        num_classes = int(self.labels.max()) + 1
        task = Binary() if num_classes == 2 else Multiclass(tuple(map(str, range(num_classes))))
        return task.counted(splits["train"][1]), splits

    def draw(self, num_points: int, number: int) -> tuple[Features, Tensor]:
        """Return points (num_points, num_features) and their classes (num_points,), in random order.

        Args:
            num_points: how many.
            number: of the draw: another number, other points.
        """
        seeds = np.random.SeedSequence([self.seed, number])
        generator = torch.Generator().manual_seed(int(seeds.generate_state(1)[0]))
        cluster = torch.arange(num_points) % len(self.labels)
        cluster = cluster[torch.randperm(num_points, generator=generator)]
        noise = torch.randn(num_points, self.centers.shape[1], generator=generator)
        return self.centers[cluster] + self.spread * noise, self.labels[cluster]

    def train_dataloader(self) -> Batches:
        """Training batches; with ``fresh``, of points that are drawn for each epoch."""
        batches = super().train_dataloader()
        if self.fresh:
            # Numbers 0 to 2 are the splits themselves.
            batches.draw = lambda epoch: self.draw(self.num_points["train"], epoch + 3)
        return batches
