"""The classes that a model folder may be made of: it names them, and nothing is imported because it does."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from rosenblatt.data.encoder import Encoder, PointEncoder
from rosenblatt.saved.refusal import Unknown
from rosenblatt.table.encoder import TableEncoder
from rosenblatt.table.realmlp import RealMLP
from rosenblatt.text.encoder import TextEncoder

Find: TypeAlias = Callable[[str, str], Any]  # from a role (model, module, encoder, loss) and a name to a class, or None
ENCODERS: dict[str, type[Encoder]] = {one.__name__: one for one in (PointEncoder, TableEncoder, TextEncoder)}
ENTRY_POINTS = "rosenblatt.models"  # group in the pyproject.toml of an installed project


def path_of(one: Any) -> str:
    """Return module and name of a class or function."""
    return f"{one.__module__}.{one.__qualname__}"


def is_meant(name: str, path: str) -> bool:
    """Return whether a name of a folder means this class; format 1 has names without a module."""
    return name == path or ("." not in name and path.rpartition(".")[2] == name)


def given(classes: Iterable[Any]) -> Find:
    """Return what finds classes that somebody hands over, whatever their module is called here."""
    every = list(classes)

    def find(role: str, name: str) -> Any:
        exact = [one for one in every if is_meant(name, path_of(one))]
        named = [one for one in every if one.__qualname__.rpartition(".")[2] == name.rpartition(".")[2]]
        return next(iter([*exact, *named]), None)

    return find


def installed(role: str, name: str) -> Any:
    """Return a class that an installed project has as an entry point; that it is the one is seen before its import."""
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        path = point.value.partition("[")[0].strip().replace(":", ".")
        if is_meant(name, path):
            found = point.load()
            if path_of(found) == path:
                return found
    return None


def look_up(role: str, name: Any, finds: Sequence[Find]) -> Any:
    """Return the class that a folder names for a role, such as ``model``.

    Raises:
        Unknown: nobody of those that are asked, one after the other, knows it.
    """
    if not isinstance(name, str):
        raise ValueError(f"expected the name of a class; it says {str(name)[:50]!r}")
    if role == "encoder" and name in ENCODERS:
        return ENCODERS[name]
    if role == "model" and name == path_of(RealMLP):
        return RealMLP
    for find in finds:
        if (found := find(role, name)) is not None:
            return found
    short = name.rpartition(".")[2] if name.rpartition(".")[2].isidentifier() else "..."
    raise Unknown(
        f"{name[:100]!r} is no {role} that is known here, and a folder never says what to import. If it is yours: "
        f"rosenblatt.load(run, classes=[{short[:50]}]). Commands know those that the configs/ of their project name."
    )
