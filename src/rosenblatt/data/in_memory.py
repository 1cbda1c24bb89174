"""Splits in memory, encoded once, and served as whole batches; no Lightning, whose import takes a second and more."""

from __future__ import annotations

import io
import zlib
from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor

from rosenblatt.data.batches import Batches
from rosenblatt.data.columns import Columns
from rosenblatt.data.encoder import Encoder, PointEncoder
from rosenblatt.data.features import Bags, Splits, tensors_of
from rosenblatt.data.recipe import Auto, batch_size_for
from rosenblatt.errors import UserError
from rosenblatt.tasks.task import Task

EVAL_ROWS = 4096  # rows per batch where nothing is learnt: the fewer batches, the faster


class InMemory:
    """Train, validation and test splits in memory, as whole batches; it offers all that the contract has a place for.

    Args:
        batch_size: rows per training batch; ``"auto"``: about a hundredth of the training rows
            (`rosenblatt.data.recipe.batch_size_for`).
        seed: of the order of the training rows, and of any random split.

    Attributes:
        splits: features and target of ``train``, ``val`` and, where there is one, ``test``; after `setup`.
        task: what there is to predict; after `setup`.
        encoder: what has made features of rows, so that a saved model can make them of new ones; after `setup`. Where
            the source has none of its own, dense features are taken for columns ``x1``, ``x2``, ...
        columns: what the columns of its files hold.
        num_repeated: rows of ``val`` and ``test`` that are in ``train`` too, where that was counted.
    """

    splits: Splits
    task: Task
    encoder: Encoder | None = None
    columns = Columns()
    trainer: Any = None

    def __init__(self, batch_size: int | Auto, seed: int) -> None:
        super().__init__()
        if batch_size != "auto" and batch_size < 1:
            raise UserError(f"data.batch_size: expected auto or a whole number of at least 1; got {batch_size}.")
        self.given_batch_size = batch_size
        self.auto_batch_size: int | None = None  # of the model, which may have one of its own
        self.seed = seed
        self.splits = {}
        self.num_repeated: dict[str, int] = {}

    @abstractmethod
    def load(self) -> tuple[Task, Splits]:
        """Read or make the data, and encode it with what the training split alone has taught."""

    def setup(self, stage: str | None = None) -> None:
        """Load once; Lightning calls this before each stage."""
        if not self.splits:
            self.task, self.splits = self.load()
            features = self.splits["train"][0]
            if self.encoder is None and isinstance(features, Tensor):
                self.encoder = PointEncoder(features.shape[1])

    @property
    def sizes(self) -> dict[str, Any]:
        """What a model may ask for, which is the number of features, and whether they come as bags."""
        features = self.splits["train"][0]
        if isinstance(features, Bags):
            size = int(features.ids.max()) + 1 if self.encoder is None else self.encoder.num_features
            return {"num_features": size, "bags": True}
        return {"num_features": features.shape[1], "bags": False}

    def digest(self) -> dict[str, dict[str, Any]]:
        """Return rows and digest of each split."""
        return fingerprint(self.splits)

    def rows(self, split: str) -> bytes | None:
        """Return the rows of a split as a Parquet file, to look at them again; ``None``: they are unknown."""
        features, target = self.splits[split]
        if not isinstance(features, Tensor):
            return None
        points = pl.DataFrame(features.numpy(), schema=PointEncoder(features.shape[1]).columns, orient="row")
        return as_parquet(points.with_columns(pl.Series("label", self.task.labels_of(target))))

    @property
    def batch_size(self) -> int:
        """Rows per training batch."""
        if self.given_batch_size != "auto":
            return self.given_batch_size
        return self.auto_batch_size or batch_size_for(len(self.splits["train"][1]))

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


def as_parquet(frame: pl.DataFrame) -> bytes:
    """Return a frame as a Parquet file; the lightest compression, which takes less time than the disk would."""
    file = io.BytesIO()
    frame.write_parquet(file, compression="zstd", compression_level=1)
    return file.getvalue()


def fingerprint(splits: Splits) -> dict[str, dict[str, Any]]:
    """Return rows and digest of each split, as JSON takes them.

    The digest is of the encoded features and targets, so that it is there for data from any source, and stays the same
    where a file has only moved. It finds changes; it is no seal.
    """
    with ThreadPoolExecutor(2) as threads:  # zlib gives the interpreter free
        sums = {split: list(threads.map(_digest, tensors_of(batch))) for split, batch in splits.items()}
    return {split: {"rows": target.shape[0], "digest": "-".join(sums[split])} for split, (_, target) in splits.items()}


def _digest(tensor: Tensor) -> str:
    content = np.ascontiguousarray(tensor.numpy()).reshape(-1).view(np.uint8)
    kind = zlib.crc32(f"{tensor.dtype} {list(tensor.shape)}".encode())  # the same bytes can be other numbers
    return f"{zlib.crc32(content.data, kind):08x}"
