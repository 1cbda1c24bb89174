"""What is wrong, in one message: exceptions of this program, Hydra, OmegaConf, Lightning and the system, explained."""

from __future__ import annotations

import errno
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rosenblatt.errors import UserError, first_line, nearest

FUNCTIONS = ("choice", "range", "interval", "glob", "tag", "sort", "shuffle", "int", "float", "str", "bool")  # Hydra's
DISK_FULL = "The disk is full"
CONFIGS = Path(__file__).parents[3] / "configs"


def explained(error: BaseException, config_name: str) -> str | None:
    """Return the message for a mistake of the user's, or ``None`` for one of the program's."""
    if isinstance(error, UserError):
        message = str(error)
        if config_name == "predict":  # whose settings of files are in no group
            message = re.sub(r"\bdata\.(?=text_column|encoding)", "", message)
        return message
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _hydra_message(error, config_name)
    if isinstance(error, ValueError) and str(error).startswith("Config group override must be"):
        return _no_name()
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{DISK_FULL}: {error.filename or 'a file'} could not be written. Free some space and run again."
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}. Is hydra.run.dir, or the current folder, a place to write?"
    if type(error).__module__.startswith("yaml."):
        return f"configs/: {' '.join(str(error).split())}"
    if type(error).__name__ == "MisconfigurationException":  # Lightning's, about arguments of the Trainer
        return f"trainer: {str(error).strip()}"
    if type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error):
        return f"Out of memory: {first_line(error)} Try a smaller data.batch_size."
    if isinstance(error, RuntimeError | ValueError | TypeError) and _raised_in(error).startswith("lightning."):
        return f"trainer: {str(error).strip()}"  # such as a val_check_interval above the number of batches
    return None


def _raised_in(error: BaseException) -> str:
    """Return the name of the module that raised an error."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return str(frames[-1].f_globals.get("__name__", "")) if frames else ""


def _hydra_message(error: BaseException, config_name: str) -> str:
    text = str(error).strip()
    cause = str(error.__cause__ or "")
    if isinstance(error, OverrideParseException):
        word = error.override.removeprefix("++")
        called = re.fullmatch(r"[^=]+=(\w+)\((.*)\)", word)
        if called and called[1] not in FUNCTIONS:
            hint = f" Did you mean tag(log,interval({called[2]}))?" if called[1].startswith("log") else ""
            near = nearest(called[1], FUNCTIONS).replace("'?", "(...)?").replace("'", "")
            return f"{word}: there is no {called[1]}(...).{hint or near} There are {', '.join(FUNCTIONS)}."
        return (
            f"{word}: expected KEY=VALUE or GROUP=CHOICE. Signs such as , ( [ {{ = ~ in a value need quotes that reach "
            f"the program: \"data.train='a,b.csv'\""
        )
    if found := re.search(r"Could not override '([^']+)'", text):
        key, keys = found[1], _keys(config_name)
        if keys.get(key):
            return f"{key}: no such setting here; {keys[key]} has it."
        return f"{key}: no such setting.{nearest(key, keys)} `--cfg job` shows them all."
    if found := re.search(r"Could not find '([\w/]+)/([^/']+)'", text):
        group, option = found[1], found[2]
        options = choices(group)
        known = f" There are {', '.join(options)}." if options else ""
        return f"{group}={option}: no such choice.{nearest(option, options)}{known}"
    if found := re.search(r"Could not override '?([^'\s]+)'?\.?\s*No match in the defaults list", text):
        return f"{found[1]}: no such group.{nearest(found[1], groups())} There are {', '.join(groups())}."
    if found := re.search(r"Missing mandatory value: (\S+)", text):
        return f"{found[1]} is not set. Give it on the command line: {found[1]}=..."
    return "\n".join(line for line in (text, cause) if line)


def _no_name() -> str | None:
    """Return the message for a number in place of the name of a choice, which Hydra does not name: threshold=0.7."""
    for word in sys.argv[1:]:
        group, _, option = word.partition("=")
        if group in groups() and option not in choices(group):
            hint = f" A number goes to threshold.value={option}" if group == "threshold" else ""
            return f"{word}: no such choice. There are {', '.join(choices(group))}.{hint}"
    return None


def groups() -> list[str]:
    """Return the names of the groups of settings."""
    return sorted(path.name for path in CONFIGS.iterdir() if path.is_dir() and path.name != "hydra")


def choices(group: str) -> list[str]:
    """Return the names of the choices of a group."""
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


def _keys(config_name: str) -> dict[str, str]:
    """Return every key that some choice of the groups has, and the first choice that has it."""
    GlobalHydra.instance().clear()
    keys: dict[str, str] = {}
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        if config_name != "train":  # the others have no groups
            return dict.fromkeys(_flat(OmegaConf.to_container(compose(config_name))), "")  # type: ignore[arg-type]
        for group in ("data", "model", "optimizer", "scheduler", "threshold", "sweep"):
            for file in sorted((CONFIGS / group).glob("*.yaml")):
                plain: Any = OmegaConf.to_container(compose(config_name, [f"{group}={file.stem}"]))
                own = {key: f"{group}={file.stem}" for key in _flat(plain) if key.startswith(f"{group}.")}
                keys = dict.fromkeys(_flat(plain), "") | keys | (own | {key: one for key, one in keys.items() if one})
    return keys | dict.fromkeys(groups(), "")


def _flat(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in node.items():
        yield from _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
