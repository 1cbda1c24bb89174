"""What is wrong, in one message: exceptions of this program, Hydra, OmegaConf, Lightning and the system, explained."""

from __future__ import annotations

import errno
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import (
    GrammarParseError,
    InterpolationResolutionError,
    InterpolationValidationError,
    OmegaConfBaseException,
)

from rosenblatt.cli.project import choices, folders, groups
from rosenblatt.cli.schema import SCHEMAS, SEVERAL
from rosenblatt.errors import UserError, nearest

FUNCTIONS = ("choice", "range", "interval", "glob", "tag", "sort", "shuffle", "int", "float", "str", "bool")  # Hydra's
INSTEAD = {  # of what other sweepers' functions have in their names, with their two numbers
    r"log|geom": "tag(log,interval({}))",
    r"int\b|int_": "int(interval({}))",
    r"uniform|normal|space": "interval({})",
}
SWEEPERS = {  # settings of other sweepers, and where they stand here
    "n_trials": "trials", "max_trials": "trials", "budget": "trials", "study_name": "name", "search_space": "space",
    "direction": "objective=val/acc, or early_stopping.mode=max", "max_failure_rate": "max_failures",
}  # fmt: skip
MORE = "HYDRA_FULL_ERROR=1 shows what {} says."
DISK_FULL = "The disk is full"
BLAMED = {
    "torch.optim.lr_scheduler": "scheduler", "torch.optim": "optimizer", "lightning.": "trainer",
    "logging": "hydra.job_logging",
}  # fmt: skip
ENGINE = Path(__file__).parents[1]


def explained(error: BaseException, config_name: str) -> str | None:
    """Return the message for a mistake of the user's, or ``None`` for one of the program's."""
    if isinstance(error, UserError):  # settings of files are in no group of predict
        own = r"\bdata\.(?=text_column|encoding|header|separator)"
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
        hint = " Is hydra.run.dir, or the current folder, a place to write?" if error.errno != errno.ENOENT else ""
        return f"{error.filename}: {error.strerror.lower()}.{hint}"
    if type(error).__module__.startswith("yaml."):
        return broken_yaml(error)
    if type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error):
        return "Out of memory. Try a smaller data.batch_size, or a smaller model."
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
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    is_cut_off = isinstance(error, EOFError | ConnectionError) and any("torch/utils/data" in file for file in files)
    if is_cut_off or re.search(r"DataLoader worker.* (killed|exited|aborted)", str(error)):
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
        if part is None:
            return None
        named, code, given = re.findall(r"\w+", str(error).lower()), frames[-1].f_code, frames[-1].f_locals
        local = [f"{part}.{one}={given[one]!r}" for one in code.co_varnames[: code.co_argcount] if one in named]
        typed = [word for word in map(_plain, sys.argv[1:]) if word.partition("=")[0].rpartition(".")[2] in named]
        what = "the outputs and targets" if part == "loss" else "the other settings, the model or the data"
        said = part if part == "loss" else " ".join(typed or local) or part
        return f"{said}: it does not go together with {what}. {MORE.format(module.partition('.')[0])}"
    return None


def broken_yaml(error: BaseException) -> str:
    """Return where a file is no YAML."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = f"{mark.name}, line {mark.line + 1}, column {mark.column + 1}" if mark else "a file of configs/"
    if "duplicate key" in str(error):
        return f"{place}: a key is there twice. Take one out."
    return f"{place}: it is no YAML. Expected KEY: VALUE in each line; words with signs such as : [ {{ # need quotes."


def _plain(word: str) -> str:
    """Return a word without the signs that `rosenblatt.cli.schema.opened` has put there."""
    return word.removeprefix("++")


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
    found = re.search(r"Could not override '([^']+)'|is not in struct\n\s+full_key: (\S+)", str(error))
    return (found[1] or found[2]) if found else None


def _hydra_message(error: BaseException, config_name: str) -> str:
    text = str(error).strip()
    known = [*SCHEMAS[config_name], *groups()]
    words = [_plain(word) for word in sys.argv[1:]]
    if isinstance(error, OverrideParseException):
        return _no_word(_plain(error.override))
    if key := unknown_key(error):
        files = [file for folder in folders() for file in folder.glob(f"{config_name}.yaml")]
        return no_key(key, [*known, *(str(one) for file in files for one in OmegaConf.load(file))])
    if found := re.search(r"Could not (?:find|load) '([\w/]+)/([^/']+)'", text):
        return _no_choice(found[1], found[2])
    if found := re.search(r"Ambiguous value for argument '(.+?)'\n|Sweep parameters '(.+)' requires", text, re.S):
        return _several(_plain(found[1] or found[2]), config_name)
    if found := re.search(r"Could not delete.*?'([^'=]+)", text, re.S):
        return f"~{found[1]}: there is nothing of that name to take out.{nearest(found[1], known)}"
    if found := re.search(r"already at '([\w.]+)'", text):
        return f"+{found[1]}=...: it is there already. Leave the + out: {found[1]}=..."
    if found := re.search(r"Multiple values for (\w+)|^(\w+) appears more than once", text):
        key = found[1] or found[2]
        return f"{key}: it is chosen twice. Take one out; a file of configs/experiment says - override /{key}: CHOICE"
    if isinstance(error, InterpolationResolutionError | InterpolationValidationError | GrammarParseError):
        named = re.search(r"Interpolation key '([^']*)'", text)
        why = f"there is no setting {named[1]!r}.{nearest(named[1], known)}" if named else "it leads to no value."
        odd = [word for word in words if "${" in word]
        return f"{[*odd, error.full_key or 'configs/'][0]}: ${{...}} stands for another setting, and {why}"
    if isinstance(error, MissingConfigException) and "directory" not in text:
        names = sorted(path.stem for folder in folders() for path in folder.glob("*.yaml"))
        return f"--config-name: there is no such file in configs/. There are {', '.join(names)}."
    if "config directory" in text:
        return f"{' '.join(words)}: expected a folder with YAML files; --config-dir or --config-path names none."
    found = re.search(r"expected one of \[(.*)\]", f"{text} {error.__cause__}")
    allowed = f" Expected one of {found[1]}." if found else ""
    said = " ".join(word for word in words if word in text.replace("++", "")) or "configs/"
    return f"{said}: it does not go with what configs/ say.{allowed} {MORE.format('Hydra')}"


def _no_word(word: str) -> str:
    """Return the message for a word that is none of Hydra's."""
    key, _, value = word.partition("=")
    called = re.fullmatch(r"(\w+)\((.*)\)", value)
    if called and called[1] not in FUNCTIONS:
        ways = [way for pattern, way in INSTEAD.items() if re.search(pattern, called[1], re.I)]
        own = "space" not in called[1] and re.fullmatch(r"[\d.e+-]+, ?[\d.e+-]+", called[2])
        hint = f"{nearest(called[1], FUNCTIONS)} There are {', '.join(FUNCTIONS)}."
        if ways:
            hint = f" Search by -m sweep=optuna '{key}={ways[0].format(called[2] if own else '1e-4,1')}'"
        return f"{word}: there is no {called[1]}(...).{hint}"
    if called:
        return f"{word}: expected such as choice(a,b), range(1,5), interval(0.1,1) or tag(log,interval(1e-4,1))."
    return (
        f"{word}: expected KEY=VALUE or GROUP=CHOICE. Signs such as , ( [ {{ = ~ in a value need quotes that reach "
        f"the program: \"data.train='a,b.csv'\""
    )


def no_key(key: str, known: Iterable[str]) -> str:
    """Return the message for a setting that there is not."""
    if found := re.match(r"hydra[./]sweeper[./](\w+)", key):
        own = SWEEPERS.get(found[1], found[1])
        own = f"sweep.{own}" if found[1] in SWEEPERS or f"sweep.{own}" in SCHEMAS["train"] else "docs/sweeps.md"
        return f"{key}: sweeps have a sweeper of their own, with settings of its own: see {own} (and -m sweep=optuna)."
    if key.startswith("hydra"):
        return f"{key}: Hydra has no such setting. `--cfg hydra` shows them all."
    first, tops = key.partition(".")[0], {one.partition(".")[0] for one in known}
    hint = nearest(key, known) if first in (key, *tops) else nearest(first, tops)
    return f"{key}: no such setting.{hint} `--cfg job` shows them all."


def _several(word: str, program: str) -> str:
    """Return the message for several values without ``-m``."""
    key, _, value = word.partition("=")
    one = SCHEMAS[program].get(key)
    may_be_list = key in SEVERAL or (key not in groups() if one is None else "list" in str(one.kind))
    may_be_list = may_be_list and not re.fullmatch(r"data\.(train|val|test)", key)
    as_list = f" One list has brackets: '{key}=[{value}]'" if may_be_list and "(" not in value else ""
    if program != "train":
        return f"{word}: expected one value.{as_list}"
    return f"{word}: several values are a sweep, which -m is: train.py -m '{word}'.{as_list}"


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
    hint = f" Did you mean {group}=none?" if option.lower() in ("null", "false") and "none" in options else hint
    return f"{group}={option}: no such choice.{nearest(option, options)}{known}{hint}"
