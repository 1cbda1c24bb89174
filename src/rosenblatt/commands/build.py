"""Objects from configuration: each ``_target_`` called with its arguments, which are checked first."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin

import hydra
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from rosenblatt.errors import UserError, listed, nearest

LISTED: dict[Any, str] = {
    int: "whole numbers, such as [1,2]",
    float: "numbers, such as [0.5,1]",
    str: "words, such as [a,b]",
}


def build(group: str, node: DictConfig, **values: Any) -> Any:
    """Call what ``node._target_`` names.

    Args:
        group: name of the node in the configuration, for messages.
        node: ``_target_`` and its arguments.
        values: further arguments, such as sizes that follow from the data.

    Raises:
        UserError: an argument that the target does not take, or of another type than it declares; the target's own
            complaint about its arguments.
    """
    if "_target_" not in node:
        raise UserError(f"{group}: nothing to set: no {group} is chosen. See the choices with --help.")
    try:
        target = hydra.utils.get_object(node._target_)
    except Exception as error:
        raise UserError(f"{group}._target_={node._target_}: it can't be imported: {error}") from None
    check_arguments(group, target, OmegaConf.to_container(node, resolve=True))  # type: ignore[arg-type]
    for name in values:
        if name in node:
            raise UserError(f"{group}.{name}: the program sets it itself. Leave it out.")
    try:
        return hydra.utils.instantiate(node, **values, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        if (
            isinstance(cause, TypeError | ValueError | RuntimeError | ImportError)
            or "Misconfiguration" in type(cause).__name__
        ):
            about_device = group == "trainer" and re.search("accelerator|backend|device|torch_xla", str(cause), re.I)
            hint = " Try trainer.accelerator=auto, which takes what this machine has." if about_device else ""
            raise UserError(f"{group}: {_short(cause)}{hint}") from cause
        raise


def called(group: str, make: Any, argument: Any) -> Any:
    """Call what `build` returned for a node with ``_partial_: true``.

    Raises:
        UserError: the target's own complaint about its arguments, such as a negative weight decay.
    """
    try:
        return make(argument)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{group}: {_short(error)}") from error


def check_arguments(group: str, target: Any, arguments: dict[str, Any]) -> None:
    """Raise a `UserError` for an argument that ``target`` does not take, or of a type other than declared."""
    signature = inspect.signature(target)
    kinds = {name: parameter.kind.name for name, parameter in signature.parameters.items()}
    names = [name for name, kind in kinds.items() if kind != "VAR_KEYWORD" and name != "params"]  # of an optimizer
    try:
        hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except (NameError, TypeError):  # a type that exists for the type checker alone
        hints = {}
    for name, value in arguments.items():
        if name.startswith("_"):  # Hydra's own: _target_, _partial_
            continue
        if name not in names:
            raise UserError(
                f"{group}.{name}: {target.__name__} has no such setting."
                + (nearest(name, names) or f" There are {listed(names)}.")
            )
        if isinstance(value, str) and value == "???":
            raise UserError(f"{group}.{name} is not set. Give it on the command line: {group}.{name}=...")
        if not fits(value, hints.get(name, Any)):
            raise UserError(
                f"{group}.{name}: expected {described(hints[name])}; got {value!r}.{_hint(value, hints[name])}"
            )


def fits(value: Any, hint: Any) -> bool:
    """Return whether a plain value (number, string, list, ...) is of a type; unknown types take everything."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is Literal:
        return value in inner
    if hint is None or hint is type(None):
        return value is None
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return isinstance(value, list | tuple) and (not inner or all(fits(one, inner[0]) for one in value))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (str, bool):
        return isinstance(value, hint)
    is_torch_class = inspect.isclass(hint) and hint.__module__.split(".")[0] == "torch"
    return not (is_torch_class and isinstance(value, str | int | float))  # a word is no Tensor


def described(hint: Any) -> str:
    """Return a type in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(described(one) for one in inner if "torch" not in str(one)))
    if origin is Literal:
        return f"one of {listed(inner)}"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"a list of {LISTED.get(inner[0], 'values')}" if inner else "a list"
    words = {int: "a whole number", float: "a number", str: "a word", bool: "true or false", type(None): "null"}
    return words.get(hint, str(getattr(hint, "__name__", hint)))


def _hint(value: Any, hint: Any) -> str:
    inner = [word for one in (hint, *get_args(hint)) if get_origin(one) is Literal for word in get_args(one)]
    return nearest(str(value), map(str, inner)) if inner else ""


def _short(error: BaseException | None) -> str:
    return str(error).strip().split("\n")[0]
