"""Settings as plain values, nested or flat."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rosenblatt.errors import UserError, differences

OF_THIS_CALL = ("resume", "resume_anyway", "sweep")  # and not of the run
OF_NO_MATTER = ("figures", "logger")  # for what is learnt


def plain(config: DictConfig) -> dict[str, Any]:
    """Return settings as plain dicts, lists and values, interpolations resolved."""
    container: Any = OmegaConf.to_container(config, resolve=True)
    return dict(container)


def flat(node: Mapping[str, Any], prefix: str = "") -> dict[str, int | float | str | bool]:
    """Return settings as ``data.batch_size``: value; what is no number, word or truth value, as a word."""
    found: dict[str, int | float | str | bool] = {}
    for key, value in node.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value if isinstance(value, int | float | str | bool) else str(value)
    return found


def changes(before: Path, config: DictConfig) -> list[str]:
    """Return what differs from the settings (``config.yaml``) that a run was started with, as lines."""
    both = read_yaml(before, dict, "settings, such as lr: 0.1"), plain(config)
    then, now = (flat({key: one[key] for key in one if key not in (*OF_THIS_CALL, *OF_NO_MATTER)}) for one in both)
    return differences(then, now)


def read_yaml(path: Path, kind: type, expected: str) -> Any:
    """Return what a file of a run says, of which nothing is resolved or called.

    Raises:
        UserError: it can't be read, or is no ``dict`` or ``list``, as ``expected`` has it in words.
    """
    try:
        found = OmegaConf.to_container(OmegaConf.create(path.read_text(encoding="utf-8")), resolve=False)
    except OSError as error:
        raise UserError(f"{path}: it can't be read: {error.strerror}.") from None
    except Exception as error:  # of YAML, of OmegaConf
        raise UserError(f"{path}: it can't be read: expected YAML, {expected}. Has somebody changed it?") from error
    if not isinstance(found, kind):
        raise UserError(f"{path}: expected {expected}")
    return found
