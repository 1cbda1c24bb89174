"""Schedules of the learning rate that PyTorch does not have."""

from __future__ import annotations

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from rosenblatt.errors import UserError


class CosLog(LRScheduler):
    """Lets the learning rate rise and fall several times, each time for about twice as many epochs as before.

    After a share ``t`` of all epochs it is ``(1 - cos(2 pi log2(1 + (2^cycles - 1) t))) / 2`` of what was set
    (Holzmueller, Grinsztajn and Steinwart 2024, appendix A), in the middle of each epoch: it begins and ends near 0.

    Args:
        optimizer: whose learning rate it is.
        epochs: of the whole training.
        cycles: how often it falls.

    Raises:
        UserError: no number of epochs.
    """

    def __init__(self, optimizer: Optimizer, epochs: int | None, cycles: int = 4) -> None:
        if epochs is None or epochs < 1:
            raise UserError(
                f"scheduler=coslog: it has to know how many epochs there will be, and trainer.max_epochs is {epochs}. "
                "Say it, or take scheduler=none."
            )
        self.epochs, self.cycles = epochs, cycles
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Any]:
        """Return the learning rate of each group in the next epoch."""
        share = min(1.0, (self.last_epoch + 0.5) / self.epochs)
        part = 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + (2**self.cycles - 1) * share)))
        return [part * lr for lr in self.base_lrs]
