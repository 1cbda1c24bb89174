"""Progress: a bar, and a line an epoch."""

from __future__ import annotations

import logging
import math
import re
import time
from typing import Any

import lightning.pytorch as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)

REFRESH = 0.25  # seconds between two looks of the bar, each of which takes as long as several steps


class TrainingProgress(pl.Callback):
    """A bar with rate, time left and the latest metrics; where the output is no terminal, a line an epoch.

    The lines go to the log file in either case.

    Args:
        console: where to draw.
        monitor: metric that is shown whatever else there is.
    """

    def __init__(self, console: Console | None = None, monitor: str = "val/loss") -> None:
        self.console = console or Console()
        self.monitor = monitor
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
        shown = [word for word in self._shown(trainer) if not word.startswith("train")]
        self.bar.update(
            self.total,
            completed=trainer.global_step,
            description=f"epoch {trainer.current_epoch + 1}",
            rate=f"{rate:,.0f} steps/s",
            metrics=" ".join(shown[:3]),
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
        line = "  ".join(self._shown(trainer))
        last = max(trainer.max_epochs or 0, 0)  # -1 where the end is a number of steps, or none at all
        message = f"epoch {epoch:>{len(str(last))}}{f'/{last}' if last else ''}  {line}"
        # With a bar on the screen, the line is for the log file alone (configs/train.yaml).
        (logging.getLogger("rosenblatt_file") if self.bar is not None else log).info(message)

    def _shown(self, trainer: pl.Trainer) -> list[str]:
        """Return the latest values with their names: what is monitored, losses and accuracies; of others, a few."""
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        known = [name for name in values if name == self.monitor or re.search(r"(^|[/_])(loss|acc|p_at_1)$", name)]
        names = known if len(known) > 1 else [*known, *(name for name in values if name not in known)]
        names = sorted(names[:6], key=lambda name: (not name.startswith("train"), names.index(name)))
        return [f"{name} {values[name]:.4f}" for name in names]


def _num_steps(trainer: pl.Trainer) -> float | None:
    total = trainer.estimated_stepping_batches
    return None if math.isinf(total) or total < 0 else total
