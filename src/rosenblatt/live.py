"""What TensorBoard gets while a model trains: pictures, precision-recall curves and histograms of epochs."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from torch import Tensor

from rosenblatt.evaluation import to_probs
from rosenblatt.figures.draftsman import Draftsman
from rosenblatt.figures.style import Drawn
from rosenblatt.influence import first_rows
from rosenblatt.ranking import one_against_rest
from rosenblatt.scenes.curves import MAX_RANKED, learning_curves
from rosenblatt.scenes.every import scenes_of
from rosenblatt.scenes.view import Scene, View
from rosenblatt.spec import Batch, DataSpec, Features
from rosenblatt.tensorboard import History

log = logging.getLogger(__name__)

PAUSE, LONG_PAUSE = 2, 20  # times as long as pictures took, before the next ones; where training needs all cores
NUMBERS_SHARE = 0.01  # of the time so far, for curves and histograms
MAX_WAITING = 40  # pictures, before training waits for them
MAX_CURVES = 10  # classes with a precision-recall curve of their own


class LivePictures(pl.Callback):
    """Shows what the model makes of the validation split after epochs.

    Args:
        history: that gets it.
        spec: task and classes.
        val: all validation rows.
        every_n_epochs: the first one and each n-th after it; ``"auto"``: those for which there is time.

    Attributes:
        curves: by epoch, from 1, its metrics.
        seconds: that all this has kept training waiting.
    """

    def __init__(self, history: History, spec: DataSpec, val: Batch, every_n_epochs: int | Literal["auto"]) -> None:
        self.history = history
        self.spec = spec
        self.features, self.target = val
        self.every_n_epochs = every_n_epochs
        self.curves: dict[int, dict[str, float]] = {}
        self.seconds = 0.0
        self.draftsman: Draftsman | None = None
        self._drawn: deque[Callable[[], None]] = deque()
        self._started = time.perf_counter()
        self._round_started = self._round_ended = -1e9
        self._seconds_of_numbers = self._last_numbers = 0.0
        self._ended = False
        self._logits: list[Tensor] = []

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the process that draws; show the model itself, and which scalars belong together."""
        if not self._is_shown(trainer):
            return
        with self._timed():
            with told("pictures"):
                self.draftsman = Draftsman()
            if trainer.global_step == 0:
                with told("model graph"), _in_eval_mode(pl_module):
                    features = _first_row(self.features, pl_module.device)
                    self.history.log_model_graph(pl_module.model, features)  # type: ignore[arg-type]
                self.history.log_layout(pl_module.val_metrics.names)  # type: ignore[union-attr,arg-type]

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget the validation before."""
        self._logits = []

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any
    ) -> None:
        """Keep the logits of a batch."""
        if self.target.shape[0] * self.spec.num_outputs <= MAX_RANKED:
            self._logits.append(outputs)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note that there is an epoch to show; its training metrics are there only once it has ended."""
        self._ended = True

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the epoch before."""
        self._show(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the last epoch; where all pictures are wanted, wait: the last checkpoint is to know of them."""
        self._show(trainer, pl_module)
        if self.draftsman is not None and self.every_n_epochs != "auto":
            with self._timed():
                self.draftsman.wait()
                self.deliver()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """End the process that draws."""
        self.close()

    def close(self) -> None:
        """End the process that draws, and show what it has drawn."""
        if self.draftsman is not None:
            self.draftsman.close()
            self.draftsman = None
            self.deliver()

    def deliver(self) -> None:
        """Hand over what is drawn: here, since another thread must not write while a checkpoint is saved."""
        while self._drawn:
            self._drawn.popleft()()

    def draw(self, scene: Scene, done: Callable[[Drawn | str], None], with_svg: bool = False) -> None:
        """Have a picture drawn, or say at once why there is none.

        Args:
            scene: what it shows.
            done: called by `deliver`, with the files or the reason.
            with_svg: in both kinds of files.
        """
        if isinstance(scene, str):
            done(scene)
            return
        if self.draftsman is None:
            done("the process that draws could not be started")
            return

        def drawn(found: Drawn | str) -> None:  # in another thread
            self._round_ended = time.perf_counter()
            self._drawn.append(partial(done, found))

        self.draftsman.draw(scene, drawn, with_svg)

    def _show(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._ended:
            return
        self._ended = False
        epoch, step = trainer.current_epoch, trainer.global_step - 1  # where Lightning puts the scalars of the epoch
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.curves[epoch] = {name: value for name, value in metrics.items() if name.startswith(("train/", "val/"))}
        if not self._is_shown(trainer):
            return
        with self._timed():
            self.deliver()
            logits = torch.cat(self._logits).float().cpu() if self._logits else None
            if logits is not None and len(logits) != len(self.target):  # the Trainer was told to look at some rows only
                logits = None
            if self._numbers_are_due(epoch):
                start = time.perf_counter()
                with told("curves and histograms"):
                    self._log_numbers(pl_module, logits, step)
                self._last_numbers = time.perf_counter() - start
                self._seconds_of_numbers += self._last_numbers
            if self._pictures_are_due(epoch):
                with told("pictures"), _in_eval_mode(pl_module):
                    self._start_round(pl_module, logits, epoch, step)

    def _log_numbers(self, pl_module: pl.LightningModule, logits: Tensor | None, step: int) -> None:
        if logits is not None:
            probs = to_probs(logits, self.spec.task)
            asked = one_against_rest(probs, self.target, self.spec.task, self.spec.classes, MAX_CURVES)
            self.history.log_pr_curves("val", asked, step)
        self.history.log_histograms(pl_module.model, step)  # type: ignore[arg-type]

    def _start_round(self, pl_module: pl.LightningModule, logits: Tensor | None, epoch: int, step: int) -> None:
        assert self.draftsman is not None
        self.draftsman.wait(at_most=MAX_WAITING)
        self._round_started = time.perf_counter()
        scenes: list[tuple[str, Scene]] = [
            ("learning_curves", learning_curves(self.curves, None, f"Learning curves: up to epoch {epoch}"))
        ]
        if logits is not None:
            view = View(
                pl_module.model, self.spec, "val", f"epoch {epoch}", self.features, self.target, logits,  # type: ignore[arg-type]
                pl_module.threshold,  # type: ignore[arg-type]
            )  # fmt: skip
            scenes += [(f"val/{name}", scene) for name, scene in scenes_of(view)]
        for tag, scene in scenes:
            self.draw(scene, partial(self._log, tag, step))

    def _log(self, tag: str, step: int, found: Drawn | str) -> None:
        if isinstance(found, Drawn):
            self.history.log_picture(tag, found, step)

    def _numbers_are_due(self, epoch: int) -> bool:
        if self.every_n_epochs != "auto":
            return (epoch - 1) % self.every_n_epochs == 0
        elapsed = time.perf_counter() - self._started
        return self._seconds_of_numbers + self._last_numbers <= NUMBERS_SHARE * elapsed

    def _pictures_are_due(self, epoch: int) -> bool:
        if self.draftsman is None:
            return False
        if self.every_n_epochs != "auto":
            return (epoch - 1) % self.every_n_epochs == 0
        spare = (os.cpu_count() or 1) > torch.get_num_threads()
        took = self._round_ended - self._round_started
        rested = time.perf_counter() - self._round_ended
        return self.draftsman.num_waiting == 0 and rested >= (PAUSE if spare else LONG_PAUSE) * took

    def _is_shown(self, trainer: pl.Trainer) -> bool:
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
def told(what: str) -> Iterator[None]:
    """Go on without a picture that can't be drawn: no run is lost for it."""
    try:
        yield
    except Exception as error:
        log.warning("%s: not shown (%s: %s)", what, type(error).__name__, str(error).strip().split("\n")[0])
        log.debug("pictures", exc_info=True)


@contextmanager
def _in_eval_mode(module: pl.LightningModule) -> Iterator[None]:
    modes = [(one, one.training) for one in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for one, training in modes:
            one.training = training


def _first_row(features: Features, device: torch.device) -> Features:
    found = first_rows(features, 1)
    return found.to(device) if isinstance(found, Tensor) else type(found)(*(part.to(device) for part in found))
