"""Arguments that come from a configuration or a file, checked against what a class or function takes."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin

from rosenblatt.errors import UserError, listed, nearest

LISTED: dict[Any, str] = {
    int: "whole numbers, such as [1,2]",
    float: "numbers, such as [0.5,1]",
    str: "words, such as [a,b]",
}


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
