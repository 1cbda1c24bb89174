"""Each touch of a private name of Lightning or torchmetrics; checked on lightning 2.6.6 and torchmetrics 1.9.

All that a checkpoint within an epoch needs and Lightning does not keep is in its loops, which have no public face.
Where one of these names changes, ``tests/loop/test_any_loader.py`` and ``tests/loop/test_checkpoints.py`` fail.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import wraps
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.data import sized_len
from lightning.pytorch.trainer.connectors.logger_connector.result import _Metadata, _ResultMetric, _Sync
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics import Metric, MetricCollection


def before_epochs(trainer: pl.Trainer, function: Callable[[], None]) -> None:
    """Call a function between two epochs: all of one is done and logged, and no hook of the next was called.

    Lightning's callbacks have no such moment. Where ``on_advance_start`` of its fit loop is gone, nothing is saved
    after epochs, and a resumed run does not get its random numbers back.
    """
    _extend(trainer.fit_loop, "on_advance_start", before=function)


def before_train_end(trainer: pl.Trainer, function: Callable[[], None]) -> None:
    """Call a function after the last epoch, before ``on_train_end`` of callbacks, which may exchange the weights."""
    _extend(trainer.fit_loop, "on_run_end", before=function)


def after_steps(trainer: pl.Trainer, function: Callable[[], None]) -> None:
    """Call a function after each step: the module's own hooks were called, its values are logged, validation is done.

    A callback's ``on_train_batch_end`` comes before all of these. Where ``on_advance_end`` of the epoch loop is gone,
    nothing is saved within an epoch.
    """
    _extend(trainer.fit_loop.epoch_loop, "on_advance_end", after=function)


def with_loaders(trainer: pl.Trainer, exchange: Callable[[list[Any]], list[Any]]) -> None:
    """Have the training loop go through others in place of the loaders; ``trainer.train_dataloader`` stays the user's.

    It is done after Lightning has put in its samplers, and before it loads their states and iterates. Of the combined
    loader only ``_flattened``, which it iterates, is exchanged, and not ``_iterables``, which the user sees.
    """
    loop = trainer.fit_loop

    def before() -> None:
        combined = loop._combined_loader
        assert combined is not None
        combined._flattened = exchange(combined._flattened)

    _extend(loop, "_load_combined_loader_states", before=before)


def _extend(
    loop: Any, name: str, before: Callable[[], None] | None = None, after: Callable[[], None] | None = None
) -> None:
    original = getattr(loop, name)

    @wraps(original)
    def extended(*args: Any) -> Any:
        if before is not None:
            before()
        result = original(*args)
        if after is not None:
            after()
        return result

    setattr(loop, name, extended)


def nothing_is_half_done(trainer: pl.Trainer) -> bool:
    """Return whether, after a step, neither gradients wait for others, nor a validation or the epoch's end is due.

    A checkpoint from where a validation was due would make Lightning step the schedule twice.
    """
    loop = trainer.fit_loop.epoch_loop
    if loop._is_training_done or (trainer.should_stop and trainer.fit_loop._can_stop_early):
        return False  # the epoch ends here
    if loop._should_accumulate():
        return False
    return not loop._should_check_val_fx(trainer.fit_loop._data_fetcher)  # type: ignore[arg-type]


def forget_restart(trainer: pl.Trainer, whole_epochs: bool) -> None:
    """Let Lightning know that nothing is left to restore.

    It believes so only at the end of the epoch, and until then would not let the plateau schedule see the epoch's
    metric. Where training is to take a number of steps, its setter says so of every epoch: hence the field.

    Args:
        trainer: about to start its first epoch.
        whole_epochs: the checkpoint is one from between two, so that this one starts anew, its loaders too.
    """
    loop = trainer.fit_loop
    loop._restarting = False
    if whole_epochs:
        loop._resuming_from_checkpoint = False
        for part in (loop, loop.epoch_loop, loop.epoch_loop.val_loop):
            part.reset_restart_stage()
            part._restarting = False


def num_ahead(trainer: pl.Trainer) -> int:
    """Return how many batches were fetched before they are due: one where the loaders have no length."""
    return len(getattr(trainer.fit_loop._data_fetcher, "batches", ()))


def has_length(loader: Any) -> bool:
    """Return whether Lightning knows how many batches a loader has."""
    return sized_len(loader) is not None


def pass_state(trainer: pl.Trainer) -> dict[str, Any]:
    """Return what the passes through loaders keep beside the loaders.

    These are: which of several was through once (``_consumed``), the epoch in which they were made, and which loaders
    of validation have workers that live on, since to make those draws a number.
    """
    loop = trainer.fit_loop
    iterator = getattr(loop._combined_loader, "_iterator", None)
    return {
        "consumed": list(getattr(iterator, "_consumed", [])),
        "reloaded": loop._last_train_dl_reload_epoch,
        "alive": [getattr(loader, "_iterator", None) is not None for loader in val_loaders(trainer)],
    }


def load_pass_state(trainer: pl.Trainer, state: dict[str, Any], whole_epochs: bool) -> None:
    """Take back what `pass_state` returned."""
    loop = trainer.fit_loop
    loop._last_train_dl_reload_epoch = state["reloaded"]
    iterator: Any = getattr(loop._combined_loader, "_iterator", None)
    if not whole_epochs and hasattr(iterator, "_consumed"):
        iterator._consumed = state["consumed"]
    for loader, alive in zip(val_loaders(trainer), state["alive"], strict=False):
        if alive and isinstance(loader, DataLoader) and loader._iterator is None:
            iter(loader)


def train_loaders(trainer: pl.Trainer) -> list[Any]:
    """Return what the training loop iterates, as a flat list."""
    combined = trainer.fit_loop._combined_loader
    return [] if combined is None else combined.flattened


def val_loaders(trainer: pl.Trainer) -> list[Any]:
    """Return the loaders of validation, as a flat list."""
    combined = trainer.fit_loop.epoch_loop.val_loop._combined_loader
    return [] if combined is None else combined.flattened


def is_whole(trainer: pl.Trainer) -> bool:
    """Return whether the epoch that ends has had all its batches, or training all its steps."""
    return trainer.fit_loop.epoch_loop._is_training_done


def measured(trainer: pl.Trainer) -> dict[str, float]:
    """Return what was logged in the epoch, or validation, that has just ended.

    ``trainer.callback_metrics`` also holds what an earlier one has left.
    """
    results = trainer._results
    names = {
        name
        for item in (results or {}).values()
        if not item.has_reset
        for on_step in (True, False)
        for name in results._forked_name(item, on_step)  # type: ignore[union-attr]
    }
    return {name: float(value) for name, value in trainer.callback_metrics.items() if name in names}


def metrics_before(trainer: pl.Trainer) -> dict[str, dict[str, float]]:
    """Return the latest values, which schedules and callbacks look at where an epoch brings no others."""
    connector = trainer._logger_connector
    shelves = {"callback": connector.callback_metrics, "logged": connector.logged_metrics}
    return {shelf: {name: float(value) for name, value in values.items()} for shelf, values in shelves.items()}


def load_metrics_before(trainer: pl.Trainer, values: dict[str, dict[str, float]]) -> None:
    """Take back what `metrics_before` returned."""
    connector = trainer._logger_connector
    for shelf, metrics in (("callback", connector._callback_metrics), ("logged", connector._logged_metrics)):
        metrics.update({name: torch.tensor(value) for name, value in values[shelf].items()})


def metric_states(module: nn.Module) -> dict[str, Any]:
    """Return the states of all torchmetrics of a module, persistent or not, and which of a collection belong together.

    Of torchmetrics these are ``_defaults``, ``_update_count`` and ``_computed`` of a metric, ``_groups`` and
    ``_groups_checked`` of a collection.
    """
    found: dict[str, Any] = {}
    for name, metric in _metrics(module).items():
        states = {state: getattr(metric, state) for state in metric._defaults}
        found[name] = {"states": states, "updates": metric._update_count}
    for name, part in module.named_modules():
        if isinstance(part, MetricCollection) and part._groups_checked:
            found[f"groups of {name}"] = [list(group) for group in part._groups.values()]
    return found


def load_metric_states(module: nn.Module, found: dict[str, Any]) -> None:
    """Take back what `metric_states` returned."""
    for name, metric in _metrics(module).items():
        if name in found:
            for state, value in found[name]["states"].items():
                copied = (
                    [one.to(metric.device) for one in value] if isinstance(value, list) else value.to(metric.device)
                )
                setattr(metric, state, copied)
            metric._update_count, metric._computed = found[name]["updates"], None
    for name, part in module.named_modules():
        if isinstance(part, MetricCollection) and f"groups of {name}" in found:
            part._groups = dict(enumerate(found[f"groups of {name}"]))
            part._groups_checked = True
            part._compute_groups_create_state_ref()


def _metrics(module: nn.Module) -> dict[str, Metric]:
    """Return the metrics of a module by name, those in its plain lists and dicts included."""
    found: dict[str, Metric] = {}
    for name, part in module.named_modules():
        if isinstance(part, Metric):
            found[name] = part
        for attribute, value in vars(part).items():
            if isinstance(value, dict | list | tuple) and not attribute.startswith("_"):
                items = value.items() if isinstance(value, dict) else enumerate(value)
                found |= {f"{name}.{attribute}[{key}]": one for key, one in items if isinstance(one, Metric)}
    return found


def epoch_results(trainer: pl.Trainer, module: nn.Module) -> dict[str, Any]:
    """Return the means of the epoch so far, and how each was logged: Lightning's checkpoints leave them out.

    Of a metric that was logged as an object, the name in its module; its state is among `metric_states`.
    """
    names = {id(metric): name for name, metric in _metrics(module).items()}
    found: dict[str, Any] = {}
    for key, item in trainer.fit_loop.epoch_loop._results.items():
        meta, sync = item.meta, item.meta.sync
        if item.has_reset or sync.group is not None or not (item.is_tensor or id(item.value) in names):
            continue
        reduce = meta.reduce_fx.__name__
        found[key] = {
            "meta": {name: value for name, value in vars(meta).items() if name not in ("reduce_fx", "_sync")},
            "reduce": (meta.reduce_fx is getattr(torch, reduce), reduce),
            "sync": (sync.should, sync.rank_zero_only),
            "metric": None if item.is_tensor else names[id(item.value)],
            "states": {state: getattr(item, state) for state in item._defaults},
            "updates": item._update_count,
            "step": item._forward_cache,
        }
    return found


def load_epoch_results(trainer: pl.Trainer, module: nn.Module, found: dict[str, Any]) -> None:
    """Take back what `epoch_results` returned, at the start of the epoch's next step."""
    metrics, builtin = _metrics(module), vars(builtins)
    results = trainer.fit_loop.epoch_loop._results
    for key, one in found.items():
        of_torch, reduce = one["reduce"]
        meta = _Metadata(**one["meta"], reduce_fx=getattr(torch, reduce) if of_torch else builtin[reduce])
        should, rank_zero_only = one["sync"]
        meta.sync = _Sync(fn=trainer.strategy.reduce, _should=should, rank_zero_only=rank_zero_only)
        item = _ResultMetric(meta, is_tensor=one["metric"] is None)
        for state, value in one["states"].items():
            setattr(item, state, value)
        if one["metric"] is not None:
            item.value = metrics[one["metric"]]
        item._update_count, item._forward_cache, item.has_reset = one["updates"], one["step"], False
        results[key] = item
    # Else it takes the next batch for the epoch's first, and sets the means to zero.
    trainer._logger_connector._first_loop_iter = True


def dump_checkpoint(trainer: pl.Trainer, weights_only: bool) -> dict[str, Any]:
    """Return what ``trainer.save_checkpoint`` would write, without hyperparameters.

    Those may be whatever was given to a constructor, of which a checkpoint that holds no code can't hold most; the run
    folder has them in its configuration.
    """
    checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only)
    for part in (trainer.lightning_module, getattr(trainer, "datamodule", None)):
        for name in ("NAME", "KEY", "TYPE"):
            checkpoint.pop(getattr(part, f"CHECKPOINT_HYPER_PARAMS_{name}", ""), None)
    return checkpoint


def tell_hyperparameters_in_words(module: pl.LightningModule) -> None:
    """Have loggers get values that are no plain ones, such as a task, as words: Lightning takes frozen ones apart.

    ``module.hparams`` stays as it is; what is logged is a copy from when they were saved.
    """
    hparams: Any = getattr(module, "_hparams_initial", {})
    for name, value in hparams.items():
        if is_dataclass(value):
            hparams[name] = str(value)


def own_hook(part: Any, name: str) -> bool:
    """Return whether somebody has written a hook of a module, data module or callback, in its class or later."""
    base = next(kind for kind in (pl.Callback, pl.LightningModule, pl.LightningDataModule) if isinstance(part, kind))
    hook = getattr(part, name)
    return hook is not None and getattr(hook, "__func__", None) is not getattr(base, name)
