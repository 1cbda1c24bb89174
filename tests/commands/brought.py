"""More code that somebody brings: modules that predict in odd ways, data that say when they are others."""

from __future__ import annotations

import lightning.pytorch as pl
from torch.utils.data import DataLoader, TensorDataset

from foreign import Line, Squeeze


class Several(Squeeze):
    """It predicts two things a row, by name: three numbers, and a picture."""

    def predict_step(self, batch, batch_idx):
        rows = batch[0].flatten(1)
        return {"first": self.down(rows)[:, 0], "numbers": (self.down(rows)[:, :2],), "picture": batch[0].squeeze(1)}


class Mute(Squeeze):
    """It has neither ``predict_step`` nor ``forward``."""

    predict_step = pl.LightningModule.predict_step


class Called(Mute):
    """Its forward takes pictures, and not a batch."""

    def forward(self, pictures):
        return self.down(pictures.flatten(1))


class Numbered(Line):
    """It says what its data are, and hands out rows."""

    shift = 0.0

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def setup(self, stage: str) -> None:
        super().setup(stage)
        x, y = self.parts[2].tensors
        self.parts[2] = TensorDataset(x, y + self.shift)

    def digest(self):
        return {"test": {"rows": 150, "digest": f"{float(self.parts[2].tensors[1].sum()):.3f}"}}

    def test_dataloader(self):
        return DataLoader(self.parts[2], 40)
