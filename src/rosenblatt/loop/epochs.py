"""Epochs as they end: what each has measured, whether it is the last, and the bar and the line that tell of it."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Collection, Mapping
from typing import Any, Literal

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rosenblatt.errors import UserError, listed, nearest
from rosenblatt.loop.internals import measured

log = logging.getLogger(__name__)


class StopEarly(EarlyStopping):
    """Lightning's early stopping, of what this epoch has measured: one without validation has no value to look at."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look, where the value is one of validation."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self._look(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look, where the value is one of training."""
        self._look(trainer)

    def _look(self, trainer: pl.Trainer) -> None:
        if self.monitor in measured(trainer):
            self._run_early_stopping_check(trainer)


SETS = ("seen", "of_validation", "stepped")


class Measures(Checkpoint):
    """Ends a run whose loss is no number any more, or that monitors what nobody logs; logs the learning rate.

    A schedule that watches validation is stepped once for each; Lightning steps it whether there was a new one or not.

    It is a `Checkpoint` for its place: after the module's own hooks, which log, and before whatever follows it among
    the callbacks, such as those that keep the best weights.

    Args:
        monitor: metric that says which epoch is the best.
        mode: whether it is to be low or high. One that is to be low, and is no number, ends the run, as a loss does;
            one that is to be high may be such as the AUROC of one class alone.
        scaled: whether a loss is about 1 where nothing is learnt, of some thousand rows together at the most.

    Attributes:
        epochs: by number, from 1, what each has measured.
    """

    def __init__(self, monitor: str, mode: Literal["min", "max"] = "min", scaled: bool = False) -> None:
        self.monitor = monitor
        self.mode = mode
        self.scaled = scaled
        self.lr: float | None = None
        self.seen: set[str] = set()
        self.epochs: dict[int, dict[str, float]] = {}
        self.validated = False
        self.of_validation: set[str] = set()
        self.stepped: set[int] = set()  # schedules that have seen the latest validation

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stand before schedules, of which some can't do without a value at once."""
        original, schedules = type(pl_module).lr_scheduler_step, trainer.lr_scheduler_configs
        for one in schedules:
            one.strict &= trainer.check_val_every_n_epoch == 1

        def step(scheduler: Any, metric: Any) -> None:
            number = [one.scheduler for one in schedules].index(scheduler)
            if number not in self.stepped or metric is None or schedules[number].monitor not in self.of_validation:
                self.stepped.add(number)
                original(pl_module, scheduler, metric)

        pl_module.lr_scheduler_step = step  # type: ignore[method-assign]

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave schedules to the module again."""
        vars(pl_module).pop("lr_scheduler_step", None)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the learning rate, since the schedule has set the next one before the epoch's loss is known."""
        self.lr = trainer.optimizers[0].param_groups[0]["lr"] if trainer.optimizers else None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at what the validation has measured."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self.validated, self.stepped = True, set()
            self.of_validation |= self._look(trainer).keys()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at what the epoch has measured, and log its learning rate, unless the module does."""
        values = self._look(trainer)
        self._tell_runaway(values, trainer.current_epoch + 1)
        none_is_wanted = trainer.limit_val_batches == 0  # whoever says so gets the last weights
        if self.monitor not in self.seen and (self.validated or not trainer.enable_validation) and not none_is_wanted:
            raise UserError(_nobody_logs(self.monitor, sorted(self.seen), self.validated))
        if self.lr is not None and "lr" not in values:
            pl_module.log("lr", self.lr)

    def _look(self, trainer: pl.Trainer) -> dict[str, float]:
        values = measured(trainer)
        self.seen |= values.keys()
        self.epochs.setdefault(trainer.current_epoch + 1, {}).update(values)
        for name, value in values.items():
            counts = re.fullmatch(r"(.*[/_])?loss", name) or (name == self.monitor and self.mode == "min")
            if counts and not math.isfinite(value):
                raise UserError(self._no_number(name, value, trainer.current_epoch + 1))
        return values

    def _tell_runaway(self, values: dict[str, float], epoch: int) -> None:
        for name in [one for one in values if re.fullmatch(r"(train.*[/_])?loss", one)]:
            first = abs(self.epochs[min(self.epochs)].get(name, math.inf))
            limit = 1000 * (min(max(first, 1.0), 1000.0) if self.scaled else first)
            if 0 < limit < values[name] and self.epochs.get(epoch - 1, {}).get(name, 0.0) <= limit:
                log.warning(
                    "%s runs away: it is %.3g in epoch %s at lr=%g. Try a smaller lr, or trainer.gradient_clip_val=1.",
                    name, values[name], epoch, self.lr or math.nan,
                )  # fmt: skip

    def _no_number(self, name: str, value: float, epoch: int) -> str:
        at = "" if self.lr is None else f" at lr={self.lr:g}"
        smaller = "" if self.lr is None else f", such as lr={self.lr / 10:g}"
        return (
            f"Training ended without a result: {name} became {value} in epoch {epoch}{at}. Try a smaller lr{smaller}, "
            f"or trainer.gradient_clip_val=1.{' Or the data hold NaN or infinity.' if epoch == 1 else ''}"
        )

    def of_training(self, epoch: int, known: Mapping[str, Any]) -> dict[str, float]:
        """Return what an epoch, from 1, measured of training and what it was chosen by, but for ``known`` figures."""
        found = self.epochs.get(epoch, {}).items()
        return {name: value for name, value in found if name.startswith(("train", self.monitor)) and name not in known}

    def state_dict(self) -> dict[str, Any]:
        """Return what an epoch that is resumed goes on with."""
        sets = {name: sorted(getattr(self, name)) for name in SETS}
        return sets | {"lr": self.lr, "validated": self.validated, "epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.epochs.update(state_dict["epochs"])  # in place: others look at it
        self.lr, self.validated = state_dict["lr"], state_dict["validated"]
        self.seen, self.of_validation, self.stepped = (set(state_dict[name]) for name in SETS)


def _nobody_logs(monitor: str, seen: list[str], validated: bool) -> str:
    message = f"early_stopping.monitor={monitor}: expected a metric that is logged once an epoch; "
    if not seen:
        return f"{message}nothing was logged. Call self.log in training_step or validation_step."
    message += f"logged were {listed(seen)}.{nearest(monitor, seen)}"
    return message if validated else f"{message} There is no validation: the data have no val_dataloader."


LINES = 32  # of a long training, about; of one of up to 100 epochs each has its own
REFRESH = 0.25  # seconds between two looks of the bar, each of which takes as long as several steps


class TrainingProgress(pl.Callback):
    """A bar with rate, time left and the latest metrics; where the output is no terminal, a line an epoch.

    The lines go to the log file in either case.

    Args:
        measures: knows what is monitored, which is shown whatever else there is, and what is of an earlier epoch.
    """

    def __init__(self, measures: Measures) -> None:
        self.console = Console()
        self.measures, self.monitor = measures, measures.monitor
        self.bar: Progress | None = None
        self.unreported = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the bar."""
        self.started = self.drawn = time.monotonic()
        self.first_step, total = trainer.global_step, trainer.estimated_stepping_batches
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
            self.total = self.bar.add_task("", total=total if 0 <= total < math.inf else None, rate="", metrics="")

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
        old = self.measures.of_validation - self.measures.epochs.get(epoch, {}).keys()  # of a validation before
        line = "  ".join(self._shown(trainer, old))
        last = max(trainer.max_epochs or 0, 0)  # -1 where the end is a number of steps, or none at all
        every = last // LINES if last > 100 else 1
        if epoch % every and epoch & (epoch - 1) and epoch != last and not trainer.should_stop:
            return
        message = f"epoch {epoch:>{len(str(last))}}{f'/{last}' if last else ''}  {line}"
        # With a bar on the screen, the line is for the log file alone (configs/train.yaml).
        (logging.getLogger("rosenblatt_file") if self.bar is not None else log).info(message)

    def _shown(self, trainer: pl.Trainer, but: Collection[str] = ()) -> list[str]:
        """Return the latest values with their names: what is monitored, losses and accuracies; of others, a few."""
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        known = [name for name in values if name == self.monitor or re.search(r"(^|[/_])(loss|acc|p_at_1)$", name)]
        names = known if len(known) > 1 else [*known, *(name for name in values if name not in known)]
        names = sorted(names[:6], key=lambda name: (not name.startswith("train"), names.index(name)))
        return [f"{name} {values[name]:.4f}" for name in names if name not in but]
