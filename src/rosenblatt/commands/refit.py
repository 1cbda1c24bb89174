"""Train anew on train and validation together, once validation has said for how long."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
from omegaconf import DictConfig

from rosenblatt.cli.build import build
from rosenblatt.cli.values import plain
from rosenblatt.commands.parts import Parts
from rosenblatt.loop.lean import make_lean
from rosenblatt.loop.signals import StopOnCtrlC

log = logging.getLogger(__name__)


class Refit:
    """What it takes to train a module again from its start; made before it is trained.

    Not where anything but the number of epochs is chosen on validation in the end, and so would be chosen on rows that
    were learnt: a threshold, intervals of numbers. A temperature is read off validation before. Nor beside callbacks of
    somebody's own, such as one that averages weights, which belong to one training.

    Attributes:
        num_rows: that the module was trained on anew; 0: it was not.
    """

    def __init__(self, config: DictConfig, parts: Parts, stop: StopOnCtrlC, final: bool) -> None:
        self.config, self.parts, self.stop, self.num_rows = config, parts, stop, 0
        joined: Callable[[], Any] = getattr(parts.data, "refit_dataloader", lambda: None)
        chosen_later = parts.task is None or parts.task.needs_validation or parts.decision.goal is not None
        possible = final and parts.takes_task and not chosen_later and not any((config.callbacks or {}).values())
        self.loader = joined() if possible else None
        if self.loader is not None:
            self.start = {name: one.clone() for name, one in parts.module.state_dict().items()}

    def run(self, trained: pl.Trainer, best_epoch: int) -> None:
        """Train for as many epochs as before, or where that was stopped early, up to the best one.

        Ctrl-C leaves the weights that there were.
        """
        tried = trained.world_size > 1 or trained.fast_dev_run  # type: ignore[attr-defined]
        if self.loader is None or self.stop.pressed or tried:
            return
        module, stop = self.parts.module, StopOnCtrlC()
        epochs = trained.current_epoch if trained.current_epoch == trained.max_epochs else best_epoch
        before = {name: one.clone() for name, one in module.state_dict().items()}
        module.load_state_dict(self.start)
        settings = plain(self.config.trainer) | {"max_epochs": epochs, "limit_val_batches": 0, "devices": 1}
        trainer = build("trainer", settings, logger=False, callbacks=[stop], enable_checkpointing=False)
        make_lean(trainer, module)
        num_rows = getattr(self.loader, "num_rows", 0) or len(self.loader.dataset)
        log.info(
            "Training anew on all %s rows of train and validation, epochs: %s; figures of these two are those of the "
            "model before (data.refit=false leaves it).", f"{num_rows:,}", epochs,
        )  # fmt: skip
        trainer.fit(module, train_dataloaders=self.loader)
        if stop.pressed:
            log.warning("Ctrl-C: the model is the one before, of the training rows alone.")
            module.load_state_dict(before)
            self.stop.signal_number = stop.signal_number
            return
        self.num_rows = num_rows
