"""Schedules of the learning rate that PyTorch does not have."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from rosenblatt.errors import UserError


def coslog(optimizer: Optimizer, epochs: int | None, cycles: int = 4) -> LambdaLR:
    """Let the learning rate rise and fall several times, each time for about twice as many epochs as before.

    After a share ``t`` of all epochs it is ``(1 - cos(2 pi log2(1 + (2^cycles - 1) t))) / 2`` of what was set
    (Holzmueller, Grinsztajn and Steinwart 2024, appendix A), in the middle of each epoch: it begins and ends near 0.

    Args:
        optimizer: whose learning rate it is.
        epochs: of the whole training.
        cycles: how often it falls.

    Raises:
        UserError: no number of epochs.
    """

    if epochs is None or epochs < 1:
        raise UserError(
            f"scheduler=coslog: it has to know how many epochs there will be, and trainer.max_epochs is {epochs}. "
            "Say it, or take scheduler=none."
        )

    def part(epoch: int) -> float:
        share = min(1.0, (epoch + 0.5) / epochs)
        return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + (2**cycles - 1) * share)))

    return LambdaLR(optimizer, part)
