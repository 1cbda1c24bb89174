"""What happens beside the training loop: progress, and no taking of times."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from typing import Any, TypeVar

import lightning.pytorch as pl
from lightning.pytorch.profilers import PassThroughProfiler
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)
Part = TypeVar("Part", pl.Callback, pl.LightningModule)

STEP_HOOKS = (
    "on_train_batch_start", "on_before_zero_grad", "on_before_backward", "on_after_backward",
    "on_before_optimizer_step", "on_train_batch_end",
)  # fmt: skip
REFRESH = 0.25  # seconds between two looks of the bar, each of which takes as long as several steps


class TrainingProgress(pl.Callback):
    """A bar with rate, time left and the latest metrics; where the output is no terminal, a line an epoch.

    The lines go to the log file in either case.

    Args:
        console: where to draw.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self.bar: Progress | None = None
        self.unreported = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the bar."""
        self.started = self.drawn = time.monotonic()
        self.first_step = trainer.global_step
        if trainer.is_global_zero and self.console.is_terminal:
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(compact=True),
                TextColumn("{task.fields[metrics]}"),
                console=self.console,
                auto_refresh=False,  # no thread of its own: it would compete with a model this small
                transient=True,
                expand=True,
            )
            self.bar.start()
            self.total = self.bar.add_task("", total=_num_steps(trainer), rate="", metrics="")

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Move the bar, four times a second at the most."""
        if self.bar is not None and time.monotonic() - self.drawn > REFRESH:
            self._draw(trainer)

    def _draw(self, trainer: pl.Trainer) -> None:
        assert self.bar is not None
        self.drawn = time.monotonic()
        rate = (trainer.global_step - self.first_step) / max(self.drawn - self.started, 1e-9)
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        shown = [f"{name} {metrics[name]:.4f}" for name in ("val/loss", "val/acc", "val/p_at_1") if name in metrics]
        self.bar.update(
            self.total,
            completed=trainer.global_step,
            description=f"epoch {trainer.current_epoch + 1}",
            rate=f"{rate:,.0f} steps/s",
            metrics=" ".join(shown),
        )
        self.bar.refresh()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the epoch before: its training metrics are there only once it has ended."""
        self._report(trainer, trainer.current_epoch)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note that there is an epoch to report."""
        self.unreported = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report the last epoch and take the bar away."""
        self._report(trainer, trainer.current_epoch)
        self._stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Leave the terminal as it was."""
        self._stop()

    def _stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _report(self, trainer: pl.Trainer, epoch: int) -> None:
        if not self.unreported or not trainer.is_global_zero:
            return
        self.unreported = False
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        names = ("train/loss", "train/acc", "val/loss", "val/acc", "val/p_at_1")
        line = "  ".join(f"{name} {metrics[name]:.4f}" for name in names if name in metrics)
        last = max(trainer.max_epochs or 0, 0)  # -1 where the end is a number of steps, or none at all
        message = f"epoch {epoch:>{len(str(last))}}{f'/{last}' if last else ''}  {line}"
        # With a bar on the screen, the line is for the log file alone (configs/train.yaml).
        (logging.getLogger("rosenblatt_file") if self.bar is not None else log).info(message)


def _num_steps(trainer: pl.Trainer) -> float | None:
    total = trainer.estimated_stepping_batches
    return None if math.isinf(total) or total < 0 else total


class NoProfiler(PassThroughProfiler):
    """Takes no times, as by default, but without a new context for each of the forty places of a step."""

    NOTHING = contextlib.nullcontext()

    def profile(self, action_name: str) -> Any:
        """Return a context that does nothing."""
        return self.NOTHING


def without_idle_hooks(*parts: Part) -> list[Part]:
    """Take those hooks of each step that do nothing out of callbacks, or a module, and return these.

    Lightning calls what is callable, with some preparation; a dozen hooks of a handful of callbacks take as long as the
    backward pass of a perceptron.
    """
    for part in parts:
        base = pl.Callback if isinstance(part, pl.Callback) else pl.LightningModule
        for name in STEP_HOOKS:
            if getattr(type(part), name) is getattr(base, name):
                setattr(part, name, None)
    return list(parts)
