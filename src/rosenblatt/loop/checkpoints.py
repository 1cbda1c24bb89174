"""Checkpoints: the best weights, and the state from which a run goes on to the same bits."""

from __future__ import annotations

import logging
import math
import os
import time
import zipfile
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loops.loop import _Loop
from lightning.pytorch.loops.progress import _ProcessedTracker

from rosenblatt.errors import UserError, first_line
from rosenblatt.loop.random_state import random_state, set_random_state
from rosenblatt.loop.signals import nothing_is_half_done
from rosenblatt.run.folder import RunFolder
from rosenblatt.run.whole import force, replace

log = logging.getLogger(__name__)


class Checkpoints(Checkpoint):
    """Keeps ``best.ckpt``, ``last.ckpt`` and the one before, ``previous.ckpt``, each written whole.

    ``best.ckpt`` holds the weights of the best validation, ``last.ckpt`` all that the rest of the run follows from. It
    is saved after epochs, after so many steps or minutes, and where a signal ends training; within an epoch after a
    step that leaves nothing half done, such as gradients that are still added up, or a validation that is due.

    Args:
        run: folder that gets them.
        monitor: metric that says which validation was the best.
        mode: whether that metric is to be low or high.
        every_n_steps: steps between two of them, or ``None``; ``every_n_minutes`` the same, by the clock.
        min_seconds: seconds since the one before, below which none is saved after an epoch, but for the last.

    Attributes:
        best_score: the best value so far, or ``None``.
        seconds: that earlier processes of this run have trained.
    """

    def __init__(
        self,
        run: RunFolder,
        monitor: str,
        mode: Literal["min", "max"],
        every_n_steps: int | None = None,
        every_n_minutes: float | None = None,
        min_seconds: float = 0.0,
    ) -> None:
        self.run = run
        self.monitor = monitor
        self.mode = mode
        self.every_n_steps = math.inf if every_n_steps is None else every_n_steps
        self.every_n_minutes = math.inf if every_n_minutes is None else every_n_minutes
        self.min_seconds = min_seconds
        self.best_score: float | None = None
        self.seconds = 0.0
        self._at_epoch_start = False
        self._metrics: dict[str, float] = {}
        self._restored: dict[str, Any] | None = None
        self._started = self._saved = time.monotonic()
        self._saved_step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock; of a checkpoint, take back what Lightning leaves out."""
        self._started = self._saved = time.monotonic()
        self._saved_step = trainer.global_step
        if self._restored is None:
            self.on_train_batch_start = None  # type: ignore[assignment]
            return
        # Where an epoch has no validation, those of an earlier one are looked at.
        metrics: dict[str, float] = self._restored["metrics"]
        trainer.callback_metrics.update({name: torch.tensor(value) for name, value in metrics.items()})
        early = trainer.early_stopping_callback
        if isinstance(early, EarlyStopping) and early.stopping_reason is not EarlyStoppingReason.NOT_STOPPED:
            trainer.should_stop = True  # it was killed after its last epoch, or before it had the least epochs
        if self._restored["at_epoch_start"]:
            start_epoch(trainer)

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """Take the random state back: at the first step, after all that draws numbers while a run is set up.

        From here on nothing is left to restore. Lightning believes so only at the end of the epoch, and until then
        would not let the plateau schedule see the epoch's metric.
        """
        assert self._restored is not None
        nothing_is_left_to_restore(trainer)
        set_random_state(self._restored["random"])
        self.on_train_batch_start = None  # type: ignore[assignment]

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any) -> None:
        """Save within an epoch, where it is time to."""
        steps, minutes = trainer.global_step - self._saved_step, (time.monotonic() - self._saved) / 60
        due = steps >= self.every_n_steps or minutes >= self.every_n_minutes
        if due and nothing_is_half_done(trainer, batch[-1]):
            self.save_last(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save what the epoch before has left: its metrics are logged, schedules and early stopping know of them."""
        if trainer.global_step > self._saved_step and time.monotonic() - self._saved >= self.min_seconds:
            self.save_last(trainer, at_epoch_start=True)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the weights if they are the best so far."""
        value = trainer.callback_metrics.get(self.monitor)
        if value is None or trainer.sanity_checking or trainer.state.fn != "fit":
            return
        score = float(value)
        best = self.best_score
        if not math.isnan(score) and (best is None or (score < best if self.mode == "min" else score > best)):
            self.best_score = score  # NaN is such as the AUROC of one class alone
            self.save_best(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the end, from which a run with more epochs can go on."""
        if trainer.global_step > self._saved_step:
            self.save_last(trainer, at_epoch_start=True)

    def save_best(self, trainer: pl.Trainer) -> None:
        """Write ``best.ckpt``: weights, without the state of the optimizer."""
        _save(trainer, self.run.checkpoints / "best.ckpt", weights_only=True)

    def save_last(self, trainer: pl.Trainer, at_epoch_start: bool = False) -> None:
        """Write ``last.ckpt``.

        Args:
            trainer: at a point where `rosenblatt.loop.signals.nothing_is_half_done`, or between two epochs.
            at_epoch_start: the latter.
        """
        self._at_epoch_start = at_epoch_start
        self._metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        for logger in trainer.loggers:  # the history up to here has to be in the file
            if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero:
                logger.experiment.flush()
        _save(trainer, self.run.checkpoints / "last.ckpt", weights_only=False)
        self._saved, self._saved_step = time.monotonic(), trainer.global_step

    def state_dict(self) -> dict[str, Any]:
        """Return what is kept in ``last.ckpt`` beside Lightning's own state."""
        return {
            "monitor": self.monitor,
            "best_score": self.best_score,
            "metrics": self._metrics,
            "at_epoch_start": self._at_epoch_start,
            "seconds": self.seconds + time.monotonic() - self._started,
            "random": random_state(),
            "history": self.run.history_sizes(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._restored = state_dict
        self.best_score = state_dict["best_score"] if state_dict["monitor"] == self.monitor else None
        self.seconds = state_dict["seconds"]


def start_epoch(trainer: pl.Trainer) -> None:
    """Let Lightning start the next epoch; of a checkpoint from between two it would take that one for run already."""
    loop = trainer.fit_loop
    nothing_is_left_to_restore(trainer)
    for part in (loop, loop.epoch_loop, loop.epoch_loop.val_loop):
        part.reset_restart_stage()
    for progress in (loop.epoch_progress.current, loop.epoch_progress.total):
        assert isinstance(progress, _ProcessedTracker)
        progress.ready = progress.started = progress.processed = progress.completed
    loader: Any = trainer.train_dataloader
    if hasattr(loader, "start_epoch"):
        loader.start_epoch(trainer.current_epoch)


def nothing_is_left_to_restore(trainer: pl.Trainer) -> None:
    """Let Lightning know; where training is to take a number of steps, its own property says so of every epoch."""
    _Loop.restarting.fset(trainer.fit_loop, False)  # type: ignore[attr-defined]


def _save(trainer: pl.Trainer, path: Path, weights_only: bool) -> None:
    """Write a checkpoint whole; a whole state, in place of another, leaves that as ``previous.ckpt``."""
    if trainer.is_global_zero:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        trainer.save_checkpoint(temporary, weights_only)
        if trainer.is_global_zero:
            if not weights_only and path.exists():
                force(temporary)  # which can fail: before anything is moved
                os.replace(path, path.with_name("previous.ckpt"))
            replace(temporary, path)
    finally:
        if trainer.is_global_zero:
            temporary.unlink(missing_ok=True)


def newest(folder: Path) -> Path | None:
    """Return the newest whole checkpoint of a run to go on from, or ``None`` where there is none yet.

    Args:
        folder: with ``last.ckpt`` and ``previous.ckpt``.

    Raises:
        UserError: there are some, and none is whole.
    """
    paths = folder / "last.ckpt", folder / "previous.ckpt"
    reasons = []
    for path in paths:
        try:
            if Checkpoints.__name__ not in read(path).get("callbacks", {}):
                raise ValueError("it holds weights alone")
        except FileNotFoundError:
            reasons.append(f"{path}: it is not there")
        except (OSError, ValueError) as error:
            reasons.append(f"{path}: {error}")
        else:
            if reasons:
                log.warning("The last checkpoint can't be used, so the one before it is taken. (%s)", reasons[0])
            return path
    if any(path.exists() for path in paths):
        raise UserError(
            f"No checkpoint of this run can be used. {'. '.join(reasons)}. Remove {folder} to start from the beginning."
        )
    return None


def read(path: Path) -> dict[str, Any]:
    """Return a checkpoint, without running any code that it may hold.

    Raises:
        ValueError: it is damaged, or holds something else than numbers, tensors, words, and lists and dicts of them.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"the checksum of its part {damaged!r} is wrong")
        checkpoint = torch.load(path, weights_only=True, map_location="cpu")
    except OSError:
        raise
    except Exception as error:  # of zipfile, pickle and torch there are a dozen kinds
        raise ValueError(first_line(error) or type(error).__name__) from None
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise ValueError("it is no checkpoint of Lightning's")
    return checkpoint
