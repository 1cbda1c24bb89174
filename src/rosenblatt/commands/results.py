"""What a trained model reaches: splits measured on one device, from predictions where there is a task."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import lightning.pytorch as pl
import polars
import torch
from lightning.pytorch.callbacks import LambdaCallback
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor, nn

from rosenblatt.commands.parts import Parts
from rosenblatt.data.columns import Columns
from rosenblatt.data.contract import has_split, loader_of, pair_of
from rosenblatt.data.features import SPLITS
from rosenblatt.errors import UserError
from rosenblatt.tasks.epoch import EpochMetrics, Measured, in_proportion
from rosenblatt.tasks.task import Task

log = logging.getLogger(__name__)

MAX_KEPT = 50_000_000  # outputs of a split that are kept, 200 MB; beyond that there are metrics alone


class Evaluator:
    """Measures a module on splits; the Trainer sees to the device, eval mode and no gradients.

    On one device, however many have trained: shares of rows made equal by repeating some would count these twice.
    """

    def __init__(self, module: pl.LightningModule, accelerator: str = "auto", precision: Any = "32-true") -> None:
        self.module = module
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()  # the others have ended, and nobody is to wait for them
        quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        try:
            self.trainer = pl.Trainer(
                accelerator=accelerator, devices=1, precision=precision, enable_checkpointing=False, **quiet
            )
        except ImportError as error:  # such as torch_xla, for a TPU
            raise UserError(f"accelerator={accelerator}: it needs a package that is not here. Try auto.") from error

    def outputs(self, loader: Any, take: Callable[[Any, Any], None]) -> None:
        """Hand what ``predict_step`` makes of each batch, and the batch, to a function."""
        each = LambdaCallback(on_predict_batch_end=lambda trainer, module, outputs, batch, *_: take(outputs, batch))
        self.trainer.callbacks = [each]  # type: ignore[attr-defined]
        self.trainer.predict(self.module, dataloaders=loader, return_predictions=False)

    def measured(
        self, loader: Any, task: Task, loss: nn.Module, ranking: bool, per_class: bool = False, keep_all: bool = False
    ) -> Measured:
        """Return what the module's predictions of a split reach.

        Args:
            ranking: also metrics that sort all rows, however many classes there are.
            per_class: also those of every class by itself.
            keep_all: keep outputs however many there are.
        """
        metrics = EpochMetrics(task, ranking=ranking or task.ranks_cheaply, per_class=per_class)
        kept: list[Tensor] = []
        targets: list[Tensor] = []
        num = 0

        def take(outputs: Any, batch: Any) -> None:
            nonlocal num
            pair = pair_of(batch)
            if pair is None or not isinstance(outputs, Tensor):
                raise UserError(
                    "module: to evaluate by a task, predict_step has to return a tensor of outputs, and a batch to be "
                    "(features, target)."
                )
            task.check(outputs, pair[1])
            outputs = outputs.detach().float()
            if not targets:
                metrics.to(outputs.device)
            seen = outputs if getattr(loss, "margin", None) else task.tempered(outputs)  # a margin is one of outputs
            metrics.update(outputs, pair[1], loss(seen, pair[1]))
            targets.append(pair[1].cpu())
            num += outputs.numel()
            if keep_all or num <= MAX_KEPT:
                kept.append(outputs.cpu())
            else:
                kept.clear()

        self.outputs(loader, take)
        values, classes = metrics.to("cpu").compute()
        target = torch.cat(targets)
        outputs = torch.cat(kept) if kept else torch.empty(0)
        # Of none, where they were too many to keep, there is no row to look at.
        if len(outputs) and (odd := int((~outputs.isfinite()).view(len(outputs), -1).any(dim=1).sum())):
            log.warning("The model gives NaN or infinity for %s of %s rows: look at their features.", odd, len(target))
        return Measured(values, classes, outputs, target)

    def logged(self, loader: Any, split: str) -> dict[str, float]:
        """Return what the module's own steps log of a split: ``validation_step`` or ``test_step``."""
        step, run = {"val": ("validation_step", self.trainer.validate), "test": ("test_step", self.trainer.test)}[split]
        if not is_overridden(step, self.module, pl.LightningModule):
            return {}
        self.trainer.callbacks = []  # type: ignore[attr-defined]
        found = run(self.module, dataloaders=loader, verbose=False)
        return {name: float(value) for one in found for name, value in one.items()}


class Reached(NamedTuple):
    """What a trained module reaches.

    Attributes:
        figures: flat, as in ``metrics.json``.
        splits: that were measured; the last one is what is reported.
        task: with what validation says of decisions; ``None``: the module alone knows.
        measured: the last split; ``None``: its own steps have measured it.
        num_rows: of each split that was measured by a task.
    """

    figures: dict[str, Any]
    splits: list[str]
    task: Task | None
    measured: Measured | None
    num_rows: dict[str, int]

    @property
    def last(self) -> str:
        """The split that is reported."""
        return self.splits[-1] if self.splits else ""


def evaluate(
    parts: Parts,
    accelerator: str,
    precision: Any,
    final: bool,
    keep_all: bool = False,
    before_test: Callable[[], None] = lambda: None,
) -> Reached:
    """Measure a module on the splits of its data.

    Args:
        final: whether test is measured: a job of a sweep does without.
        keep_all: keep outputs however many there are.
        before_test: called when all but test is measured.
    """
    data, task = parts.data, parts.task
    if final and has_split(data, "test"):
        data.setup("test")
    loaders = {split: loader_of(data, split) for split in SPLITS if split != "test" or final}
    loaders = {split: loader for split, loader in loaders.items() if loader is not None}
    evaluator = Evaluator(parts.module, accelerator, precision)
    if task is None or parts.loss is None:
        return _by_own_steps(evaluator, loaders)
    try:
        if "val" in loaders and (task.needs_validation or parts.decision.by_validation):
            found = evaluator.measured(loaders["val"], task, parts.loss, ranking=False, keep_all=True)
            task = task.tuned(found.outputs, found.target, parts.decision)
        measured: Measured | None = None
        figures: dict[str, Any] = {}
        num_rows: dict[str, int] = {}
        for split, loader in loaders.items():
            last = split == list(loaders)[-1]
            if split == "test":
                before_test()
            measured = evaluator.measured(loader, task, parts.loss, ranking=last, per_class=last, keep_all=keep_all)
            figures |= {f"{split}/{name}": value for name, value in measured.values.items()}
            num_rows[split] = len(measured.target)
    except UserError as error:
        if parts.takes_task:
            raise
        log.info("Measured by the module's own steps, since what it predicts is not of the task of its data: %s", error)
        return _by_own_steps(evaluator, loaders)
    return Reached(figures | task.decision_figures(), list(loaders), task, measured, num_rows)


def put_in_proportion(reached: Reached, loss: nn.Module | None) -> Reached:
    """Return it with intervals, a baseline and more of the last split, see `rosenblatt.tasks.epoch.in_proportion`."""
    if reached.task is None or reached.measured is None or loss is None:
        return reached
    found = in_proportion(reached.task, reached.measured, loss, ranking=reached.task.ranks_cheaply)
    return reached._replace(figures=reached.figures | {f"{reached.last}/{name}": one for name, one in found.items()})


def _by_own_steps(evaluator: Evaluator, loaders: Mapping[str, Any]) -> Reached:
    """Measure with ``validation_step`` and ``test_step``, and what they log."""
    figures: dict[str, Any] = {}
    splits = []
    for split in ("val", "test"):
        found = evaluator.logged(loaders[split], split) if split in loaders else {}
        figures |= found
        splits += [split] if found else []
    return Reached(figures, splits, None, None, {})


def worst_rows(
    columns: Columns, task: Task, scores: Tensor, target: Tensor, frame: polars.DataFrame | None, at_most: int
) -> list[dict[str, Any]]:
    """Return the rows that are predicted wrongly, the worst first.

    Returns:
        ``row`` (from 1), ``true``, ``prediction``, how sure it was, and ``content`` of each, where it is known.
    """
    rows = task.mistakes(scores, target, at_most)
    predictions = task.predictions(scores[rows])
    true = task.labels_of(target[rows])
    content: list[Any] = [""] * len(rows)
    if frame is not None and columns.text:
        content = columns.texts_of(frame[rows], "rows").to_list()
    elif frame is not None:
        every = frame[rows].iter_rows(named=True)
        content = [", ".join(f"{key}={_plain(value)}" for key, value in row.items()) for row in every]
    return [
        {"row": row + 1, "true": true[place], **predictions.row(place, named=True), "content": content[place]}
        for place, row in enumerate(rows)
    ]


def _plain(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
