"""Checkpoints: the best weights, and the state from which a run goes on to the same bits."""

from __future__ import annotations

import logging
import math
import os
import pickle
import time
import zipfile
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason
from torch import nn

from rosenblatt.errors import UserError, own_words
from rosenblatt.loop import internals
from rosenblatt.loop.history import history_sizes
from rosenblatt.loop.random_state import random_state, set_random_state
from rosenblatt.loop.replay import (
    Replayed,
    generator_states,
    has_state,
    is_stream,
    set_generator_states,
    workers_live_on,
)
from rosenblatt.run.folder import RunFolder
from rosenblatt.run.whole import force, replace

log = logging.getLogger(__name__)
Value = TypeVar("Value")

LIGHTNINGS = {
    "epoch", "global_step", "pytorch-lightning_version", "state_dict", "loops", "callbacks", "optimizer_states",
    "lr_schedulers",
}  # fmt: skip
CONTAINERS = {dict, list, tuple, set, OrderedDict, defaultdict, Counter, torch.Size}
PLAIN = {bool, int, float, complex, str, bytes, torch.Tensor, nn.Parameter, torch.device, torch.dtype, np.ndarray}
# Arrays and numbers of NumPy's: callbacks like to keep them, and no code of anybody's runs when they are read.
torch.serialization.add_safe_globals([
    np.ndarray, np.dtype, np._core.multiarray.scalar, np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    *{type(np.dtype(kind)) for kind in "?bhilqBHILQefd"}, defaultdict, Counter,
])  # fmt: skip


class Checkpoints(Checkpoint):
    """Keeps ``best.ckpt``, ``last.ckpt`` and the one before, ``previous.ckpt``, each written whole.

    ``best.ckpt`` holds the weights of the best epoch, by what was measured in it: after a validation, or, where the
    value is one of training, at the end of the epoch. ``last.ckpt`` holds all that the rest of the run follows from: of
    any LightningModule, loaders and callbacks. It is saved between epochs, after so many steps or minutes, and where a
    signal ends training; within an epoch after a step that leaves nothing half done, such as gradients that are still
    added up, or a validation that was due.

    A run that goes on from it ends with the bits of an undisturbed one, and an undisturbed one with those of a Trainer
    without this callback. How loaders come back to where they stood:

    - one with ``state_dict`` and ``load_state_dict`` does it itself;
    - any other by `rosenblatt.loop.replay.Replayed`: its batches of the epoch are loaded again, and dropped;
    - a stream (an ``IterableDataset``, an iterable without a length) may not give the same again. Nothing is saved
      within its epochs, and a run goes on from the last whole one; but where the Trainer counts in steps
      (``max_steps``), an epoch may never end, so that it is replayed, too, exactly if the stream repeats itself;
    - workers that live on (``persistent_workers``) carry their random numbers from epoch to epoch, and nobody can read
      them: the order of the rows is as it was, random augmentation in workers is another;
    - with several processes, nothing is saved within an epoch, and all get the random state of the first.

    Of the last three the run says so at its start.

    Args:
        run: folder that gets them.
        monitor: metric that says which epoch was the best.
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
        self._restored: dict[str, Any] | None = None
        self._position: dict[str, Any] = {}
        self._history: Callable[[], dict[str, int]] = dict
        self._only_whole_epochs = False
        self._told: list[str] = []
        self._started = self._saved = time.monotonic()
        self._saved_step = 0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Watch the loop and its loaders."""
        if stage != "fit":
            return
        internals.with_loaders(trainer, lambda loaders: self._replayed(trainer, loaders))
        internals.before_epochs(trainer, lambda: self._between_epochs(trainer))
        internals.before_train_end(trainer, lambda: self._save_end(trainer))
        internals.after_steps(trainer, lambda: self._after_step(trainer))

    def _replayed(self, trainer: pl.Trainer, loaders: list[Any]) -> list[Any]:
        foreign = [loader for loader in loaders if not has_state(loader)]
        reasons = []
        if any(is_stream(loader) for loader in foreign):
            self._only_whole_epochs = trainer.max_steps == -1
            reasons.append(
                "an iterable dataset may not give the same batches again, and it has no state_dict: a resumed run goes "
                + ("on from its last whole epoch" if self._only_whole_epochs else "through as many batches again")
            )
        if any(workers_live_on(loader) for loader in foreign):
            reasons.append(
                "persistent_workers=True: random numbers that workers draw are others in a resumed run, since nobody "
                "can read where they stand"
            )
        if trainer.world_size > 1:
            self._only_whole_epochs = True
            reasons.append("several processes: a resumed run goes on from its last whole epoch")
        for reason in reasons:
            if reason not in self._told and trainer.is_global_zero:
                log.warning("Resuming, to the bit? Not quite: %s.", reason)
        self._told = reasons
        return [loader if has_state(loader) else Replayed(loader, lambda: internals.num_ahead(trainer))
                for loader in loaders]  # fmt: skip

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Keep hold of the checkpoint, until there are optimizers to compare it with."""
        self._checkpoint = checkpoint

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse a checkpoint of another optimizer."""
        if self._restored is not None:
            _check_optimizers(self._checkpoint, trainer)
            del self._checkpoint

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock; of a checkpoint, take back what callbacks look at."""
        self._started = self._saved = time.monotonic()
        self._saved_step = trainer.global_step
        if self._restored is None:
            return
        internals.load_metrics_before(trainer, self._restored["metrics"])
        for early in trainer.early_stopping_callbacks:
            if isinstance(early, EarlyStopping) and early.stopping_reason is not EarlyStoppingReason.NOT_STOPPED:
                trainer.should_stop = True  # it was killed after its last epoch, or before it had the least epochs

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End the workers of loaders; of a run that had ended, no epoch was left to take back what there is."""
        for loader in internals.train_loaders(trainer):
            if isinstance(loader, Replayed):
                loader.end()
        if self._restored is not None:
            internals.load_metrics_before(trainer, self._restored["metrics"])
            set_random_state(self._restored["random"])

    def _between_epochs(self, trainer: pl.Trainer) -> None:
        """Save what the epoch before has left, or take back what a checkpoint holds, before anything draws a number."""
        if self._restored is not None:
            self._restore(trainer, self._restored)
            self._restored = None
        elif _of_first(trainer, time.monotonic() - self._saved >= self.min_seconds):
            self._save_end(trainer)

    def _restore(self, trainer: pl.Trainer, state: dict[str, Any]) -> None:
        """Take back what Lightning leaves out, once all hooks that set up a run are through."""
        whole_epochs, module = state["whole_epochs"], trainer.lightning_module
        internals.load_pass_state(trainer, state["passes"], whole_epochs)
        internals.forget_restart(trainer, whole_epochs)
        if whole_epochs:
            for loader in internals.train_loaders(trainer):
                if hasattr(loader, "start_epoch"):
                    loader.start_epoch(trainer.current_epoch)
        else:
            internals.load_epoch_results(trainer, module, state["results"])
            for name, part in _counting(module):
                if name in state["progress"]:
                    part.restore_progress(state["progress"][name])
        internals.load_metric_states(module, state["torchmetrics"])
        for name, parameter in module.named_parameters():
            if name in state["gradients"]:
                parameter.grad = state["gradients"][name].to(parameter.device)
        set_generator_states(state["generators"], *_owners(trainer))
        set_random_state(state["random"])

    def _after_step(self, trainer: pl.Trainer) -> None:
        """Save within an epoch, where it is time to."""
        steps, minutes = trainer.global_step - self._saved_step, (time.monotonic() - self._saved) / 60
        due = steps >= self.every_n_steps or minutes >= self.every_n_minutes
        if due and not self._only_whole_epochs and internals.nothing_is_half_done(trainer):
            self.save_last(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the weights if they are the best so far."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self._keep_best(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the weights, too, where what counts was measured in training, unless a signal has cut the epoch off."""
        if internals.is_whole(trainer):
            self._keep_best(trainer)

    def _keep_best(self, trainer: pl.Trainer) -> None:
        score, best = _of_first(trainer, internals.measured(trainer).get(self.monitor, math.nan)), self.best_score
        if not math.isnan(score) and (best is None or (score < best if self.mode == "min" else score >= best)):
            self.best_score = score  # NaN is such as the AUROC of one class alone
            self.save_best(trainer)

    def _save_end(self, trainer: pl.Trainer) -> None:
        """Save the end of an epoch, or of all, from which a run with more epochs can go on."""
        if trainer.global_step > self._saved_step:
            self._save_last(trainer, whole_epochs=True)

    def save_best(self, trainer: pl.Trainer) -> None:
        """Write ``best.ckpt``: weights, without the state of the optimizer."""
        self._write(trainer, self.run.checkpoints / "best.ckpt", weights_only=True)

    def save_last(self, trainer: pl.Trainer) -> None:
        """Write ``last.ckpt`` within an epoch, where that can be gone on from.

        Args:
            trainer: after a step that leaves nothing half done: `rosenblatt.loop.internals.nothing_is_half_done`.
        """
        if self._only_whole_epochs:
            self._saved_step = trainer.global_step  # training may end here, but no epoch does
        else:
            self._save_last(trainer, whole_epochs=False)

    def _save_last(self, trainer: pl.Trainer, whole_epochs: bool) -> None:
        module, manual = trainer.lightning_module, not trainer.lightning_module.automatic_optimization
        self._position = {
            "whole_epochs": whole_epochs,
            "metrics": internals.metrics_before(trainer),
            "results": {} if whole_epochs else internals.epoch_results(trainer, module),
            "torchmetrics": internals.metric_states(module),
            "progress": {} if whole_epochs else {name: part.progress() for name, part in _counting(module)},
            "gradients": {name: one.grad for name, one in module.named_parameters() if manual and one.grad is not None},
            "passes": internals.pass_state(trainer),
            "generators": generator_states(*_owners(trainer)),
            "random": random_state(),
        }
        if trainer.is_global_zero:
            self._history = lambda: history_sizes(trainer.loggers, self.run.path)
        self._write(trainer, self.run.checkpoints / "last.ckpt", weights_only=False)
        self._position = {}
        self._saved, self._saved_step = time.monotonic(), trainer.global_step

    def state_dict(self) -> dict[str, Any]:
        """Return what is kept in ``last.ckpt`` beside Lightning's own state."""
        # Asked for last: other callbacks write what they have for a logger when they are asked for their state.
        history = self._history() if self._position else {}
        return self._position | {
            "history": history,
            "monitor": self.monitor,
            "best_score": self.best_score,
            "seconds": self.seconds + time.monotonic() - self._started,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._restored = state_dict
        self.best_score = state_dict["best_score"] if state_dict["monitor"] == self.monitor else None
        self.seconds = state_dict["seconds"]

    def _write(self, trainer: pl.Trainer, path: Path, weights_only: bool) -> None:
        """Write a checkpoint whole; a whole state, in place of another, leaves that as ``previous.ckpt``."""
        if trainer.is_global_zero:
            path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            checkpoint = internals.dump_checkpoint(trainer, weights_only)
            if self._position.get("whole_epochs"):  # its loaders start anew
                checkpoint["loops"]["fit_loop"]["state_dict"].pop("combined_loader", None)
            self._leave_out_objects(checkpoint)
            trainer.strategy.save_checkpoint(checkpoint, temporary)
            if trainer.is_global_zero:
                if not weights_only and path.exists():
                    force(temporary)  # which can fail: before anything is moved
                    os.replace(path, path.with_name("previous.ckpt"))
                replace(temporary, path)
            trainer.strategy.barrier("checkpoint")
        finally:
            if trainer.is_global_zero:
                temporary.unlink(missing_ok=True)

    def _leave_out_objects(self, checkpoint: dict[str, Any]) -> None:
        """Take out what a checkpoint that runs no code can't hold, and say so once."""
        own = [name for name in checkpoint if name not in LIGHTNINGS]  # of module and data module
        for part, names in ((checkpoint.get("callbacks", {}), None), (checkpoint, own)):
            for name in [name for name in (part if names is None else names) if not _is_plain(part[name])]:
                del part[name]
                if name not in self._told:
                    self._told.append(name)
                    log.warning(
                        "%s: its state in checkpoints holds other things than numbers, words, tensors, and lists and "
                        "dicts of them, so it is left out: it starts anew where a run is resumed.", name,
                    )  # fmt: skip


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return type(value) in CONTAINERS and all(_is_plain(one) for pair in value.items() for one in pair)
    if isinstance(value, list | tuple | set):
        return type(value) in CONTAINERS and all(_is_plain(one) for one in value)
    return value is None or isinstance(value, np.generic) or type(value) in PLAIN


def _of_first(trainer: pl.Trainer, value: Value) -> Value:
    """Return what the first of several processes says: clocks differ, and so may what each has measured of its rows."""
    return trainer.strategy.broadcast(value) if trainer.world_size > 1 else value


def _counting(module: nn.Module) -> list[tuple[str, Any]]:
    """Return the parts of a module, by name, that count an epoch and can say how far they are (``progress``)."""
    return [(name, part) for name, part in module.named_modules() if hasattr(part, "restore_progress")]


def _owners(trainer: pl.Trainer) -> list[Any]:
    """Return all that may hold a random generator of its own."""
    loaders = [*internals.train_loaders(trainer), *internals.val_loaders(trainer)]
    loaders = [loader.loader if isinstance(loader, Replayed) else loader for loader in loaders]
    return [*loaders, trainer.lightning_module, getattr(trainer, "datamodule", None)]


def _check_optimizers(checkpoint: dict[str, Any], trainer: pl.Trainer) -> None:
    """Raise a `UserError` for a checkpoint that optimizers or schedules could not be taken from."""

    def shape(states: list[dict[str, Any]]) -> list[Any]:
        return [
            [(group.keys() - {"initial_lr"}, len(group["params"])) for group in one["param_groups"]] for one in states
        ]

    then, now = checkpoint["optimizer_states"], [one.state_dict() for one in trainer.optimizers]
    schedules = [config.scheduler.state_dict().keys() for config in trainer.lr_scheduler_configs]
    before = [one.keys() for one in checkpoint["lr_schedulers"]]
    if shape(then) != shape(now) or any(one != other for one, other in zip(before, schedules, strict=False)):
        raise UserError("Its optimizer or schedule is another than the settings make. Start a new run.")


def newest(folder: Path) -> Path | None:
    """Return the newest whole checkpoint of a run to go on from, or ``None`` where there is none yet.

    Raises:
        UserError: there are some in the folder, and none is whole.
    """
    paths = folder / "last.ckpt", folder / "previous.ckpt"
    reasons = []
    for path in paths:
        try:
            if Checkpoints.__name__ not in read(path).get("callbacks", {}):
                raise ValueError("it holds weights alone")
        except FileNotFoundError:
            reasons.append(f"{path}: it is not there")
        except OSError as error:
            reasons.append(f"{path}: it can't be read: {error.strerror}")
        except ValueError as error:
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
        why = "it is damaged, or holds code" if isinstance(error, pickle.UnpicklingError) else "it is damaged"
        raise ValueError(own_words(error, why)) from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise ValueError("it is no checkpoint of Lightning's")
    return checkpoint
