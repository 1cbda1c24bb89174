"""What is wrong, in one message: exceptions of this program, Hydra, OmegaConf, Lightning and the system, explained."""

from __future__ import annotations

import errno
import re
import sys
import sysconfig
import traceback
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rosenblatt.cli.project import choices, folders, groups, loader
from rosenblatt.cli.schema import SCHEMAS
from rosenblatt.errors import UserError, first_line, nearest

FUNCTIONS = ("choice", "range", "interval", "glob", "tag", "sort", "shuffle", "int", "float", "str", "bool")  # Hydra's
DISK_FULL = "The disk is full"
BLAMED = {"torch.optim.lr_scheduler": "scheduler", "torch.optim": "optimizer", "lightning.": "trainer"}
ENGINE = Path(__file__).parents[1]


def explained(error: BaseException, config_name: str) -> str | None:
    """Return the message for a mistake of the user's, or ``None`` for one of the program's."""
    if isinstance(error, UserError):  # settings of files are in no group of predict
        own = r"\bdata\.(?=text_column|encoding|separator)"
        return re.sub(own, "", str(error)) if config_name == "predict" else str(error)
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _hydra_message(error, config_name)
    if isinstance(error, ValueError) and str(error).startswith("Config group override must be"):
        words = [word.partition("=") for word in sys.argv[1:]]  # a number, such as threshold=0.7, which Hydra names not
        odd = [(one, value) for one, _, value in words if one in groups() and value not in choices(one)]
        return _no_choice(*odd[0]) if odd else None
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{DISK_FULL}: {error.filename or 'a file'} could not be written. Free some space and run again."
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}. Is hydra.run.dir, or the current folder, a place to write?"
    if type(error).__module__.startswith("yaml."):
        return f"configs/: {' '.join(str(error).split())}"
    if type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error):
        return f"Out of memory: {first_line(error)} Try a smaller data.batch_size."
    if found := re.search(r"^Caught (\w+) in DataLoader worker process.*\n(\w+)(: .*)?\s*$", str(error), re.S):
        lines = [one for one in re.findall(r'File "([^"]+)", line (\d+)', str(error)) if _is_own(one[0])]
        place = f" ({_shown(*lines[-1])})" if lines else ""
        return f"data: {found[1]}{(found[3] or '').rstrip()}, in a worker of a DataLoader{place}"
    if found := re.search(r"Target (-?\d+) is out of bounds|bincount only supports .*non-negative", str(error)):
        label = found[1] or "below 0"
        return (
            f"data: a batch has the class {label}, for which the model has no output. Number classes from 0, and "
            "give the model an output for each; or the data module a task with the names of all classes."
        )
    if _of_a_worker(error):
        return (
            "data: a worker of a DataLoader has died, most often for want of memory. Try fewer workers "
            "(data.num_workers), or a smaller batch."
        )
    if isinstance(error, RuntimeError | ValueError | TypeError) or "Misconfig" in type(error).__name__:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        module = str(frames[-1].f_globals.get("__name__")) if frames else ""  # that a setting was too much for
        part = next((part for place, part in BLAMED.items() if module.startswith(place)), None)
        if frames and module == "torch.nn.functional" and frames[-1].f_code.co_name.endswith("_loss"):
            part = "loss"
        return f"{part}: {str(error).strip()}" if part else None
    return None


def _of_a_worker(error: BaseException) -> bool:
    """Return whether a process that loads data has ended, whatever that looked like from here."""
    if isinstance(error, RuntimeError) and re.search(r"DataLoader worker.* (killed|exited|aborted)", str(error)):
        return True
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return isinstance(error, EOFError | ConnectionError) and any("torch/utils/data" in file for file in files)


def place_of(error: BaseException) -> str | None:
    """Return the line of the project's own code that an error came from, such as ``plain.py:12``, or ``None``.

    Libraries may stand below it: a layer that is made of a negative number of units is its maker's mistake.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_own(frame.filename):
            return _shown(frame.filename, frame.lineno)
        if Path(frame.filename).is_relative_to(ENGINE):
            break
    return None


def _is_own(file: str) -> bool:
    path = Path(file)
    libraries = (sysconfig.get_path("stdlib"), ENGINE, ENGINE.parent / "hydra_plugins")
    is_library = "site-packages" in path.parts or any(path.is_relative_to(one) for one in libraries)
    return path.is_absolute() and not is_library


def _shown(file: str, line: object) -> str:
    path = Path(file)
    return f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}:{line}"


def unknown_key(error: BaseException) -> str | None:
    """Return the setting or group that Hydra did not find, where an error is about one."""
    found = re.search(r"Could not override '([^']+)'", str(error))
    return found[1] if found else None


def _hydra_message(error: BaseException, config_name: str) -> str:
    text = str(error).strip()
    cause = str(error.__cause__ or "")
    if isinstance(error, OverrideParseException):
        word = error.override.removeprefix("++")
        called = re.fullmatch(r"[^=]+=(\w+)\(.*\)", word)
        if called and called[1] not in FUNCTIONS:
            known = f"There are {', '.join(FUNCTIONS)}; lr=tag(log,interval(1e-4,1)) is on a log scale."
            return f"{word}: there is no {called[1]}(...).{nearest(called[1], FUNCTIONS)} {known}"
        return (
            f"{word}: expected KEY=VALUE or GROUP=CHOICE. Signs such as , ( [ {{ = ~ in a value need quotes that reach "
            f"the program: \"data.train='a,b.csv'\""
        )
    if key := unknown_key(error):
        own = loader().load_configuration(config_name, [], RunMode.RUN)
        hint = nearest(key, [*SCHEMAS[config_name], *groups(), *map(str, own)])
        return f"{key}: no such setting.{hint} `--cfg job` shows them all."
    if found := re.search(r"Could not (?:find|load) '([\w/]+)/([^/']+)'", text):
        return _no_choice(found[1], found[2])
    if found := re.search(r"Multiple values for (\w+)|^(\w+) appears more than once|already at '([\w.]+)'", text):
        key = found[1] or found[2] or found[3]
        return f"+{key}=...: it is there already. Leave the + out: {key}=..."
    if found := re.search(r"Ambiguous value for argument '([^=']+)=(.*)'\n", text):
        return f"{found[1]}={found[2]}: several values are a sweep, with -m; one list is [{found[2]}], in brackets."
    return "\n".join(line for line in (text, cause) if line)


def elsewhere(key: str) -> str | None:
    """Return the message for a setting that the YAML file of another choice of its group names, or ``None``."""
    group, _, name = key.partition(".")
    chosen = HydraConfig.get().runtime.choices.get(group) if HydraConfig.initialized() else None
    for path in sorted(path for folder in folders() for path in (folder / group).glob("*.yaml")):
        if path.stem != chosen and name in OmegaConf.load(path):
            return f"{key}: no such setting here; {group}={path.stem} has it."
    return None


def _no_choice(group: str, option: str) -> str:
    if group == "hydra/sweeper":
        return f"{group}={option}: sweeps have a sweeper of their own, with Optuna in it: -m sweep=optuna"
    options = choices(group)
    known = f" There are {', '.join(options)}." if options else ""
    hint = f" A number goes to threshold.value={option}" if group == "threshold" and option[0].isdigit() else ""
    return f"{group}={option}: no such choice.{nearest(option, options)}{known}{hint}"
