"""What is wrong, in one message: exceptions of this program, Hydra, OmegaConf, Lightning and the system, explained."""

from __future__ import annotations

import errno
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rosenblatt.cli.project import choices, groups, loader
from rosenblatt.errors import UserError, first_line, nearest

FUNCTIONS = ("choice", "range", "interval", "glob", "tag", "sort", "shuffle", "int", "float", "str", "bool")  # Hydra's
DISK_FULL = "The disk is full"
ENGINE = Path(__file__).parents[1]
MOVED = {  # what other programs give to the Trainer
    "trainer.callbacks": "callbacks=..., such as callbacks=timer or 'callbacks=[timer,lr_monitor]'",
    "trainer.logger": "logger=..., such as logger=csv, 'logger=[tensorboard,csv]' or logger=none",
}


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
    if found := re.search(r"^Caught (\w+) in DataLoader worker process.*\n(\w+)(: .*)?\s*$", str(error), re.S):
        lines = [one for one in re.findall(r'File "([^"]+)", line (\d+)', str(error)) if _is_own(one[0])]
        place = f" ({_shown(*lines[-1])})" if lines else ""
        return f"data: {found[1]}{(found[3] or '').rstrip()}, in a worker of a DataLoader{place}"
    if isinstance(error, RuntimeError | ValueError | TypeError) and _raised_in(error).startswith("lightning."):
        return f"trainer: {str(error).strip()}"  # such as a val_check_interval above the number of batches
    return None


def place_of(error: BaseException) -> str | None:
    """Return the line of the project's own code that an error came from, such as ``plain.py:12``, or ``None``.

    Libraries may stand below it: a layer that is made of a negative number of units is its maker's mistake.
    """
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        name = frame.f_code.co_filename
        if _is_own(name):
            return _shown(name, line)
        if Path(name).is_relative_to(ENGINE):
            return None
    return None


def _is_own(file: str) -> bool:
    path = Path(file)
    libraries = (sysconfig.get_path("stdlib"), ENGINE, ENGINE.parent / "hydra_plugins")
    return (
        path.is_absolute()
        and "site-packages" not in path.parts
        and not any(path.is_relative_to(one) for one in libraries)
    )


def _shown(file: str, line: object) -> str:
    path = Path(file)
    return f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}:{line}"


def _raised_in(error: BaseException) -> str:
    """Return the name of the module that raised an error."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return str(frames[-1].f_globals.get("__name__", "")) if frames else ""


def unknown_key(error: BaseException) -> str | None:
    """Return the key that Hydra did not find in the settings, where an error is about one."""
    found = re.search(r"Could not override '([^']+)'\.", str(error))
    return found[1] if found and "defaults list" not in str(error) else None


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
    if key := unknown_key(error):
        known = elsewhere(key, config_name)
        return known or f"{key}: no such setting.{nearest(key, _keys(config_name))} `--cfg job` shows them all."
    if found := re.search(r"Could not (?:find|load) '([\w/]+)/([^/']+)'", text):
        group, option = found[1], found[2]
        if group == "hydra/sweeper":
            return f"{group}={option}: sweeps have a sweeper of their own, with Optuna in it: -m sweep=optuna"
        options = choices(group)
        known = f" There are {', '.join(options)}." if options else ""
        return f"{group}={option}: no such choice.{nearest(option, options)}{known}"
    if found := re.search(r"Could not override '?([^'\s]+?)'?\.?\s*No match in the defaults list", text):
        return f"{found[1]}: no such group.{nearest(found[1], groups())} There are {', '.join(groups())}."
    if found := re.search(r"Missing mandatory value: (\S+)", text):
        return f"{found[1]} is not set. Give it on the command line: {found[1]}=..."
    if found := re.search(
        r"Multiple values for (\w+)|^(\w+) appears more than once|item is already at '([\w.]+)'", text
    ):
        key = found[1] or found[2] or found[3]
        return f"+{key}=...: it is there already. Leave the + out: {key}=..."
    if found := re.search(r"Ambiguous value for argument '([^=']+)=(.*)'\n", text):
        return f"{found[1]}={found[2]}: several values are a sweep, with -m; one list is [{found[2]}], in brackets."
    return "\n".join(line for line in (text, cause) if line)


def elsewhere(key: str, config_name: str) -> str | None:
    """Return the message for a key that another choice of its group has, or ``None``."""
    other = _keys(config_name).get(key)
    return f"{key}: no such setting here; {other} has it." if other else None


def _no_name() -> str | None:
    """Return the message for a number in place of the name of a choice, which Hydra does not name: threshold=0.7."""
    for word in sys.argv[1:]:
        group, _, option = word.partition("=")
        if group in groups() and option not in choices(group):
            hint = f" A number goes to threshold.value={option}" if group == "threshold" else ""
            return f"{word}: no such choice. There are {', '.join(choices(group))}.{hint}"
    return None


def _keys(config_name: str) -> dict[str, str]:
    """Return every key that some choice of the groups has, and the first choice that has it."""
    keys: dict[str, str] = dict.fromkeys(_flat(_composed(config_name)), "")
    if config_name != "train":  # the others have no groups
        return keys
    for group in groups():
        for choice in choices(group) if group != "experiment" else []:
            with suppress(HydraException, OmegaConfBaseException):  # one that goes with others alone
                plain = _composed(config_name, f"{group}={choice}")
                own = {key: f"{group}={choice}" for key in _flat(plain) if key.startswith(f"{group}.")}
                keys = dict.fromkeys(_flat(plain), "") | keys | (own | {key: one for key, one in keys.items() if one})
    return keys | dict.fromkeys(groups(), "")


def _composed(config_name: str, *overrides: str) -> Any:
    config = loader().load_configuration(config_name, list(overrides), RunMode.RUN)
    return OmegaConf.to_container(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]))


def _flat(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in node.items():
        yield from _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
