"""Ending in order on a signal."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

import lightning.pytorch as pl

from rosenblatt.loop.internals import after_steps, nothing_is_half_done


class StopOnCtrlC(pl.Callback):
    """Ends training in order on Ctrl-C: after the current step, what there is, is saved, and evaluation follows.

    SIGTERM (``kill``, a batch system at its time limit, a container that is stopped) does the same. A second Ctrl-C
    ends the process at once.

    Training ends where it can go on later as if nothing had been: within an epoch without a validation, which the
    undisturbed run would not have there; in the last step of an epoch, or in a validation, after that.

    Args:
        save: saves the state within an epoch, before training ends there.

    Attributes:
        signal_number: of the signal that ended training, or ``None``.
    """

    def __init__(self, save: Callable[[pl.Trainer], None] | None = None) -> None:
        self.save = save
        self.signal_number: int | None = None

    @property
    def pressed(self) -> bool:
        """Whether training was ended so."""
        return self.signal_number is not None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take over the signals: after Lightning has noted the handlers that it puts back once all is over."""

        process = os.getpid()

        def note(signum: int, frame: FrameType | None) -> None:
            if os.getpid() != process:  # a worker of a loader, which ends with this process
                return
            if self.pressed:
                raise KeyboardInterrupt
            self.signal_number = signum
            name = "Ctrl-C" if signum == signal.SIGINT else signal.Signals(signum).name
            sys.stderr.write(f"\n{name}: ending in order, with the best model so far. Once more to leave at once.\n")

        for signum in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(ValueError):  # not the main thread: signals reach the main one
                signal.signal(signum, note)
        after_steps(trainer, lambda: self._after_step(trainer))

    def _after_step(self, trainer: pl.Trainer) -> None:
        """End training within an epoch."""
        if self.signal_number is not None and nothing_is_half_done(trainer):
            if self.save is not None:
                self.save(trainer)
            end_training(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End training after an epoch."""
        if self.pressed:
            end_training(trainer)


def end_training(trainer: pl.Trainer) -> None:
    """End training in order after this step or epoch, whatever least numbers of them were wanted."""
    trainer.fit_loop.min_epochs = trainer.fit_loop.epoch_loop.min_steps = 0
    trainer.should_stop = True
