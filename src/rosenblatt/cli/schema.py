"""The settings that the engine itself reads: their types, their defaults, and what they may be.

A project's YAML files need not name them all, and may have keys of their own; what stands under a ``_target_`` is
checked against that class (`rosenblatt.cli.build`).
"""

from __future__ import annotations

import logging
import math
from typing import Any, Literal, NamedTuple

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from rosenblatt.arguments import described, fits, nearest_in
from rosenblatt.cli.messages import MOVED
from rosenblatt.cli.project import choices, groups
from rosenblatt.errors import UserError, listed, nearest

log = logging.getLogger(__name__)


class Key(NamedTuple):
    """What a setting may be.

    Attributes:
        kind: its type, as in a signature.
        default: where no YAML file says it; ``"???"``: it has to be given.
        least: the smallest number, ``most``: the largest; ``above`` and ``below``: the same, without the number itself.
        example: for messages.
    """

    kind: Any
    default: Any = None
    least: float = -math.inf
    above: float | None = None
    below: float = math.inf
    most: int | None = None
    example: str = ""


COLUMN: Any = None | str | int
TRAIN = {
    "seed": Key(int, 0, least=0, most=2**32 - 1),
    "lr": Key(float, 0.001, above=0, example=", such as lr=0.001"),
    "threads": Key(None | int, least=1),
    "task": Key(None | Literal["binary", "multiclass", "multilabel", "regression"]),
    "calibration": Key(None | Literal["temperature"]),
    "loss.class_weights": Key(None | Literal["balanced"] | list[float]),
    "loss.label_smoothing": Key(float, 0.0, least=0, below=1),
    "early_stopping.monitor": Key(str, "val/loss"),
    "early_stopping.mode": Key(Literal["min", "max"] | None),
    "early_stopping.patience": Key(None | int, 3, least=0),
    "early_stopping.min_delta": Key(float, 0.0, least=0),
    "checkpoint.min_seconds": Key(float, 1, least=0),
    "checkpoint.every_n_steps": Key(None | int, least=1),
    "checkpoint.every_n_minutes": Key(None | float, 10, above=0),
    "figures.every_n_epochs": Key(None | Literal["auto"] | int, "auto", least=1),
    "resume": Key(None | str),
    "resume_anyway": Key(bool, False),
    "sweep.method": Key(Literal["grid", "optuna"], "grid"),
    "sweep.name": Key(None | str | int),
    "sweep.seeds": Key(int, 1, least=1),
    "sweep.objective": Key(str | list[str], "${early_stopping.monitor}"),
    "sweep.max_failures": Key(None | int, least=0),
    "sweep.retry_failed": Key(bool, False),
    "sweep.trials": Key(int, 30, least=1),
    "sweep.space": Key(dict, {}),
    "sweep.sampler": Key(str, "tpe"),
    "sweep.pruner": Key(None | str),
    "sweep.storage": Key(None | str),
}
EVALUATE = {
    "run": Key(str, "???"),
    "data.test": Key(None | str),
    "data.text_column": Key(COLUMN | list[str | int]),
    "data.label_column": Key(COLUMN),
    "data.encoding": Key(None | str),
    "output": Key(None | str),
    "mistakes": Key(int, 10, least=0),
    "accelerator": Key(str, "auto"),
    "threads": Key(None | int, least=1),
    "overwrite": Key(bool, False),
}
PREDICT = {
    "run": Key(str, "???"),
    "input": Key(None | str),
    "text": Key(None | str | list[str]),
    "split": Key(None | str),
    "output": Key(None | str),
    "probabilities": Key(bool, False),
    "explain": Key(bool | int, False, least=0),
    "prefix": Key(str, ""),
    "overwrite": Key(bool, False),
    "text_column": Key(COLUMN | list[str | int]),
    "encoding": Key(None | str),
}
EXPORT = {
    "run": Key(str, "???"),
    "format": Key(Literal["onnx", "torch_export"], "onnx"),
    "input": Key(None | str),
    "output": Key(None | str),
    "overwrite": Key(bool, False),
}
SCHEMAS = {"train": TRAIN, "evaluate": EVALUATE, "predict": PREDICT, "export": EXPORT}
NODES: dict[str, Any] = {  # of a project whose train.yaml does not name them
    "module": None, "scheduler": None, "threshold": None, "metrics": {}, "callbacks": {}, "logger": {},
}  # fmt: skip
TENSORBOARD = {
    "_target_": "lightning.pytorch.loggers.TensorBoardLogger", "save_dir": "${hydra:runtime.output_dir}", "name": "",
    "version": "tensorboard", "default_hp_metric": False,
}  # fmt: skip
EXAMPLES = {
    "early_stopping": "early_stopping.patience=null (which is training to the end)", "figures": "figures=none",
    "sweep": "sweep=grid", "checkpoint": "checkpoint.every_n_steps=1000",
}  # fmt: skip
SEVERAL = ("callbacks", "logger", "metrics", "experiment")  # groups of which several choices go together


def checked(config: DictConfig, program: str) -> DictConfig:
    """Return the settings of a program, those that nobody names at their defaults.

    Args:
        config: as Hydra has composed it.
        program: ``train``, ``evaluate``, ``predict`` or ``export``.

    Raises:
        UserError: one that is unknown, not given, or of another kind.
    """
    schema = SCHEMAS[program]
    complete = config.copy()
    _check_words(program, complete)
    with open_dict(complete):
        for name, node in NODES.items() if program == "train" else ():
            if name not in complete:
                default = {"tensorboard": TENSORBOARD} if name == "logger" and "logger" not in groups() else node
                complete[name] = default
        for key, one in _read(schema, complete).items():
            section, _, name = key.rpartition(".")
            if section and section not in complete:
                complete[section] = {}
            if section and not isinstance(complete[section], DictConfig):
                such = EXAMPLES.get(section, key)
                raise UserError(f"{section}={complete[section]}: expected the settings under it, such as {such}.")
            if name not in (complete[section] if section else complete).keys():  # noqa: SIM118 - "???" is there
                OmegaConf.update(complete, key, one.default, force_add=True)
    _check_names(schema, complete, free=program == "train")
    for key, one in _read(schema, complete).items():
        if OmegaConf.is_missing(*_place(complete, key)):
            raise UserError(f"{key} is not set. Give it on the command line: {key}=...")
        _check(key, _value(complete, key), one)
    if program == "train":
        _check_together(complete)
    return complete


def _read(schema: dict[str, Key], config: DictConfig) -> dict[str, Key]:
    """Return the keys that are read: those of the task's own loss only where there is no other."""
    loss = config.get("loss")
    own = isinstance(loss, DictConfig) and "_target_" in loss
    return {key: one for key, one in schema.items() if not (own and key.startswith("loss."))}


def _place(config: DictConfig, key: str) -> tuple[DictConfig, str]:
    section, _, name = key.rpartition(".")
    return (config[section] if section else config), name


def _value(config: DictConfig, key: str) -> Any:
    node, name = _place(config, key)
    value = node[name]
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _check(key: str, value: Any, one: Key) -> None:
    """Raise a `UserError` unless a setting is what it may be."""
    fine = fits(value, one.kind) and isinstance(value, dict) == (one.kind is dict)
    if fine and isinstance(value, int | float) and not isinstance(value, bool):
        low = value >= one.least if one.above is None else value > one.above
        high = value < one.below if one.most is None else value <= one.most
        fine = low and high and math.isfinite(value)
    if not fine:
        bounds = f" of at least {one.least:g}" if math.isfinite(one.least) else ""
        bounds = f" above {one.above:g}" if one.above is not None else bounds
        bounds = f" from {one.least:g} to below {one.below:g}" if math.isfinite(one.below) else bounds
        bounds = f" from {one.least:g} to {one.most}" if one.most is not None else bounds
        hint = nearest_in(value, one.kind) if isinstance(value, str) else ""
        raise UserError(f"{key}: expected {described(one.kind)}{bounds}{one.example}; got {value!r}.{hint}")


def _check_words(program: str, config: DictConfig) -> None:
    """Raise a `UserError` for what was typed and is not meant so."""
    if not HydraConfig.initialized():
        return
    read = {key.partition(".")[0] for key in SCHEMAS[program]} | set(NODES) | set(groups())
    for word in HydraConfig.get().overrides.task:
        key = word.lstrip("+~").partition("=")[0]
        first = key.partition(".")[0]
        if word.startswith("~") and first in read:
            instead = f"{first}=none" if "none" in choices(first) else EXAMPLES.get(first)
            hint = f" Perhaps you mean {instead}" if instead else ""
            raise UserError(f"{word}: it can't be taken out, since the program reads it.{hint}")
        others = read | {str(name) for name in config} - {first}
        if word.startswith("+") and not word.startswith("++") and first not in read and nearest(first, others):
            raise UserError(f"{key}: no such setting.{nearest(first, others)} A key of your own needs another name.")
        choice = word.partition("=")[2]
        if key in groups() and key not in SEVERAL and choice.startswith("[") and "," in choice:
            raise UserError(f"{word}: one {key} is chosen, and not several.")


def _check_names(schema: dict[str, Key], config: DictConfig, free: bool) -> None:
    """Raise a `UserError` for a setting that nobody reads; at the top a project is free to have keys of its own."""
    nodes: Any = OmegaConf.to_container(config, resolve=False)
    for name, node in nodes.items():
        inner = [key.partition(".")[2] for key in schema if key.startswith(f"{name}.")]
        if not inner and not free and name not in schema:
            raise UserError(f"{name}: no such setting.{nearest(name, schema)} There are {listed(schema)}.")
        for key in node if inner and "_target_" not in node else ():
            if key not in inner:
                raise UserError(f"{name}.{key}: no such setting.{nearest(key, inner)} There are {listed(inner)}.")


def _check_together(config: DictConfig) -> None:
    trainer, stopping = config.get("trainer") or {}, config.early_stopping
    for key, instead in MOVED.items():
        if key.partition(".")[2] in trainer:
            raise UserError(f"{key}: it is given with {instead}.")
    if config.resume_anyway and config.resume is None:
        log.warning("resume_anyway is ignored: no run is resumed.")
    if "limit_test_batches" in trainer:
        log.warning("trainer.limit_test_batches is ignored: a split is evaluated whole.")
    if stopping.mode == "max" and stopping.monitor.endswith("loss"):
        log.warning("early_stopping.mode=max: of %s the highest value is taken for the best.", stopping.monitor)


def takes(key: str, program: str) -> bool:
    """Return whether the engine reads a setting that the project's YAML files do not name."""
    return key in SCHEMAS[program]
