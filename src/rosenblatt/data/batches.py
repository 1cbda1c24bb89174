"""Whole batches, sliced from tensors.

A `torch.utils.data.DataLoader` collates row by row, which takes longer than a step of a small model.

Dense rows are drawn one by one. Bags are drawn in stretches of rows that lie side by side, eight to a batch: to copy a
stretch is several times as fast as to collect its pairs row by row. Texts are shuffled once before they are encoded, so
that it is as good, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from rosenblatt.data.features import Bags, Batch, Features, rows_between

STRETCHES = 8  # of rows, in a batch of bags


@dataclass(eq=False, repr=False)
class Batches:
    """One split as an iterable of batches; each pass over it is one epoch.

    The order of an epoch depends on the seed and the number of the epoch alone, so that a run that is cut off and
    resumed sees the rows that an undisturbed one sees. The last batch holds what is left: no row is dropped.

    Args:
        features: of N rows.
        target: (N,) int64, or (N, num_labels) uint8.
        batch_size: rows per batch.
        shuffle: a new order each epoch, of that ``seed``.
        rank: number of this process among those that train one model together.
        world_size: how many those are. Each gets its share of the rows; the shares are made equal by repeating rows,
            since every process has to take as many steps as the others.
        draw: makes the features and target anew for each epoch, from its number, in place of the given ones.
    """

    features: Features
    target: Tensor
    batch_size: int
    shuffle: bool = False
    seed: int = 0
    rank: int = 0
    world_size: int = 1
    draw: Callable[[int], Batch] | None = None

    epoch, next_batch, _resumed = 0, 0, False

    @property
    def num_rows(self) -> int:
        """Rows that this process sees in an epoch."""
        return -(-self.target.shape[0] // self.world_size)

    def __len__(self) -> int:
        return -(-self.num_rows // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        if self.next_batch > 0 and not self._resumed:  # the pass before was left early
            self.epoch, self.next_batch = self.epoch + 1, 0
        self._resumed = False
        if self.draw is not None:
            self.features, self.target = self.draw(self.epoch)
        order = self._order()
        for number in range(self.next_batch, len(self)):
            # Where to go on is noted before the batch is handed out: nobody asks for one more than there are, so
            # nothing after the last one would run.
            is_last = number + 1 == len(self)
            self.epoch, self.next_batch = (self.epoch + 1, 0) if is_last else (self.epoch, number + 1)
            start, stop = number * self.batch_size, min((number + 1) * self.batch_size, self.num_rows)
            if order is None:
                yield rows_between(self.features, start, stop), self.target[start:stop]
            else:
                index = order[start:stop]
                yield rows_at(self.features, index), self.target[index]

    def _order(self) -> Tensor | None:
        total = self.target.shape[0]
        if not self.shuffle and self.world_size == 1:
            return None
        order = torch.arange(total)
        if self.shuffle:
            # One generator an epoch, its seed from both numbers; a sum of the two would repeat orders across seeds.
            generator = torch.Generator().manual_seed((self.seed * 1_000_003 + self.epoch) % 2**63)
            size = max(1, self.batch_size // STRETCHES) if isinstance(self.features, Bags) else 1
            stretches = torch.randperm(-(-total // size), generator=generator)
            order = (stretches.unsqueeze(1) * size + torch.arange(size)).flatten()  # (num_stretches * size,)
            order = order[order < total]  # the last stretch may be shorter
        return order[torch.arange(self.rank * self.num_rows, (self.rank + 1) * self.num_rows) % total]

    def state_dict(self) -> dict[str, Any]:
        """Where the pass stands; Lightning keeps it in the checkpoint."""
        return {"epoch": self.epoch, "next_batch": self.next_batch}

    def start_epoch(self, epoch: int) -> None:
        """Make the next pass that of an epoch, from its first batch on."""
        self.epoch, self.next_batch, self._resumed = epoch, 0, False

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where ``state_dict`` was taken."""
        self.epoch, self.next_batch = state["epoch"], state["next_batch"]
        self._resumed = True


def rows_at(features: Features, index: Tensor) -> Features:
    """Return the rows numbered by ``index`` (n,), in that order; rows that lie side by side are copied together."""
    if isinstance(features, Tensor):
        return features[index]
    if index.numel() == 0:
        return rows_between(features, 0, 0)
    offsets = torch.zeros(index.numel() + 1, dtype=torch.int64)
    torch.cumsum(features.offsets[index + 1] - features.offsets[index], 0, out=offsets[1:])
    breaks = index.diff() != 1
    firsts, lasts = index[F.pad(breaks, (1, 0), value=True)], index[F.pad(breaks, (0, 1), value=True)]
    edges = zip(features.offsets[firsts].tolist(), features.offsets[lasts + 1].tolist(), strict=True)
    pieces = [slice(*pair) for pair in edges]
    return Bags(
        torch.cat([features.ids[piece] for piece in pieces]),
        torch.cat([features.weights[piece] for piece in pieces]),
        offsets,
    )
