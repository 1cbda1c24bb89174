"""Around every command: what a user did wrong becomes one message and an exit code, never a traceback."""

from __future__ import annotations

import gc
import inspect
import logging
import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from string import Template
from types import FrameType
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from rosenblatt.cli import schema
from rosenblatt.cli.earlier import with_earlier
from rosenblatt.cli.messages import elsewhere, explained, place_of, unknown_key
from rosenblatt.cli.project import choices, enter, groups, loader
from rosenblatt.cli.words import opened, quoted
from rosenblatt.errors import FolderTaken, UserError, first_line, nearest

FLAGS = (
    "--help", "--hydra-help", "--version", "--cfg", "--resolve", "--package", "--run", "--multirun", "--info",
    "--shell-completion", "--config-path", "--config-name", "--config-dir", "--experimental-rerun",
)  # fmt: skip
TERMINATED = 128 + signal.SIGTERM  # as a shell reports a process that it ended

terminated = False  # whether SIGTERM came to this very process
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
    signal.signal(signal.SIGTERM, _leave)  # else it ends without taking away files that are half written
    enter(Path(inspect.unwrap(main).__code__.co_filename))
    GlobalHydra.instance().clear()  # of an earlier program in this process
    logging.raiseExceptions = False  # `python train.py | head` closes the pipe: no traceback for each line after that
    with told(config_name):
        if config_name == "train":
            sys.argv[1:] = [opened(word) for word in with_earlier(sys.argv[1:])]
        else:
            sys.argv[1:] = [quoted(word) for word in sys.argv[1:]]
        sys.argv[1:] = sorted(sys.argv[1:], key=lambda word: word not in ("-m", "--multirun"))  # Hydra wants it first
        if any(word.startswith("=") for word in sys.argv[1:]):
            raise UserError("expected KEY=VALUE or GROUP=CHOICE; there is nothing before the =.")
        flags = {word for word in sys.argv[1:] if word.startswith("-")}
        unknown = [flag for flag in flags if flag.startswith("--") and flag.split("=")[0] not in FLAGS]
        if unknown:
            raise UserError(f"{unknown[0]}: no such flag.{nearest(unknown[0].split('=')[0], FLAGS)}")
        asks = bool(flags) and flags <= {"-h", "--help"}
        while True:
            try:
                if asks:
                    print(help_text(config_name, [word for word in sys.argv[1:] if word not in flags]), flush=True)
                else:
                    main()
                return
            except ConfigCompositionException as error:
                if not _let_in(error, config_name):
                    raise


def _let_in(error: ConfigCompositionException, config_name: str) -> bool:
    """Let a setting in that the YAML files do not name, and the engine or the class in question knows: with ``++``.

    Returns:
        Whether it is one, so that the command can be tried again.

    Raises:
        UserError: the class does not take it.
    """
    if found := re.search(r"Could not override '(\w+)'\.\s*No match in the defaults list", str(error)):
        words = [word for word in sys.argv[1:] if word.startswith(f"{found[1]}=") and found[1] in groups()]
        sys.argv[1:] = [f"+{word}" if word in words else word for word in sys.argv[1:]]
        GlobalHydra.instance().clear()
        return bool(words)
    key = unknown_key(error)
    words = [word for word in sys.argv[1:] if key is not None and word.startswith(f"{key}=")]
    if key is None or not words:
        return False
    if schema.takes(key, config_name):
        if elsewhere(key, config_name):  # such as sweep.trials, of a grid
            return False
    else:
        chosen = [word for word in sys.argv[1:] if word.partition("=")[0] in groups() or "._target_=" in word]
        node, place = loader().load_configuration(config_name, chosen, RunMode.MULTIRUN), ""
        for part in key.split("."):
            if "_target_" in node:
                from rosenblatt.cli.build import check_setting

                try:
                    check_setting(place, node, part)
                except UserError as refused:
                    raise UserError(elsewhere(key, config_name) or str(refused)) from None
                break
            node, place = node.get(part), f"{place}.{part}".strip(".")
            if not isinstance(node, DictConfig):
                return False
    sys.argv[1:] = [f"++{word}" if word in words else word for word in sys.argv[1:]]
    GlobalHydra.instance().clear()
    return True


def help_text(config_name: str, overrides: list[str]) -> str:
    """Return what Hydra prints for ``--help``, in half the time: it reads its own groups of settings besides, twice.

    Args:
        config_name: of the primary configuration; its ``hydra.help.template`` is the text.
        overrides: of the settings that are shown.
    """
    config = loader().load_configuration(config_name, overrides, RunMode.RUN)
    listed = "".join(f"{group}: {', '.join(choices(group))}\n" for group in groups())
    settings = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return Template(config.hydra.help.template).substitute(APP_CONFIG_GROUPS=listed, CONFIG=OmegaConf.to_yaml(settings))


@contextmanager
def importing() -> Iterator[None]:
    """Import torch and Lightning in two thirds of the time: without a search for garbage among what is there to stay.

    What they say to people who write training loops is hidden from those who run this one.

    Python would look through their million objects again and again while they are made, and once more as it ends;
    `gc.freeze` sets them aside.
    """
    warnings.filterwarnings("ignore", module=r"(lightning|torchmetrics|torch)\b")
    if "lightning" in sys.modules:  # a second job of the same process; what is left of the first can be garbage
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        for name in ("lightning.pytorch", "lightning.fabric"):  # which set their own level as they are imported
            logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def told(config_name: str) -> Iterator[None]:
    """Tell the user of a mistake, on standard error and in the log, and exit.

    It stands around the body of a main function too: what leaves that, Hydra prefixes with a line of its own.

    Args:
        config_name: of the primary configuration, to find the nearest key to a misspelt one.
    """
    if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:  # a job, whose sweep tells of it
        yield
        return
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as error:
        # Lightning turns a KeyboardInterrupt in the middle of fit or test into an exit with status 1; one with 130 has
        # been told of, further inside.
        if isinstance(error, SystemExit) and not (error.code == 1 and isinstance(error.__context__, KeyboardInterrupt)):
            raise
        sys.stderr.write("\nCtrl-C: stopped before there was a result.\n")
        sys.exit(130)
    except BrokenPipeError:  # `python train.py --help | head`: nobody reads what is printed any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains as it ends
        sys.exit(141)  # as a shell reports a process that SIGPIPE ended
    except Exception as error:
        message = explained(error, config_name)
        if message is None or wants_traceback:
            traceback.print_exc()
        if message is None and (place := place_of(error)):
            message = f"{place}: {type(error).__name__}: {first_line(error)}".rstrip(": ")
        if message is None:
            message = "This is a mistake in the program, not yours: please report it with the lines above."
        sys.stderr.write(f"error: {message}\n")
        log = logging.getLogger("rosenblatt_file")
        if log.handlers and not isinstance(error, FolderTaken):  # that log is another run's
            with suppress(OSError):  # of a folder that may only be read, which has been told
                log.error(message)
        sys.exit(1)


def _leave(signum: int, frame: FrameType | None) -> None:
    global terminated
    terminated = True
    sys.stderr.write("\nSIGTERM: stopped before there was a result.\n")
    sys.exit(TERMINATED)


def wants_figures(config: DictConfig) -> bool:
    """Return whether a run is to be drawn.

    Jobs of a sweep draw only where it is said how often: a hundred of them are compared, not looked at.
    """
    every_n_epochs = OmegaConf.select(config, "figures.every_n_epochs")
    in_sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    return every_n_epochs is not None and (every_n_epochs != "auto" or not in_sweep)
