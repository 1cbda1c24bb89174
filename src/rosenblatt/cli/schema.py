"""The settings that the engine itself reads: their types, their defaults, and what they may be.

A project's YAML files need not name them all, and may have keys of their own; what stands under a ``_target_`` is
checked against that class (`rosenblatt.cli.build`).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from rosenblatt.arguments import described, fits, nearest_in
from rosenblatt.cli.project import choices, groups
from rosenblatt.errors import UserError, listed, nearest

log = logging.getLogger(__name__)

ABSENT = object()


class Key(NamedTuple):
    """What a setting may be.

    Attributes:
        kind: its type, as in a signature.
        default: where no YAML file says it; ``"???"``: it has to be given.
        limit: of a number, by its name in `LIMITS`, which messages give.
    """

    kind: Any
    default: Any = None
    limit: str = ""


AT_LEAST_0, AT_LEAST_1, ABOVE_0, A_RATE = " of at least 0", " of at least 1", " above 0", " above 0, such as lr=0.001"
A_SHARE, A_SEED = " from 0 to below 1", f" from 0 to {2**32 - 1}"
LIMITS: dict[str, Callable[[float], bool]] = {
    "": math.isfinite,
    AT_LEAST_0: lambda number: number >= 0,
    AT_LEAST_1: lambda number: number >= 1,
    ABOVE_0: lambda number: number > 0,
    A_RATE: lambda number: number > 0,
    A_SHARE: lambda number: 0 <= number < 1,
    A_SEED: lambda number: 0 <= number < 2**32,
}
COLUMN: Any = None | str | int
TRAIN = {
    "seed": Key(int, 0, A_SEED),
    "lr": Key(float, 0.001, A_RATE),
    "threads": Key(None | int, None, AT_LEAST_1),
    "task": Key(None | Literal["binary", "multiclass", "multilabel", "regression"]),
    "calibration": Key(None | Literal["temperature"]),
    "loss.class_weights": Key(None | Literal["balanced"] | list[float]),
    "loss.label_smoothing": Key(float, 0.0, A_SHARE),
    "early_stopping.monitor": Key(str, "val/loss"),
    "early_stopping.mode": Key(Literal["min", "max"] | None),
    "early_stopping.patience": Key(None | int, 3, AT_LEAST_0),
    "early_stopping.min_delta": Key(float, 0.0, AT_LEAST_0),
    "checkpoint.min_seconds": Key(float, 1, AT_LEAST_0),
    "checkpoint.every_n_steps": Key(None | int, None, AT_LEAST_1),
    "checkpoint.every_n_minutes": Key(None | float, 10, ABOVE_0),
    "figures.every_n_epochs": Key(None | Literal["auto"] | int, "auto", AT_LEAST_1),
    "resume": Key(None | str),
    "resume_anyway": Key(bool, False),
    "sweep.method": Key(Literal["grid", "optuna"], "grid"),
    "sweep.name": Key(None | str | int),
    "sweep.seeds": Key(int, 1, AT_LEAST_1),
    "sweep.objective": Key(str | list[str], "${early_stopping.monitor}"),
    "sweep.max_failures": Key(None | int, None, AT_LEAST_0),
    "sweep.retry_failed": Key(bool, False),
    "sweep.trials": Key(int, 30, AT_LEAST_1),
    "sweep.space": Key(dict, {}),
    "sweep.sampler": Key(str, "tpe"),
    "sweep.pruner": Key(None | str),
    "sweep.storage": Key(None | str),
}
EVALUATE = {
    "run": Key(str, "???"),
    "data.test": Key(None | str),
    "data.text_column": Key(COLUMN | list[str | int]),
    "data.label_column": Key(COLUMN | list[str | int]),
    "data.encoding": Key(None | str),
    "data.separator": Key(None | str),
    "data.broken_rows": Key(None | Literal["refuse", "skip"]),
    "output": Key(None | str),
    "mistakes": Key(int, 10, AT_LEAST_0),
    "accelerator": Key(str, "auto"),
    "threads": Key(None | int, None, AT_LEAST_1),
    "overwrite": Key(bool, False),
}
PREDICT = {
    "run": Key(str, "???"),
    "input": Key(None | str),
    "text": Key(None | str | list[str]),
    "split": Key(None | str),
    "output": Key(None | str),
    "probabilities": Key(bool, False),
    "explain": Key(bool | int, False, AT_LEAST_0),
    "prefix": Key(str, ""),
    "overwrite": Key(bool, False),
    "text_column": Key(COLUMN | list[str | int]),
    "encoding": Key(None | str),
    "separator": Key(None | str),
}
EXPORT = {
    "run": Key(str, "???"),
    "format": Key(Literal["onnx", "torch_export"], "onnx"),
    "input": Key(None | str),
    "output": Key(None | str),
    "overwrite": Key(bool, False),
}
SCHEMAS = {"train": TRAIN, "evaluate": EVALUATE, "predict": PREDICT, "export": EXPORT}
TENSORBOARD = {"_target_": "rosenblatt.show.tensorboard.History", "save_dir": "${hydra:runtime.output_dir}"}
NODES: dict[str, Any] = {  # of a project whose train.yaml does not name them
    "module": None, "scheduler": None, "threshold": None, "metrics": {}, "callbacks": {},
    "logger": {"tensorboard": TENSORBOARD},
}  # fmt: skip
EXAMPLES = {"early_stopping": "early_stopping.patience=null (which is training to the end)"}
MOVED = {  # what other programs give to the Trainer
    "callbacks": "callbacks=..., such as callbacks=timer or 'callbacks=[timer,lr_monitor]'",
    "logger": "logger=..., such as logger=csv, 'logger=[tensorboard,csv]' or logger=none",
}
PARTS = ("data", "model", "trainer", "optimizer", *NODES)  # of a run, whose settings their classes check
SEVERAL = ("callbacks", "logger", "metrics", "experiment")  # groups of which several choices go together


def opened(word: str, program: str) -> str:
    """Return ``++model.dropout=0.1``: a word that Hydra takes although no YAML file may name its setting.

    A misspelt one is found when the engine checks its own, or when the class is called.
    """
    key = word.partition("=")[0]
    first, dot, _ = key.partition(".")
    is_group = not dot and key not in SCHEMAS[program]
    read = {one.partition(".")[0] for one in SCHEMAS[program]} | set(PARTS if program == "train" else ())
    return word if key == word or is_group or first not in read else f"++{word}"


def checked(config: DictConfig, program: str) -> DictConfig:
    """Return the settings of a program, those that nobody names at their defaults.

    Args:
        config: as Hydra has composed it.
        program: ``train``, ``evaluate``, ``predict`` or ``export``.

    Raises:
        UserError: one that is unknown, not given, or of another kind.
    """
    complete = config.copy()
    OmegaConf.set_struct(complete, False)
    _check_words(program, complete)
    for name, node in NODES.items() if program == "train" else ():
        complete.setdefault(name, node)
    schema = read(program, complete)
    check_sections(schema, complete)
    for key, one in schema.items():
        if OmegaConf.select(complete, key, default=ABSENT) is ABSENT:
            OmegaConf.update(complete, key, one.default)
        value = OmegaConf.select(complete, key)
        if value is None and one.default == "???":
            raise UserError(f"{key} is not set. Give it on the command line: {key}=...")
        _check(key, OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value, one)
    if program == "train":
        _check_together(complete)
    return complete


def read(program: str, config: DictConfig) -> dict[str, Key]:
    """Return the keys that are read: those of the task's own loss only where there is no other."""
    loss = config.get("loss")
    own = isinstance(loss, DictConfig) and "_target_" in loss
    return {key: one for key, one in SCHEMAS[program].items() if not (own and key.startswith("loss."))}


def check_sections(schema: dict[str, Key], config: DictConfig) -> None:
    """Raise a `UserError` for a setting that is not read where only those stand that are."""
    for section in {key.rpartition(".")[0] for key in schema} - {""}:
        node = config.get(section, {})
        keys = [key for key in schema if key.startswith(f"{section}.")]
        if not isinstance(node, DictConfig | dict):
            such = EXAMPLES.get(section, keys[0])
            raise UserError(f"{section}={node}: expected the settings under it, such as {such}.")
        for key in (f"{section}.{name}" for name in map(str, node)):
            if key not in keys:
                raise UserError(f"{key}: no such setting.{nearest(key, keys)} There are {listed(keys)}.")


def _check(key: str, value: Any, one: Key) -> None:
    """Raise a `UserError` unless a setting is what it may be."""
    fine = fits(value, one.kind)
    if fine and isinstance(value, int | float) and not isinstance(value, bool):
        fine = math.isfinite(value) and LIMITS[one.limit](value)
    if not fine:
        hint = nearest_in(value, one.kind) if isinstance(value, str) else ""
        raise UserError(f"{key}: expected {described(one.kind)}{one.limit}; got {value!r}.{hint}")


def _check_words(program: str, config: DictConfig) -> None:
    """Raise a `UserError` for what was typed and is not meant so."""
    if not HydraConfig.initialized():
        return
    every = groups()
    known = {key.partition(".")[0] for key in SCHEMAS[program]} | {*PARTS, *every}
    for word in HydraConfig.get().overrides.task:
        key = word.lstrip("+~").partition("=")[0]
        first = key.partition(".")[0]
        if word.startswith("~") and first in known:
            instead = f"{first}=none" if "none" in choices(first) else EXAMPLES.get(first)
            hint = f" Perhaps you mean {instead}" if instead else ""
            raise UserError(f"{word}: it can't be taken out, since the program reads it.{hint}")
        others = known | {str(name) for name in config} - {first}
        if word.startswith("+") and not word.startswith("++") and first not in known and nearest(first, others):
            raise UserError(f"{key}: no such setting.{nearest(first, others)} A key of your own needs another name.")
        choice = word.partition("=")[2]
        if key in every and key not in SEVERAL and choice.startswith("[") and "," in choice:
            raise UserError(f"{word}: one {key} is chosen, and not several.")


def _check_together(config: DictConfig) -> None:
    trainer = config.get("trainer") or {}
    for key, instead in MOVED.items():
        if key in trainer:
            raise UserError(f"trainer.{key}: it is given with {instead}.")
    if config.resume_anyway and config.resume is None:
        log.warning("resume_anyway is ignored: no run is resumed.")
    if "limit_test_batches" in trainer:
        log.warning("trainer.limit_test_batches is ignored: a split is evaluated whole.")
