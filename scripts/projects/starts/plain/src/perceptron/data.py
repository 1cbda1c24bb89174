"""The data: a LightningDataModule with DataLoaders."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, TensorDataset


class Rings(pl.LightningDataModule):
    """Points on two rings around the origin; put your own data in their place.

    A batch is a pair of features and target. Any LightningDataModule will do, with whichever batches the module takes.
    """

    def __init__(self, num_points: int = 2000, noise: float = 0.1, batch_size: int = 50, seed: int = 0) -> None:
        super().__init__()
        self.num_points, self.noise, self.batch_size, self.seed = num_points, noise, batch_size, seed

    def setup(self, stage: str) -> None:
        """Read or make the splits; Lightning calls this before each stage."""
        generator = torch.Generator().manual_seed(self.seed)
        self.splits = {}
        for split in ("train", "val", "test"):
            target = torch.arange(self.num_points) % 2
            angle = 6.2832 * torch.rand(self.num_points, generator=generator)
            radius = 1.0 + target + self.noise * torch.randn(self.num_points, generator=generator)
            features = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)  # (num_points, 2)
            self.splits[split] = TensorDataset(features, target)

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches to learn from, in a new order each epoch."""
        return DataLoader(self.splits["train"], self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """Batches to choose the epoch on."""
        return DataLoader(self.splits["val"], self.batch_size)

    def test_dataloader(self) -> DataLoader[Any]:
        """Batches to report, once."""
        return DataLoader(self.splits["test"], self.batch_size)
