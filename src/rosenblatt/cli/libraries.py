"""How libraries are used by all commands: how loud they may be, and with how many threads they compute."""

from __future__ import annotations

import logging
import warnings

import torch
from torch import nn

from perceptron.models import num_parameters

ALL_THREADS = torch.get_num_threads()  # one for each core, or as OMP_NUM_THREADS says
SMALL_MODEL = 1_000_000  # weights; below, threads bring nothing, and wait for each other as soon as a core is busy


def silence_libraries() -> None:
    """Hide what libraries say to people who write training loops, not to those who run this one."""
    warnings.filterwarnings("ignore", module=r"(lightning|torchmetrics|torch)\b")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)


def use_threads(threads: int | None, model: nn.Module) -> None:
    """Set how many threads PyTorch computes with; ``None``: by the size of the model."""
    torch.set_num_threads(threads or (1 if num_parameters(model) < SMALL_MODEL else ALL_THREADS))
