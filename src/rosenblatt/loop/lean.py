"""What makes small steps quick: of a model that takes microseconds, most of a step is Lightning's preparation of hooks.

Nothing of it changes a result.
"""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl

STEP_HOOKS = (
    "on_train_batch_start", "on_before_zero_grad", "on_before_backward", "on_after_backward",
    "on_before_optimizer_step", "on_train_batch_end",
)  # fmt: skip


def make_lean(trainer: pl.Trainer, module: pl.LightningModule) -> None:
    """Take out of a training what costs a small step time and does nothing.

    Args:
        trainer: that is about to fit.
        module: that it fits.
    """
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    for part, base in [(module, pl.LightningModule), *((callback, pl.Callback) for callback in callbacks)]:
        _without_idle_hooks(part, base)


def _without_idle_hooks(part: Any, base: type) -> None:
    """Set those hooks of each step to ``None`` that nobody has written: Lightning prepares what is callable."""
    for name in STEP_HOOKS:
        if getattr(getattr(part, name), "__func__", None) is getattr(base, name):
            setattr(part, name, None)
