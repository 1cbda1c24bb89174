"""Around every command: what a user did wrong becomes one message and an exit code, never a traceback."""

from __future__ import annotations

import ctypes
import gc
import inspect
import logging
import os
import signal
import sys
import textwrap
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from string import Template
from types import FrameType
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from rosenblatt.cli.messages import explained, place_of, unknown_key
from rosenblatt.cli.project import choices, enter, groups, loader
from rosenblatt.cli.schema import meant, opened
from rosenblatt.cli.values import flat, plain
from rosenblatt.cli.words import flags_and_settings, of_sweepers, quoted, with_earlier
from rosenblatt.errors import FolderTaken, UserError, first_line

TERMINATED = 128 + signal.SIGTERM  # as a shell reports a process that it ended

terminated = False  # whether SIGTERM came to this very process
wants_traceback = False  # as HYDRA_FULL_ERROR=1 says


def launch(main: Callable[[], Any], config_name: str) -> None:
    """Run a Hydra main function (its body in `told`); exit with 1 after a message for a mistake, 130 after Ctrl-C."""
    global wants_traceback
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints a traceback by itself
    _share_heap()
    signal.signal(signal.SIGTERM, _leave)  # else it ends without taking away files that are half written
    enter(Path(inspect.unwrap(main).__code__.co_filename))
    GlobalHydra.instance().clear()  # of an earlier program in this process
    HydraConfig.instance().cfg = None
    logging.raiseExceptions = False  # `python train.py | head` closes the pipe: no traceback for each line after that
    warnings.filterwarnings("ignore", module=r"hydra\b")  # -m and hydra.mode=RUN: the flag wins
    with told(config_name):
        flags, words = flags_and_settings(sys.argv[1:])
        if any(word.startswith("=") for word in words):
            raise UserError("expected KEY=VALUE or GROUP=CHOICE; there is nothing before the =.")
        if config_name != "train" and {"-m", "--multirun"} & {*flags}:
            raise UserError("-m is a sweep, which train.py alone has. Leave it out.")
        words = taken(words, config_name)
        sys.argv[1:] = [*flags, *words]
        if flags in (["-h"], ["--help"]):
            main = partial(_help, config_name)
        while _lacks_group(main):
            GlobalHydra.instance().clear()


def taken(words: list[str], config_name: str) -> list[str]:
    """Return words of the command line as Hydra takes them; see `with_earlier`, `quoted`, `meant` and `opened`."""
    if config_name == "train":
        words = with_earlier(of_sweepers(words))
    return [opened(meant(quoted(word, config_name), config_name), config_name) for word in words]


def _share_heap() -> None:
    """Have all threads take memory from one heap.

    glibc gives each thread its own, whose pages are faulted in anew: to encode IMDB took a fifth longer (docs/log.md).
    """
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # of another C library
            ctypes.CDLL(None).mallopt(-8, 1)  # M_ARENA_MAX


def _lacks_group(main: Callable[[], Any]) -> bool:
    """Run a command; return whether it is to be run again, now that a group is added that an older train.yaml lacks."""
    try:
        main()
    except ConfigCompositionException as error:
        group = unknown_key(error)
        words = [word for word in sys.argv[1:] if group in groups() and word.startswith(f"{group}=")]
        if not words:
            raise
        sys.argv[1:] = [f"+{word}" if word in words else word for word in sys.argv[1:]]
        return True
    return False


def _help(config_name: str) -> None:
    print(help_text(config_name, [word for word in sys.argv[1:] if not word.startswith("-")]), flush=True)


def help_text(config_name: str, overrides: list[str]) -> str:
    """Return what there is to choose and to set, on one screen; in half the time that Hydra takes for it.

    Hydra's own help reads its own groups of settings besides, and has each setting on a line of its own.
    """
    config = loader().load_configuration(config_name, overrides, RunMode.RUN)
    settings: Any = OmegaConf.to_container(
        OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    )
    rows: dict[str, dict[str, Any]] = {"": {}}
    for name, value in settings.items():
        place, keys = (f"{name}.", flat(value)) if isinstance(value, dict) else ("", flat({name: value}))
        rows.setdefault(place, {}).update(keys)
    listed = _beside({group: ", ".join(choices(group)) for group in groups()})
    shown = _beside({place: " ".join(_words(keys)) for place, keys in rows.items()})
    return Template(config.hydra.help.template).substitute(APP_CONFIG_GROUPS=listed, CONFIG=shown).rstrip()


def _beside(texts: dict[str, str]) -> str:
    """Return names, and beside them their texts in lines of 80 columns; those without a text are left out."""
    margin = textwrap.TextWrapper(79, subsequent_indent=16 * " ", break_long_words=False)
    return "".join(f"{margin.fill(f'{name:<16}{text}')}\n" for name, text in texts.items() if text)


def _words(keys: dict[str, Any]) -> Iterator[str]:
    """Yield ``KEY=VALUE`` as one types it, but for what another setting says, and what is called."""
    for key, value in keys.items():
        if key.rpartition(".")[2] not in ("_target_", "_partial_") and "${" not in str(value):
            text = str(value)
            text = text.replace(" ", "") if text.startswith(("[", "{")) else text
            yield f"{key}={ {'None': 'null', 'True': 'true', 'False': 'false'}.get(text, text) }"


@contextmanager
def importing() -> Iterator[None]:
    """Import torch and Lightning in two thirds of the time, and without what they say to writers of training loops.

    Python would look for garbage among their million objects again and again while they are made, and once more as it
    ends; `gc.freeze` sets them aside.
    """
    warnings.filterwarnings("ignore", module=r"(lightning|torchmetrics|torch)\b")
    again = "lightning" in sys.modules  # a second job of the same process; what is left of the first can be garbage
    if not again:
        gc.disable()
    try:
        yield
    finally:
        if not again:
            gc.freeze()
            gc.enable()
        for name in ("lightning.pytorch", "lightning.fabric"):  # which set their own level as they are imported
            logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def told(config_name: str) -> Iterator[None]:
    """Tell the user of a mistake, on standard error and in the log, and exit.

    It stands around the body of a main function too: what leaves that, Hydra prefixes with a line of its own.
    """
    if _in_sweep():  # which tells of its jobs
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
        message, place = explained(error, config_name), place_of(error)
        if wants_traceback or (message is None and place is None):
            traceback.print_exc()
        if message is None and place is not None:  # in the project's own code
            message = f"{place}: {type(error).__name__}: {first_line(error)}".rstrip(": ")
            message += " (HYDRA_FULL_ERROR=1 shows the way there; train.log has it.)"
        elif message is None:
            message = "This is a mistake in the program, not yours: please report it with the lines above."
        sys.stderr.write(f"error: {message}\n")
        log = logging.getLogger("rosenblatt_file")
        if log.handlers and not isinstance(error, FolderTaken):  # that log is another run's
            with suppress(OSError):  # of a folder that may only be read, which has been told
                log.error(message, exc_info=None if isinstance(error, UserError) else error)  # a library's words
        sys.exit(1)


def _leave(signum: int, frame: FrameType | None) -> None:
    global terminated
    terminated = True
    sys.stderr.write("\nSIGTERM: stopped before there was a result.\n")
    sys.exit(TERMINATED)


def _in_sweep() -> bool:
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


ROWS = {  # of data modules, without Lightning
    "rosenblatt.text.data.TextData": "rosenblatt.text.rows.TextRows",
    "rosenblatt.table.data.TableData": "rosenblatt.table.rows.TableRows",
}


def read_ahead(config: DictConfig) -> None:
    """Begin to read and encode the rows of a run, while what trains on them is imported."""
    rows = ROWS.get(OmegaConf.select(config, "data._target_"))
    if rows is None or config.resume or _in_sweep():  # jobs share what one has encoded
        return
    from rosenblatt.data.ahead import begin

    settings = {name: value for name, value in plain(config.data).items() if name != "_target_"}
    begin(partial(get_class(rows), **settings))


def wants_figures(config: DictConfig) -> bool:
    """Return whether a run is to be drawn; a job of a sweep only where it is said how often: jobs are compared."""
    every_n_epochs = OmegaConf.select(config, "figures.every_n_epochs")
    return every_n_epochs is not None and (every_n_epochs != "auto" or not _in_sweep())
