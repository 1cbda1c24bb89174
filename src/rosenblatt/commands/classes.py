"""Which classes commands know when they read a model folder: those that the project's own YAML files name."""

from __future__ import annotations

import pkgutil
from typing import Any

from rosenblatt.cli.project import targets
from rosenblatt.errors import first_line
from rosenblatt.saved.known import installed
from rosenblatt.saved.refusal import Unknown


def of_project(role: str, name: str) -> Any:
    """Return the class that the project's own YAML files name in a role; see `rosenblatt.saved.known`."""
    known = targets()
    if role == "encoder":  # which no YAML file names: it stands beside the data module
        module, _, short = name.rpartition(".")
        if module not in {target.rpartition(".")[0] for target in known.get("data", ())}:
            return None
        found = getattr(pkgutil.resolve_name(module), short, None)
        return found if isinstance(found, type) and found.__module__ == module and hasattr(found, "encode") else None
    named = [one for one in known.get(role, ()) if one == name or ("." not in name and one.endswith(f".{name}"))]
    try:
        return pkgutil.resolve_name(named[0]) if named else None
    except (AttributeError, ImportError) as error:
        raise Unknown(f"configs/ of this project name {named[0]!r}, which can't be had: {first_line(error)}") from None


KNOWN = (installed, of_project)  # in this order: to read all YAML files takes a tenth of a second
