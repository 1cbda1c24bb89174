"""Objects from configuration: each ``_target_`` called with its arguments, which are checked first."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import hydra
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from rosenblatt.arguments import ANY, check_arguments, check_name, parameters_of
from rosenblatt.cli.messages import elsewhere, place_of
from rosenblatt.cli.project import root
from rosenblatt.cli.values import plain
from rosenblatt.errors import UserError, first_line, nearest, own_words

TELLS = {"num_outputs": " (A data module whose task has the names of its classes tells it, too.)"}
OTHERS = {  # that are brought in place of what is expected
    "LightningDataModule": " (Of lightning.pytorch, not of the older package pytorch_lightning.)",
    "LightningModule": " (A network alone goes to model=..., and the project's own module trains it.)",
}


def build(group: str, node: DictConfig | Mapping[str, Any], kind: type = object, **offered: Any) -> Any:
    """Call what ``node._target_`` names, as Hydra does.

    Args:
        group: name of the node in the configuration, for messages.
        node: ``_target_`` and its arguments, which may be nodes of this kind themselves; with ``_partial_: true`` it
            is called later.
        kind: that what it returns has to be of.
        offered: further arguments, of which it gets those that its signature names and that the node does not give.

    Raises:
        UserError: a target that can't be imported; an argument that it does not take, that is missing, or of another
            type than it declares; whatever goes wrong within the target; it makes something of another kind.
    """
    config, target = checked_node(group, node)
    arguments, path, taken = plain(config), str(config._target_), _taken(target)
    given = {*arguments, *list(taken)[: len(arguments.get("_args_") or ())]}
    offered = {name: value for name, value in offered.items() if name in taken and name not in given}
    is_partial = bool(arguments.get("_partial_"))
    for name, parameter in taken.items():
        if parameter.default is parameter.empty and not is_partial and name not in given and name not in offered:
            raise UserError(
                f"{group}.{name} is not set, and {path.rpartition('.')[2]} needs it. Give it in its YAML "
                f"file, or on the command line: {group}.{name}=...{TELLS.get(name, '')}"
            )
    try:
        # Called without what is offered first: Hydra would take objects apart that look like configurations.
        make = hydra.utils.instantiate(config, _partial_=True, _convert_="all")
        made = functools.partial(make, **offered) if is_partial else make(**offered)
    except Exception as error:
        _tell(group, path, arguments, error)
    if not isinstance(made, kind):
        raise UserError(
            f"{group}._target_={path}: expected a {kind.__name__} of {kind.__module__.partition('.')[0]}; "
            f"it is a {type(made).__name__}.{OTHERS.get(kind.__name__, '')}"
        )
    return made


def checked_node(group: str, node: DictConfig | Mapping[str, Any]) -> tuple[DictConfig, Any]:
    """Return a node of a target, and what that names, once it is known to take the arguments; nothing is called.

    Raises:
        UserError: as `build` does for a target or an argument.
    """
    config = node if isinstance(node, DictConfig) else OmegaConf.create(dict(node))
    if "_target_" not in config:
        raise UserError(
            f"{group}: no {group} is chosen, or its YAML file names no class. See the choices with --help; a file of "
            "configs/ begins with _target_: package.Class"
        )
    arguments, path = plain(config), str(config._target_)
    target = _imported(f"{group}._target_={path}: ", path)
    for name in [one for one in arguments if one not in _taken(target)]:
        check_setting(group, path, name)
    flat = {name: value for name, value in arguments.items() if "_target_" not in str(value)}  # Hydra calls the others
    check_arguments(group, target, flat)
    return config, target


def build_each(
    group: str, node: DictConfig | Mapping[str, Any] | None, kind: type = object, **offered: Any
) -> dict[str, Any]:
    """Build several, such as ``{counter: {_target_: plain.Counter, path: epochs.txt}}``, each as `build` does."""
    given = named_nodes(group, node)
    return {name: build(f"{group}.{name}", one, kind, **offered) for name, one in given.items()}


def named_nodes(group: str, node: DictConfig | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a mapping from names has that is not null, each known to have a target that takes its arguments.

    Raises:
        UserError: an entry without a ``_target_``; as `build` does for a target or an argument.
    """
    given = {str(name): one for name, one in (node or {}).items() if one is not None}
    ours = [name for name, one in given.items() if isinstance(one, Mapping | DictConfig) and "_target_" in one]
    for name, one in given.items():
        if name not in ours:
            raise UserError(
                f"{group}.{name}: expected a name of your choice with a _target_ under it, such as "
                f"{group}.mine._target_=package.Class; got {one!r}.{nearest(name, ours)}"
            )
        checked_node(f"{group}.{name}", one)
    return given


def names(node: DictConfig | Mapping[str, Any]) -> set[str]:
    """Return the arguments that a node's target names in its signature; none where it can't be imported."""
    try:
        return set(_taken(_imported("", str(node["_target_"]))))
    except UserError:  # `build` says why
        return set()


def _taken(target: Any) -> dict[str, inspect.Parameter]:
    parameters = parameters_of(target) or {}
    return {name: parameter for name, parameter in parameters.items() if parameter.kind not in ANY}


def check_setting(group: str, target: str, name: str) -> None:
    """Raise a `UserError` unless a target takes an argument of that name."""
    found = _imported(f"{group}._target_={target}: ", target)
    try:
        check_name(group, found, name)
    except UserError as error:
        raise UserError(elsewhere(f"{group}.{name}") or str(error)) from None


def _tell(group: str, path: str, arguments: Mapping[str, Any], error: Exception) -> NoReturn:
    """Raise what went wrong in a target as a message with the place; as it is where the engine itself is to blame."""
    if isinstance(error, InstantiationException):  # of a nested target, or refused by Hydra
        if found := re.search(r"full_key: (\S+)", str(error)):
            group = found[1] if found[1].startswith(group) else f"{group}.{found[1]}"
        error = error.__cause__ if isinstance(error.__cause__, Exception) else error
    if isinstance(error, UserError):
        raise error
    of_programs = AssertionError | AttributeError | LookupError | NameError | OSError
    if isinstance(error, of_programs) and place_of(error) is None:
        raise error  # not of the arguments
    reason, text = _reason(error), str(error)
    if reason is None:  # in the words of a library
        given = {key: value for key, value in arguments.items() if key[0] != "_"}
        odd = [key for key, value in given.items() if re.search(rf"\b{key}\b", text) or f"'{value}'" in text]
        reason = f"{path} takes no {', '.join(f'{key}={given[key]!r}' for key in odd or given) or 'such'}."
        if found := re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument ('\w+')", text):
            reason = f"{found[1]} has no argument {found[2]}."
        elif isinstance(error, InstantiationException):
            reason = f"{path} is not called from settings."
        reason += " HYDRA_FULL_ERROR=1 shows why."
    about_device = group == "trainer" and re.search("accelerator|backend|device|torch_xla", text, re.I)
    hint = " Try trainer.accelerator=auto, which takes what this machine has." if about_device else ""
    raise UserError(f"{group}: {reason}{hint}") from error


def _reason(error: Exception) -> str | None:
    """Return what is wrong in one line: the package that is missing, or what own code says, and where it came up."""
    found = re.search(r"pip install (?:-U )?'?([\w.-]+)", str(error))
    package = found[1] if found else (getattr(error, "name", None) or "").partition(".")[0]
    if package and isinstance(error, ModuleNotFoundError if found is None else ImportError):
        return f"it needs the package {package}: pip install {package}"
    line, place = first_line(error), place_of(error)
    if place is None:
        return own_words(error, "") or None
    speaks = isinstance(error, ValueError | RuntimeError | ImportError) or "Misconfig" in type(error).__name__
    said = line if speaks and line else f"{type(error).__name__}: {line}".rstrip(": ")
    return f"{said} ({place})"


def _imported(prefix: str, path: str) -> Any:
    """Return what a dotted path names.

    Raises:
        UserError: there is nothing of that name, with the nearest one; its module can't be imported, with the reason.
    """
    parts = path.split(".")
    if len(parts) == 1:
        raise UserError(f"{prefix}expected a module and a class in it, such as plain.{path}.")
    found: Any = None
    for number, part in enumerate(parts):
        name, known = ".".join(parts[: number + 1]), ".".join(parts[:number])
        try:
            found = getattr(found, part) if number and hasattr(found, part) else importlib.import_module(name)
        except Exception as error:
            if isinstance(error, ModuleNotFoundError) and error.name in (name, known):
                raise UserError(f"{prefix}{_not_there(part, found, known)}") from None
            raise UserError(f"{prefix}{name} can't be imported: {_reason(error) or type(error).__name__}") from error
    if not callable(found):
        raise UserError(f"{prefix}it is no class or function, but {type(found).__name__}.")
    return found


def _not_there(part: str, found: Any, known: str) -> str:
    if not known:
        own = [file.stem for pattern in ("*.py", "src/*") for file in root().glob(pattern)]
        if part in own:
            return f"{part!r} is not installed in this environment: make train, or pip install -e ."
        hint = nearest(part, [*own, "torch", "lightning", "torchmetrics", "rosenblatt"])
        return f"there is no module {part!r}.{hint or f' If it is a package that is not installed: pip install {part}'}"
    inside = [one.name for one in pkgutil.iter_modules(getattr(found, "__path__", []))]
    options = [name for name in dir(found) if callable(getattr(found, name, None)) and not name.startswith("_")]
    hint = nearest(part, [*options, *inside])
    return f"{known} has no {part!r}." + hint.replace("'", f"'{known}.", 1)
