"""The settings that the engine itself reads: their types, their defaults, and what they may be.

A project's YAML files need not name them all, and may have keys of their own; what stands under a ``_target_`` is
checked against that class (`rosenblatt.cli.build`).
"""

from __future__ import annotations

import logging
import math
import re
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
AT_LEAST_LESS_1, A_PART = " of at least -1", ": batches by a whole number, or a share of an epoch's from 0.0 to 1.0"
A_TIME = " for days:hours:minutes:seconds, such as 00:12:00:00"
A_SHARE, A_SEED = " from 0 to below 1", f" from 0 to {2**32 - 1}"
LIMITS: dict[str, Callable[[Any], bool]] = {  # of numbers; A_TIME of words
    "": math.isfinite,
    AT_LEAST_0: lambda number: number >= 0,
    AT_LEAST_1: lambda number: number >= 1,
    ABOVE_0: lambda number: number > 0,
    A_RATE: lambda number: number > 0,
    AT_LEAST_LESS_1: lambda number: number >= -1,
    A_PART: lambda number: number >= 0 and (number <= 1 or isinstance(number, int)),
    A_TIME: lambda word: re.fullmatch(r"\d+:\d\d:\d\d:\d\d", word) is not None,
    A_SHARE: lambda number: 0 <= number < 1,
    A_SEED: lambda number: 0 <= number < 2**32,
}
COLUMN: Any = None | str | int
ACCELERATOR: Any = Literal["auto", "cpu", "gpu", "cuda", "mps", "tpu"]
TRAIN = {
    "seed": Key(int, 0, A_SEED),
    "lr": Key(float, 0.001, A_RATE),
    "threads": Key(None | int, None, AT_LEAST_1),
    "task": Key(None | Literal["binary", "multiclass", "multilabel", "regression"]),
    "calibration": Key(None | Literal["temperature"]),
    "loss.class_weights": Key(None | Literal["balanced"] | list[float]),
    "loss.label_smoothing": Key(float, 0.0, A_SHARE),
    "loss.margin": Key(None | float, None, ABOVE_0),
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
    "data.header": Key(None | bool),
    "data.separator": Key(None | str),
    "data.broken_rows": Key(None | Literal["refuse", "skip"]),
    "output": Key(None | str),
    "mistakes": Key(int, 10, AT_LEAST_0),
    "accelerator": Key(ACCELERATOR, "auto"),
    "threads": Key(None | int, None, AT_LEAST_1),
    "overwrite": Key(bool, False),
}
PREDICT = {
    "run": Key(str, "???"),
    "input": Key(None | str),
    "text": Key(None | str),
    "split": Key(None | str),
    "output": Key(None | str),
    "probabilities": Key(bool, False),
    "explain": Key(bool | int, False, AT_LEAST_0),
    "prefix": Key(str, ""),
    "overwrite": Key(bool, False),
    "text_column": Key(COLUMN | list[str | int]),
    "encoding": Key(None | str),
    "header": Key(None | bool),
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
BATCHES, COUNT = Key(None | int | float, None, A_PART), Key(None | int, None, AT_LEAST_1)
TIME = Key(dict | None | str, None, A_TIME)
OPTIONAL = {  # what Lightning's classes are given, told before they are imported; nobody sets a default for these
    "trainer.accelerator": Key(ACCELERATOR),
    "trainer.max_epochs": Key(None | int, None, AT_LEAST_LESS_1),
    "trainer.max_steps": Key(int, None, AT_LEAST_LESS_1),
    "trainer.max_time": TIME,
    "trainer.profiler": Key(None | Literal["simple", "advanced", "pytorch", "xla"] | dict),
    "trainer.limit_train_batches": BATCHES,
    "trainer.limit_val_batches": BATCHES,
    "trainer.overfit_batches": BATCHES,
    "trainer.val_check_interval": Key(None | int | float | str | dict, None, A_PART),
    "trainer.check_val_every_n_epoch": COUNT,
    "trainer.accumulate_grad_batches": COUNT,
    "trainer.log_every_n_steps": Key(None | int, None, AT_LEAST_0),
    "trainer.gradient_clip_val": Key(None | float, None, AT_LEAST_0),
    "trainer.gradient_clip_algorithm": Key(None | Literal["norm", "value"]),
    "callbacks.timer.duration": TIME,
    "callbacks.timer.interval": Key(Literal["step", "epoch"]),
}
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


def meant(word: str, program: str) -> str:
    """Return a word as Hydra takes it: ``optimizer=adam`` for ``+optimizer=adam``, where there is that group.

    Raises:
        UserError: ``~KEY`` of what the program reads; ``None`` for null. The message says what to write.
    """
    key, _, value = word.lstrip("+~").partition("=")
    if not word.startswith(("+", "~")) and value != "None":
        return word
    is_group = key in groups()
    if value == "None" and (not is_group or key == "experiment"):
        raise UserError(f"{word}: None is Python's word for nothing; here it is {EXAMPLES.get(key, f'{key}=null')}")
    if not word.startswith("~"):
        return f"{key}={value}" if is_group and value else word
    one = SCHEMAS[program].get(key)
    if is_group:
        every = choices(key)
        way = "none" if "none" in every else "null" if key == "experiment" else ", ".join(every)
        way = f"{key}={way}" if "," not in way else f"another choice; there are {way}"
    elif one is not None:
        way = f"{key}={'null' if fits(None, one.kind) else one.default}"
    elif key in EXAMPLES:
        way = EXAMPLES[key]
    else:
        return word  # an argument that a class has a default of; or Hydra tells that it is not there
    raise UserError(f"{word}: it can't be taken out, since the program reads it. Say what to do instead: {way}")


def checked(config: DictConfig, program: str) -> DictConfig:
    """Return the settings of a program, those that nobody names at their defaults.

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
    if program == "predict":
        _check_rows(complete)
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
    fine = fine and (one.limit != A_TIME or not isinstance(value, str) or LIMITS[A_TIME](value))
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
        key, _, choice = word.lstrip("+").partition("=")
        first = key.partition(".")[0]
        others = known | {str(name) for name in config} - {first}
        if word.startswith("+") and not word.startswith("++") and first not in known and nearest(first, others):
            raise UserError(f"{key}: no such setting.{nearest(first, others)} A key of your own needs another name.")
        if key in every and key not in SEVERAL and choice.startswith("[") and "," in choice:
            raise UserError(f"{word}: one {key} is chosen, and not several.")


def _check_together(config: DictConfig) -> None:
    trainer = config.get("trainer") or {}
    for key, instead in MOVED.items():
        if key in trainer:
            raise UserError(f"trainer.{key}: it is given with {instead}.")
    for key, one in OPTIONAL.items():
        if (value := OmegaConf.select(config, key)) is not None:
            _check(key, OmegaConf.to_container(value) if OmegaConf.is_config(value) else value, one)
    for name, node in (config.callbacks or {}).items():
        if isinstance(node, DictConfig) and str(node.get("_target_")).endswith("Monitor") and not config.logger:
            raise UserError(f"callbacks.{name}: it logs, and there is no logger. Take one, such as logger=tensorboard.")
    if config.resume_anyway and config.resume is None:
        log.warning("resume_anyway is ignored: no run is resumed.")
    if "limit_test_batches" in trainer:
        log.warning("trainer.limit_test_batches is ignored: a split is evaluated whole.")


def _check_rows(settings: DictConfig) -> None:
    """Raise a `UserError` unless one thing is said to be predicted, with an output where that has one."""
    asked = [name for name in ("input", "text", "split") if settings[name] is not None]
    if len(asked) != 1:
        raise UserError('Expected input=FILE, input=- (standard input), text="..." or split=test, one of them.')
    if settings["output"] is not None and (asked == ["text"] or settings["input"] == "-"):
        raise UserError(
            "output=FILE goes with input=FILE and split=test; texts and pipes are answered on standard output."
        )
