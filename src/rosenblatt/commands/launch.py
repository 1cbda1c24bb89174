"""Around every command: what a user did wrong becomes one message and an exit code, never a traceback."""

from __future__ import annotations

import errno
import gc
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from string import Template
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rosenblatt.commands.earlier import with_earlier
from rosenblatt.errors import FolderTaken, UserError, nearest

CONFIGS = Path(__file__).parents[3] / "configs"
FLAGS = (
    "--help", "--hydra-help", "--version", "--cfg", "--resolve", "--package", "--run", "--multirun", "--info",
    "--shell-completion", "--config-path", "--config-name", "--config-dir", "--experimental-rerun",
)  # fmt: skip
OPEN_GROUPS = ("trainer.", "optimizer.", "scheduler.")

wants_traceback = False  # as HYDRA_FULL_ERROR=1 says


def launch(main: Callable[[], Any], config_name: str) -> None:
    """Run a Hydra main function; exit with 1 after a message for a mistake, with 130 after Ctrl-C.

    Args:
        main: decorated with ``hydra.main``; its body stands in `told`.
        config_name: of its primary configuration.
    """
    global wants_traceback
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints a traceback by itself
    logging.raiseExceptions = False  # `python train.py | head` closes the pipe: no traceback for each line after that
    with told(config_name):
        if config_name == "train":
            sys.argv[1:] = [opened(word) for word in with_earlier(sys.argv[1:])]
        sys.argv[1:] = [quoted(word) for word in sys.argv[1:]]
        if any(word.startswith("=") for word in sys.argv[1:]):
            raise UserError("expected KEY=VALUE or GROUP=CHOICE; there is nothing before the =.")
        flags = {word for word in sys.argv[1:] if word.startswith("-")}
        unknown = [flag for flag in flags if flag.startswith("--") and flag.split("=")[0] not in FLAGS]
        if unknown:
            raise UserError(f"{unknown[0]}: no such flag.{nearest(unknown[0].split('=')[0], FLAGS)}")
        if flags and flags <= {"-h", "--help"}:
            print(help_text(config_name, [word for word in sys.argv[1:] if word not in flags]), flush=True)
        else:
            main()


def help_text(config_name: str, overrides: list[str]) -> str:
    """Return what Hydra prints for ``--help``, in half the time: it reads its own groups of settings besides, twice.

    Args:
        config_name: of the primary configuration; its ``hydra.help.template`` is the text.
        overrides: of the settings that are shown.
    """
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose(config_name, overrides, return_hydra_config=True)
    groups = "".join(f"{group}: {', '.join(_choices(group))}\n" for group in _groups())
    settings = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return Template(config.hydra.help.template).substitute(APP_CONFIG_GROUPS=groups, CONFIG=OmegaConf.to_yaml(settings))


@contextmanager
def importing() -> Iterator[None]:
    """Import torch and Lightning in two thirds of the time: without a search for garbage among what is there to stay.

    Python would look through their million objects again and again while they are made, and once more as it ends;
    `gc.freeze` sets them aside.
    """
    if "torch" in sys.modules:  # a second job of the same process, and what is left of the first can be garbage
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def told(config_name: str) -> Iterator[None]:
    """Tell the user of a mistake, on standard error and in the log, and exit.

    It stands around the body of a main function too: what leaves that, Hydra prefixes with a line of its own.

    Args:
        config_name: of the primary configuration, to find the nearest key to a misspelt one.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as error:
        if isinstance(error, SystemExit) and not isinstance(error.__context__, KeyboardInterrupt):
            raise
        # Lightning turns a KeyboardInterrupt in the middle of fit or test into an exit with status 1.
        sys.stderr.write("\nCtrl-C: stopped before there was a result.\n")
        sys.exit(130)
    except BrokenPipeError:  # `python train.py --help | head`: nobody reads what is printed any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains as it ends
        sys.exit(141)  # as a shell reports a process that SIGPIPE ended
    except Exception as error:
        message = explained(error, config_name)
        if message is None or wants_traceback:
            traceback.print_exc()
        if message is None:
            message = "This is a mistake in the program, not yours: please report it with the lines above."
        sys.stderr.write(f"error: {message}\n")
        log = logging.getLogger("rosenblatt_file")
        if log.handlers and not isinstance(error, FolderTaken):  # that log is another run's
            with suppress(OSError):  # of a folder that may only be read, which has been told
                log.error(message)
        sys.exit(1)


def opened(word: str) -> str:
    """Let ``trainer.x=`` and the like set any argument of their class, not only those that the YAML file names.

    Hydra wants ``+trainer.x=`` for the others. A misspelt one is found when the class is called.
    """
    return f"++{word}" if word.startswith(OPEN_GROUPS) and "=" in word else word


def quoted(word: str) -> str:
    """Put ``text=...`` into quotes: in a sentence commas and apostrophes mean nothing to Hydra."""
    text = word.removeprefix("text=")
    if text == word or re.fullmatch(r"\[.*\]|'.*'|\".*\"|null", text, re.S):
        return word
    return "text='" + text.replace("'", r"\'") + "'"


def explained(error: BaseException, config_name: str) -> str | None:
    """Return the message for a mistake of the user's, or ``None`` for one of the program's."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _hydra_message(error, config_name)
    if isinstance(error, ValueError) and str(error).startswith("Config group override must be"):
        return _no_name()
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"The disk is full: {error.filename or 'a file'} could not be written. Free some space and run again."
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}. Is hydra.run.dir, or the current folder, a place to write?"
    if type(error).__name__ == "MisconfigurationException":  # Lightning's, about arguments of the Trainer
        return f"trainer: {str(error).strip()}"
    if type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error):
        return f"Out of memory: {str(error).strip().splitlines()[0]} Try a smaller data.batch_size."
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
        options = _choices(group)
        known = f" There are {', '.join(options)}." if options else ""
        return f"{group}={option}: no such choice.{nearest(option, options)}{known}"
    if found := re.search(r"Could not override '?([^'\s]+)'?\.?\s*No match in the defaults list", text):
        return f"{found[1]}: no such group.{nearest(found[1], _groups())} There are {', '.join(_groups())}."
    if found := re.search(r"Missing mandatory value: (\S+)", text):
        return f"{found[1]} is not set. Give it on the command line: {found[1]}=..."
    return "\n".join(line for line in (text, cause) if line)


def _no_name() -> str | None:
    """Return the message for a number in place of the name of a choice, which Hydra does not name: threshold=0.7."""
    for word in sys.argv[1:]:
        group, _, option = word.partition("=")
        if group in _groups() and option not in _choices(group):
            hint = f" A number goes to threshold.value={option}" if group == "threshold" else ""
            return f"{word}: no such choice. There are {', '.join(_choices(group))}.{hint}"
    return None


def _groups() -> list[str]:
    return sorted(path.name for path in CONFIGS.iterdir() if path.is_dir() and path.name != "hydra")


def _choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


def _keys(config_name: str) -> dict[str, str]:
    """Return every key that some choice of the groups has, and the first choice that has it."""
    GlobalHydra.instance().clear()
    keys: dict[str, str] = {}
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        if config_name != "train":  # the others have no groups
            return dict.fromkeys(_flat(OmegaConf.to_container(compose(config_name))), "")  # type: ignore[arg-type]
        for group in ("data", "model", "optimizer", "scheduler", "threshold"):
            for file in sorted((CONFIGS / group).glob("*.yaml")):
                plain: Any = OmegaConf.to_container(compose(config_name, [f"{group}={file.stem}"]))
                own = {key: f"{group}={file.stem}" for key in _flat(plain) if key.startswith(f"{group}.")}
                keys = dict.fromkeys(_flat(plain), "") | keys | (own | {key: one for key, one in keys.items() if one})
    return keys | dict.fromkeys(_groups(), "")


def _flat(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in node.items():
        yield from _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
