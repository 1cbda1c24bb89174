"""What TensorBoard gets while a model trains: pictures, precision-recall curves and histograms of epochs."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from torch import Tensor

from rosenblatt.data.features import Batch, DataSpec, Plane, first_rows
from rosenblatt.run.cores import num_cores
from rosenblatt.show.figures.style import Drawn
from rosenblatt.show.findings import log_pr_curves
from rosenblatt.show.scenes.curves import MAX_SORTED, learning_curves
from rosenblatt.show.scenes.every import scenes_of
from rosenblatt.show.scenes.view import Scene, View
from rosenblatt.show.studio import Studio, told
from rosenblatt.show.tensorboard import History
from rosenblatt.tasks.evaluation import to_probs

log = logging.getLogger(__name__)

PAUSE, LONG_PAUSE = 2, 20  # times as long as pictures took, before the next ones; where training needs all cores
SHARE = 0.04  # of the time so far, that training may be kept waiting
NUMBERS_SHARE = 0.01  # of it, for curves and histograms
MAX_WAITING = 40  # pictures, before training waits for them


class LivePictures(pl.Callback):
    """Shows what the model makes of the validation split after epochs.

    Args:
        history: that gets it.
        spec: task and classes.
        val: all validation rows.
        plane: how rows are points, or ``None`` where they are none.
        every_n_epochs: the first one and each n-th after it; ``"auto"``: those for which there is time.
        studio: where it is drawn.

    Attributes:
        curves: by epoch, from 1, its metrics.
        seconds: that all this has kept training waiting.
    """

    def __init__(
        self,
        history: History,
        spec: DataSpec,
        val: Batch,
        plane: Plane | None,
        every_n_epochs: int | Literal["auto"],
        studio: Studio,
    ) -> None:
        self.history = history
        self.spec = spec
        self.features, self.target = val
        self.plane = plane
        self.every_n_epochs = every_n_epochs
        self.curves: dict[int, dict[str, float]] = {}
        self.seconds = 0.0
        self.studio = studio
        self._started = time.perf_counter()
        self._round_started = 0.0
        self._num_logits = self.target.shape[0] * spec.num_outputs
        self._seconds_of_numbers = self._last_numbers = 0.0
        self._seconds_of_scenes = 0.005 + 2e-7 * self._num_logits  # a guess, until it is known
        self._ended = self._validated = False
        self._logits: list[Tensor] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the model itself, and which scalars belong together."""
        if not self.is_shown(trainer):
            return
        with self._timed():
            if trainer.global_step == 0:
                with told("model graph"), _in_eval_mode(pl_module):
                    features = pl_module.transfer_batch_to_device(first_rows(self.features, 1), pl_module.device, 0)
                    self.history.log_model_graph(pl_module.model, features)  # type: ignore[arg-type]
                    self.history.log_layout(pl_module.val_metrics.names)  # type: ignore[union-attr,arg-type]

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget the validation before."""
        self._logits = []

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any
    ) -> None:
        """Keep the logits of a batch."""
        if self._num_logits <= MAX_SORTED and self.is_shown(trainer):
            self._logits.append(outputs)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note that what there is of validation is of this epoch."""
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note that there is an epoch to show; its training metrics are there only once it has ended."""
        self._ended = True

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the epoch before."""
        self._show(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the last epoch; where all pictures are wanted, wait: the last checkpoint is to know of them."""
        self._show(trainer, pl_module)
        if self.every_n_epochs != "auto":
            with self._timed():
                self.studio.wait()

    def _show(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._ended:
            return
        self._ended = False
        epoch, step = trainer.current_epoch, trainer.global_step - 1  # where Lightning puts the scalars of the epoch
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        of_epoch = ("train/", "val/") if self._validated else ("train/",)  # else `callback_metrics` has older ones
        self.curves[epoch] = {name: value for name, value in metrics.items() if name.startswith(of_epoch)}
        if not self.is_shown(trainer):
            return
        with self._timed():
            self.studio.deliver()
            numbers_are_due, pictures_are_due = self._numbers_are_due(epoch), self._pictures_are_due(epoch)
            logits = None
            if self._validated and self._logits and (numbers_are_due or pictures_are_due):
                logits = torch.cat(self._logits).float().cpu()
                if len(logits) != len(self.target):  # the Trainer was told to look at some rows only
                    logits = None
            self._logits, self._validated = [], False
            if numbers_are_due:
                start = time.perf_counter()
                with told("curves and histograms"):
                    self._log_numbers(pl_module, logits, step)
                self._last_numbers = time.perf_counter() - start
                self._seconds_of_numbers += self._last_numbers
            if pictures_are_due:
                with told("pictures"), _in_eval_mode(pl_module):
                    self._start_round(pl_module, logits, epoch, step)

    def _log_numbers(self, pl_module: pl.LightningModule, logits: Tensor | None, step: int) -> None:
        if logits is not None:
            probs = to_probs(logits, self.spec.task)
            log_pr_curves(self.history, "val", self.spec, probs, self.target, step)
        self.history.log_histograms(pl_module.model, step)  # type: ignore[arg-type]

    def _start_round(self, pl_module: pl.LightningModule, logits: Tensor | None, epoch: int, step: int) -> None:
        self.studio.wait(at_most=MAX_WAITING)
        self._round_started = time.perf_counter()
        scenes: list[tuple[str, Scene]] = [
            ("learning_curves", learning_curves(self.curves, None, f"Learning curves: up to epoch {epoch}"))
        ]
        if logits is not None:
            view = View(
                pl_module.model, self.spec, "val", f"epoch {epoch}", self.features, self.target, logits,  # type: ignore[arg-type]
                pl_module.threshold, plane=self.plane,  # type: ignore[arg-type]
            )  # fmt: skip
            scenes += [(f"val/{name}", scene) for name, scene in scenes_of(view)]
        self._seconds_of_scenes = time.perf_counter() - self._round_started
        for tag, scene in scenes:
            self.studio.draw(scene, partial(self._log, tag, step))

    def _log(self, tag: str, step: int, found: Drawn | str) -> None:
        if isinstance(found, Drawn):
            self.history.log_picture(tag, found, step)

    def _numbers_are_due(self, epoch: int) -> bool:
        if self.every_n_epochs != "auto":
            return (epoch - 1) % self.every_n_epochs == 0
        elapsed = time.perf_counter() - self._started
        return self._seconds_of_numbers + self._last_numbers <= NUMBERS_SHARE * elapsed

    def _pictures_are_due(self, epoch: int) -> bool:
        if self.every_n_epochs != "auto":
            return (epoch - 1) % self.every_n_epochs == 0
        if self.seconds + self._seconds_of_scenes > SHARE * (time.perf_counter() - self._started):
            return False
        pause = PAUSE if num_cores() > torch.get_num_threads() else LONG_PAUSE
        rested, took = time.perf_counter() - self.studio.ended, self.studio.ended - self._round_started
        return self.studio.num_waiting == 0 and rested >= pause * took

    def is_shown(self, trainer: pl.Trainer) -> bool:
        """Whether this process shows anything of this run."""
        return trainer.is_global_zero and trainer.logger is self.history  # not of a trial run of a few batches

    @contextmanager
    def _timed(self) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - start

    def state_dict(self) -> dict[str, Any]:
        """Return what a run that goes on draws its curves with."""
        return {"curves": self.curves}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it back."""
        self.curves = dict(state_dict["curves"])


@contextmanager
def _in_eval_mode(module: pl.LightningModule) -> Iterator[None]:
    modes = [(one, one.training) for one in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for one, training in modes:
            one.training = training
