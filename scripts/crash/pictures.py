"""A small project of plain Lightning code, which knows nothing of Rosenblatt: what `scripts/crash_test.py` trains.

Pictures of crosses and circles, shifted and blurred anew at each look, by workers; a convolutional network; a callback
that remembers.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class Shapes(Dataset[tuple[Tensor, Tensor]]):
    """Pictures (1, 12, 12) of one of three shapes, at a place and with a noise that are drawn at each look."""

    def __init__(self, num_pictures: int, seed: int, fixed: bool) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.shapes = torch.randint(0, 3, (num_pictures,), generator=generator)
        self.noise = 0.6 * torch.randn(num_pictures, 1, 12, 12, generator=generator)
        self.fixed = fixed

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        picture, shape = self.noise[index].clone(), self.shapes[index]
        row, column = (3, 3) if self.fixed else (random.randrange(1, 6), int(np.random.randint(1, 6)))
        window = picture[0, row : row + 6, column : column + 6]
        if shape == 0:
            window += torch.eye(6)
        elif shape == 1:
            window[2:4] += 1.0
        else:
            window[:, 2:4] += 1.0
        return (picture if self.fixed else picture + 0.2 * torch.randn_like(picture)), shape


class Pictures(pl.LightningDataModule):
    """Training pictures are shuffled, and made by workers."""

    def __init__(self, batch_size: int = 32, num_workers: int = 2) -> None:
        super().__init__()
        self.batch_size, self.num_workers = batch_size, num_workers

    def setup(self, stage: str) -> None:
        """Draw the noise of all splits."""
        sizes = {"train": 600, "val": 200, "test": 200}
        self.splits = {
            name: Shapes(size, seed, fixed=name != "train") for seed, (name, size) in enumerate(sizes.items())
        }

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffle, with workers."""
        return DataLoader(self.splits["train"], self.batch_size, shuffle=True, num_workers=self.num_workers)

    def val_dataloader(self) -> DataLoader[Any]:
        """Go through the rows as they are."""
        return DataLoader(self.splits["val"], self.batch_size)

    def test_dataloader(self) -> DataLoader[Any]:
        """Go through the rows as they are."""
        return DataLoader(self.splits["test"], self.batch_size)


class Conv(nn.Module):
    """From pictures (N, 1, 12, 12) to logits (N, 3)."""

    def __init__(self, channels: int = 8, dropout: float = 0.2) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, channels, 5, padding=2),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.MaxPool2d(3),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(channels * 16, 3),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Return logits (N, 3)."""
        logits: Tensor = self.layers(pictures)
        return logits


class Diary(pl.Callback):
    """Adds up what it has seen, and a number that it draws, in a file."""

    def __init__(self, path: str) -> None:
        self.path, self.seen = Path(path), {"epochs": 0, "rows": 0, "drawn": 0.0}

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any) -> None:
        """Count rows."""
        self.seen["rows"] += len(batch[1][0])

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw a number."""
        self.seen["drawn"] += random.random()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write."""
        self.seen["epochs"] += 1
        self.path.write_text(json.dumps(self.seen))

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return dict(self.seen)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it back."""
        self.seen = dict(state_dict)
