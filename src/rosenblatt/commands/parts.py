"""What a run is made of: data, model, task, loss and module, each by its ``_target_``, and what one offers another."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from torch import Tensor, nn
from torchmetrics import Metric

from rosenblatt.cli.build import build, build_each, names
from rosenblatt.cli.values import plain
from rosenblatt.data.contract import (
    first_batches,
    has_split,
    looking,
    pair_of,
    sizes_of,
    splits_of,
    task_of,
    to_look_at,
)
from rosenblatt.errors import UserError, check_choice, first_line, nearest
from rosenblatt.loop.internals import tell_hyperparameters_in_words
from rosenblatt.loop.threads import ALL_THREADS, num_parameters, use_threads
from rosenblatt.show.inside import looked_at
from rosenblatt.show.metrics import parted
from rosenblatt.tasks.classification import Classification
from rosenblatt.tasks.epoch import EpochMetrics
from rosenblatt.tasks.inference import task_named, task_of_batch
from rosenblatt.tasks.regression import Regression
from rosenblatt.tasks.task import Task
from rosenblatt.tasks.threshold import Decision
from rosenblatt.tasks.titles import direction

log = logging.getLogger(__name__)

SCALE_BATCHES = 100  # training batches whose numbers tell the scale of a target that nobody has scaled


class Parts(NamedTuple):
    """What a run is made of.

    Attributes:
        data: serves batches.
        module: that is trained.
        model: that it was given; ``None``: it has its own.
        task: what there is to predict; ``None``: the module alone knows.
        loss: takes outputs and target, to measure with.
        decision: how decisions are to be made.
        mode: whether the monitored metric is to be low or high; ``None`` is refused.
        sizes: that data offer to models.
        takes_task: whether the module's constructor names the task.
    """

    data: pl.LightningDataModule
    module: pl.LightningModule
    model: nn.Module | None
    task: Task | None
    loss: nn.Module | None
    decision: Decision
    mode: str | None
    sizes: dict[str, Any]
    takes_task: bool

    @property
    def described(self) -> str:
        """All of it in a sentence."""
        what = type(self.module if self.model is None else self.model).__name__
        rows = ", ".join(f"{split} {len(target):,}" for split, (_, target) in splits_of(self.data).items())
        parts = [
            "" if self.task is None else self.task.described,
            f"rows: {rows}" if rows else type(self.data).__name__,
            f"{self.sizes['num_features']:,} features" if "num_features" in self.sizes else "",
            f"{what} with {num_parameters(self.module):,} parameters",
        ]
        return "; ".join(part for part in parts if part)

    def use_threads(self, threads: int | None) -> None:
        """Set with how many threads PyTorch computes; ``None``: by the size of the model.

        Where loaders are other people's, it is as many as a bare Trainer has: sums of other numbers have other bits.
        """
        use_threads(threads or (None if splits_of(self.data) else ALL_THREADS), self.module)

    @property
    def logged(self) -> dict[str, bool | None]:
        """Names of metrics that the module is known to log, and whether each is to be high; others may come."""
        found: dict[str, bool | None] = {}
        for part in self.module.modules():
            if isinstance(part, EpochMetrics) and part.prefix:
                better = part.higher_is_better()
                found |= {f"{part.prefix}{name}": better.get(name) for name in part.names}
        return found


def make_parts(config: DictConfig) -> Parts:
    """Build data, model, task, loss and module.

    Raises:
        UserError: whatever of it can't be made, or does not fit together.
    """
    threshold = build("threshold", config.threshold)
    decision = threshold.decision._replace(temperature=config.calibration is not None)
    data: pl.LightningDataModule = build("data", config.data, pl.LightningDataModule)
    looked = to_look_at(data)
    said = task_of(looked, config.task)
    sizes = sizes_of(looked) | ({} if said is None else {"task": getattr(said, "name", said)})
    takes = names(config.module)
    task = said if isinstance(said, Task) else None
    model = make_model(config, sizes, said) if "model" in takes else None
    if model is not None and hasattr(model, "auto_batch_size") and hasattr(data, "auto_batch_size"):
        data.auto_batch_size = model.auto_batch_size
    if not isinstance(said, Task) and ("task" in takes or said is not None):
        task = read_task(looked, model, said)
    if task is not None:
        task = replace(task, threshold=float(threshold.value)) if isinstance(task, Classification) else task
        task = with_metrics(task, config.metrics)
        if isinstance(task, Regression) and not _is_typed("calibration="):
            decision = decision._replace(temperature=False)  # which a loss of classes has asked for
        if "task" in takes:
            task.check_decision(decision)
    if decision.by_validation and not has_split(data, "val"):
        raise UserError(
            f"threshold, calibration: they are chosen on validation, and {type(data).__name__} has no val_dataloader. "
            "Write one, or leave them out."
        )
    loss = None if task is None else make_loss(config.loss, task)
    # A module that does not ask for the task is measured by one only where data or the user have said which.
    measured = task if "task" in takes or isinstance(said, Task) or config.task is not None else None
    mode = mode_of(config, measured)
    module: pl.LightningModule = build(
        "module",
        config.module,
        pl.LightningModule,
        model=model,
        task=task,
        loss=loss,
        optimizer=build(
            "optimizer",
            config.optimizer,
            batch_size=getattr(data, "batch_size", 1),
            spread=Task.spread if task is None else task.spread,
        ),
        scheduler=build("scheduler", config.scheduler, mode=mode) if config.scheduler else None,
        monitor=config.early_stopping.monitor,
    )
    tell_hyperparameters_in_words(module)
    _warn_of_ignored(config, takes if measured is None else {*takes, "loss"})
    parts = Parts(data, module, model, measured, loss, decision, mode, sizes, "task" in takes)
    _check_monitor(config, parts)
    return parts


def _is_typed(*starts: str) -> bool:
    """Return whether a word of the command line begins so."""
    words = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    return any(word.lstrip("+").startswith(starts) for word in words)


def _warn_of_ignored(config: DictConfig, takes: set[str]) -> None:
    """Say so where somebody has typed what a module of its own kind does not take."""
    for group in ("model", "loss", "optimizer", "scheduler"):
        if group not in takes and _is_typed(f"{group}=", f"{group}."):
            log.warning("%s is ignored: %s takes none.", group, config.module._target_)


def make_model(config: DictConfig, sizes: Mapping[str, Any], said: Task | str | None) -> nn.Module:
    """Build the model with the sizes that data offer, and what is known of the task, as far as it names them."""
    known: dict[str, Any] = {}
    if isinstance(said, Task):
        known["num_outputs"] = said.num_outputs
    elif said in ("binary", "regression"):
        known["num_outputs"] = 1
    if isinstance(said, Classification) and said.class_counts and (margin := config.loss.get("margin")) is not None:
        known["start"] = said.best_without_features(margin)
    model: nn.Module = build("model", config.model, nn.Module, **sizes, **known)
    return model


def read_task(looked: pl.LightningDataModule, model: nn.Module | None, said: str | None) -> Task:
    """Return the task that the first batch, and what the model makes of it, are of."""
    if model is None:
        if said is None:
            raise UserError("task: the module asks for it, and nobody says it: task=binary, multiclass, ...")
        return task_named(said)
    pair = pair_of(first_batches(looked)[0])
    if pair is None:
        raise UserError(
            "data: expected batches of two, (features, target), which the module trains on; the first one is of "
            "another kind. Bring a LightningModule that takes it: module=..."
        )
    features, target = pair
    with looking(), looked_at(model), torch.no_grad():
        try:
            outputs = model(features)
        except Exception as error:  # of a network of somebody's own
            kind = f"features {tuple(features.shape)}" if isinstance(features, Tensor) else "features"
            raise UserError(
                f"model: {type(model).__name__} can't take the first batch, with {kind}: {first_line(error)}"
            ) from error
    task = task_of_batch(outputs, target, said)
    if isinstance(task, Regression):
        batches = first_batches(looked, SCALE_BATCHES)
        numbers = torch.cat([batch[1].flatten() for batch in batches])
        if not numbers.isfinite().all():
            raise UserError(
                f"data: expected numbers to predict; of the first {len(numbers):,} training rows "
                f"{int((~numbers.isfinite()).sum()):,} have NaN or infinity. Correct these rows or take them out."
            )
        task = task.counted(numbers)
    log.info("The first batch says: %s.", task.described)
    return task


def with_metrics(task: Task, node: DictConfig) -> Task:
    """Return the task with metrics of somebody's own."""
    num = len(task.classes)
    return task.with_metrics(build_each("metrics", node, Metric, num_classes=num, num_labels=num, task=task.name))


def make_loss(node: DictConfig, task: Task) -> nn.Module:
    """Build the loss: the task's own with its settings, or somebody's own."""
    if node.get("_target_") is None:
        for key in ("loss.label_smoothing", "loss.margin"):  # else they are of the data's own recipe
            if isinstance(task, Regression) and _is_typed(f"{key}="):
                raise UserError(f"{key}: numbers have no classes. Leave it out.")
        return task.loss(**{name: value for name, value in plain(node).items() if name != "_target_"})
    return task.seen_by(build("loss", node, nn.Module))


def mode_of(config: DictConfig, task: Task | None) -> str | None:
    """Return whether the monitored metric is to be low or high; ``None`` where nobody says it.

    What was set comes first; then what the metric says (``higher_is_better``); a loss is to be low.
    """
    monitor, said = str(config.early_stopping.monitor), config.early_stopping.mode
    known: str | None = direction(monitor)
    if task is not None:
        better = EpochMetrics(task, ranking=True).higher_is_better().get(monitor.rpartition("/")[2])
        known = known if better is None else "max" if better else "min"
    if said is not None and known is not None and said != known:
        told = "early_stopping.mode=%s: %s is better when %s; as you say it, the worst epoch is kept."
        log.warning(told, said, monitor, "high" if known == "max" else "low")
    return said or known


def _check_monitor(config: DictConfig, parts: Parts) -> None:
    """Raise a `UserError` for a metric to monitor that is known not to come, or whose direction nobody knows."""
    monitor = str(config.early_stopping.monitor)
    validates = has_split(parts.data, "val")
    if parted(monitor)[0] == "val" and not validates:
        raise UserError(
            f"early_stopping.monitor={monitor}: {type(parts.data).__name__} has no val_dataloader, so nothing is "
            "validated. Write one, or watch the training: early_stopping.monitor=train/loss"
        )
    known = parts.logged
    if known and monitor.partition("/")[0] in ("train", "val"):
        check_choice(
            "early_stopping.monitor", monitor, [name for name in known if validates or parted(name)[0] != "val"]
        )
    if parts.mode is None:
        raise UserError(
            f"early_stopping.mode: nobody says whether {monitor} is to be low or high. Say it: early_stopping.mode=max "
            f"or early_stopping.mode=min.{nearest(monitor, known)}"
        )
