"""With how many threads PyTorch computes."""

from __future__ import annotations

import torch
from torch import nn

ALL_THREADS = torch.get_num_threads()  # one for each core, or as OMP_NUM_THREADS says
SMALL_MODEL = 1_000_000  # weights; below, threads bring nothing, and wait for each other as soon as a core is busy


def num_parameters(model: nn.Module) -> int:
    """Return how many numbers training may change."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def use_threads(threads: int | None, model: nn.Module) -> None:
    """Set how many threads PyTorch computes with; ``None``: by the weights that a step touches, not those of bags."""
    dense = num_parameters(model) - sum(num_parameters(one) for one in model.modules() if getattr(one, "sparse", False))
    torch.set_num_threads(threads or (1 if dense < SMALL_MODEL else ALL_THREADS))
