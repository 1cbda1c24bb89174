"""The running project: its folder, its YAML files on Hydra's search path, and the code that these name."""

from __future__ import annotations

import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

_root: list[Path] = []


def enter(program: Path) -> None:
    """Note which project runs, and let its modules be imported, here and in the processes that are started from here.

    Args:
        program: the file that was started: in the project's folder, beside ``configs/``, or in a folder of it.
    """
    folder = program.resolve().parent
    root = next((one for one in (folder, folder.parent) if (one / "configs").is_dir()), folder)
    _root[:] = [root]
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if str(root) not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, paths)])


def root() -> Path:
    """Return the folder of the running project."""
    return _root[0] if _root else Path.cwd()


def loader() -> ConfigLoader:
    """Return what finds YAML files: Hydra's, once it runs."""
    if not GlobalHydra.instance().is_initialized():
        with initialize_config_dir(str(root() / "configs"), version_base="1.3"):
            return GlobalHydra.instance().config_loader()
    return GlobalHydra.instance().config_loader()


def folders() -> list[Path]:
    """Return the folders on Hydra's search path, the project's own first; it alone, until Hydra has composed."""
    if not HydraConfig.initialized():
        return [root() / "configs"]
    sources = [one for one in HydraConfig.get().runtime.config_sources if one.schema == "file"]
    return [Path(one.path) for one in sorted(sources, key=lambda one: bool(one.provider != "main"))]


def groups() -> list[str]:
    """Return the names of the groups of settings."""
    return sorted(group for group in loader().list_groups("") if group != "hydra")


def choices(group: str) -> list[str]:
    """Return the names of the choices of a group."""
    return sorted(loader().get_group_options(group))


def targets() -> dict[str, set[str]]:
    """Return all that the project's YAML files say after ``_target_``, by the key at the top that it is for."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in folders():
        for path in folder.rglob("*.yaml"):
            text = path.read_text(encoding="utf-8")
            is_global = re.search(r"^#\s*@package _global_", text, re.M)
            place = "" if is_global else ".".join(path.relative_to(folder).parent.parts)
            for key, target in _targets(OmegaConf.to_container(OmegaConf.create(text))):
                found[f"{place}.{key}".strip(".").partition(".")[0]].add(target)
    return dict(found)


def foreign(settings: dict[str, Any], typed: list[str]) -> str | None:
    """Return a ``_target_`` that neither the project's YAML files nor the command line name for that place."""
    known = targets()
    for word in typed:
        key, _, value = word.lstrip("+").partition("=")
        if "_target_" in word:
            known.setdefault(re.split(r"[.@]", key)[0], set()).add(value.strip("'\""))
    for key, target in _targets(settings):
        if target not in known.get(key.partition(".")[0], ()):
            return target
    return None


def _targets(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield the key and the value of each ``_target_`` in a plain node."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield key, str(node["_target_"])
        for name, inner in node.items():
            yield from _targets(inner, f"{key}.{name}".strip("."))
    elif isinstance(node, list):
        for inner in node:
            yield from _targets(inner, key)
