"""LightningDataModules: where splits come from, encoded once, and served as batches."""

from __future__ import annotations

import io
from abc import abstractmethod

import lightning.pytorch as pl
from polars import DataFrame
from torch import Tensor

from rosenblatt.data.batches import Batches
from rosenblatt.data.columns import Columns
from rosenblatt.data.encoder import Encoder
from rosenblatt.data.features import DataSpec, Plane, Splits
from rosenblatt.data.points import PointEncoder, frame_of
from rosenblatt.data.recipe import Auto, batch_size_for
from rosenblatt.errors import UserError

EVAL_ROWS = 4096  # rows per batch where nothing is learnt: the fewer batches, the faster


class DataModule(pl.LightningDataModule):
    """Train, validation and test splits in memory, as whole batches.

    To add a source of data, derive from this and write `load` (README, "Add a data set").

    Args:
        batch_size: rows per training batch; ``"auto"``: about a hundredth of the training rows
            (`rosenblatt.data.recipe.batch_size_for`).
        seed: of the order of the training rows, and of any random split.

    Attributes:
        splits: features and target of ``train``, ``val`` and, where there is one, ``test``; after `setup`.
        spec: what a model has to know of them; after `setup`.
        encoder: what has made features of rows, so that a saved model can make them of new ones; after `setup`. Where
            the source has none of its own, dense features are taken for columns ``x1``, ``x2``, ...
        columns: what the columns of its files hold.
        num_repeated: rows of ``val`` and ``test`` that are in ``train`` too, where that was counted.
    """

    spec: DataSpec
    splits: Splits
    encoder: Encoder | None = None
    columns = Columns()

    def __init__(self, batch_size: int | Auto, seed: int) -> None:
        super().__init__()
        if batch_size != "auto" and batch_size < 1:
            raise UserError(f"data.batch_size: expected auto or a whole number of at least 1; got {batch_size}.")
        self.given_batch_size = batch_size
        self.seed = seed
        self.splits = {}
        self.num_repeated: dict[str, int] = {}

    @abstractmethod
    def load(self) -> tuple[DataSpec, Splits]:
        """Read or make the data, and encode it with what the training split alone has taught."""

    def setup(self, stage: str | None = None) -> None:
        """Load once; Lightning calls this before each stage."""
        if not self.splits:
            self.spec, self.splits = self.load()
            if self.encoder is None and not self.spec.bags:
                self.encoder = PointEncoder(self.spec.num_features)

    def last_rows(self) -> bytes | None:
        """Return the rows of the last split as a Parquet file, to evaluate them again; ``None``: they are unknown."""
        features, target = list(self.splits.values())[-1]
        if not isinstance(features, Tensor):
            return None
        return as_parquet(frame_of(features, target, self.spec.classes))

    @property
    def plane(self) -> Plane | None:
        """That of the encoder, or ``None``."""
        return None if self.encoder is None else self.encoder.plane

    @property
    def batch_size(self) -> int:
        """Rows per training batch."""
        return batch_size_for(self.spec.num_rows) if self.given_batch_size == "auto" else self.given_batch_size

    def train_dataloader(self) -> Batches:
        """Training batches, in a new order each epoch."""
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        batches = Batches(
            *self.splits["train"], self.batch_size, shuffle=True, seed=self.seed, rank=rank, world_size=world_size
        )
        batches.epoch = self.trainer.current_epoch if self.trainer else 0
        return batches

    def val_dataloader(self) -> Batches:
        """Validation batches, in order."""
        return self.batches("val")

    def test_dataloader(self) -> Batches:
        """Test batches, in order."""
        return self.batches("test")

    def batches(self, split: str) -> Batches:
        """Return the batches of a split in order, to evaluate it.

        Of several processes each gets all rows: shares made equal by repeating rows would count some of them twice.
        """
        return Batches(*self.splits[split], self.eval_batch_size)

    @property
    def eval_batch_size(self) -> int:
        """Rows per batch where nothing is learnt."""
        return max(self.batch_size, EVAL_ROWS)


def as_parquet(frame: DataFrame) -> bytes:
    """Return a frame as a Parquet file; the lightest compression, which takes less time than the disk would."""
    file = io.BytesIO()
    frame.write_parquet(file, compression="zstd", compression_level=1)
    return file.getvalue()
