"""Arguments that come from a configuration or a file, checked against what a class or function takes."""

from __future__ import annotations

import inspect
import types
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin

from rosenblatt.errors import UserError, listed, nearest

LISTED: dict[Any, str] = {
    int: "whole numbers, such as [1,2]",
    float: "numbers, such as [0.5,1]",
    str: "words, such as [a,b]",
}
HYDRAS = ("_target_", "_partial_", "_args_", "_convert_", "_recursive_")
ANY = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def parameters_of(target: Any) -> dict[str, inspect.Parameter] | None:
    """Return what a class or function takes, annotations evaluated where they can be; ``None`` where nobody knows."""
    try:
        return dict(inspect.signature(target, eval_str=True).parameters)
    except Exception:  # a type that exists for the type checker alone; whatever else evaluating foreign words brings
        pass
    try:
        return dict(inspect.signature(target).parameters)
    except (TypeError, ValueError):  # of a class that is written in C
        return None


def check_name(group: str, target: Any, name: str) -> None:
    """Raise a `UserError` unless ``target`` takes an argument of that name."""
    parameters = parameters_of(target)
    names = [one for one, parameter in (parameters or {}).items() if parameter.kind not in ANY]
    takes_any = parameters is None or any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    if name not in (*names, *HYDRAS) and not takes_any:
        raise UserError(
            f"{group}.{name}: {target.__name__} has no such setting."
            + (nearest(name, names) or (f" There are {listed(names)}." if names else " It has none."))
        )


def check_arguments(group: str, target: Any, arguments: dict[str, Any]) -> None:
    """Raise a `UserError` for an argument that ``target`` does not take, or of a type other than declared."""
    parameters = parameters_of(target) or {}
    for name, value in arguments.items():
        if name in HYDRAS:
            continue
        if name not in parameters or parameters[name].kind in ANY:
            check_name(group, target, name)
        if isinstance(value, str) and value == "???":
            raise UserError(f"{group}.{name} is not set. Give it on the command line: {group}.{name}=...")
        if name not in parameters:
            continue
        hint, default = parameters[name].annotation, parameters[name].default
        if not (fits(value, hint) or (type(value) is type(default) and value == default)):
            raise UserError(f"{group}.{name}: expected {described(hint)}; got {value!r}.{nearest_in(value, hint)}")


def fits(value: Any, hint: Any) -> bool:
    """Return whether a plain value (number, string, list, ...) is of a type; unknown types take everything."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is Literal:
        return value in inner or any(not isinstance(one, str | int | None) for one in inner)  # members of an Enum
    if hint is None or hint is type(None):
        return value is None
    if origin is tuple and inner and inner[-1] is not ...:
        is_list = isinstance(value, list | tuple) and len(value) == len(inner)
        return is_list and all(fits(one, kind) for one, kind in zip(value, inner, strict=True))
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return isinstance(value, list | tuple) and (not inner or all(fits(one, inner[0]) for one in value))
    if hint in (int, float) and isinstance(value, bool):
        return False
    if hint in (int, float, str, bool, dict):
        return isinstance(value, int | float if hint is float else hint)
    is_tensor = inspect.isclass(hint) and f"{hint.__module__}.{hint.__name__}" == "torch.Tensor"
    return not (is_tensor and isinstance(value, str))  # a word is no Tensor; of other types a word may be a name


def described(hint: Any) -> str:
    """Return a type in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        words = list(dict.fromkeys(described(one) for one in inner if "torch." not in str(one)))
        return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    if origin is Literal:
        return f"one of {listed(inner)}" if len(inner) > 1 else str(inner[0])
    if origin is tuple and inner and inner[-1] is not ...:
        return f"a list of {len(inner)}: {', '.join(map(described, inner))}"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"a list of {LISTED.get(inner[0], 'values')}" if inner else "a list"
    names = {int: "a whole number", float: "a number", str: "a word", bool: "true or false", type(None): "null"}
    return names.get(hint, str(getattr(hint, "__name__", hint)))


def nearest_in(value: Any, hint: Any) -> str:
    """Return ``" Did you mean 'x'?"`` for the word of a type that is most like a value, or an empty string."""
    kinds = (hint, *get_args(hint))
    words = [str(word) for one in kinds if get_origin(one) is Literal for word in get_args(one)]
    return nearest(
        "null" if str(value).lower() in ("none", "nil") else str(value),
        [*words, *(["null"] if type(None) in kinds else [])],
    )
