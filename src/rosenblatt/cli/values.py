"""Settings as plain values, nested or flat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf


def plain(config: DictConfig) -> dict[str, Any]:
    """Return settings as plain dicts, lists and values, interpolations resolved."""
    container: Any = OmegaConf.to_container(config, resolve=True)
    return dict(container)


def flat(node: Mapping[str, Any]) -> dict[str, int | float | str | bool]:
    """Return settings as ``data.batch_size``: value; what is no number, word or truth value, as a word."""
    found: dict[str, int | float | str | bool] = {}

    def walk(node: Mapping[str, Any], prefix: str) -> None:
        for key, value in node.items():
            if isinstance(value, Mapping):
                walk(value, f"{prefix}{key}.")
            else:
                found[f"{prefix}{key}"] = value if isinstance(value, int | float | str | bool) else str(value)

    walk(node, "")
    return found


def differences(before: Mapping[str, Any], now: Mapping[str, Any], missing: str) -> list[str]:
    """Return what differs between values of then and now, as lines.

    Args:
        before: by key.
        now: by key.
        missing: what a value is not that only one of them has, such as ``given``.
    """
    lines = []
    for key in dict.fromkeys([*before, *now]):
        if key not in before or key not in now or before[key] != now[key]:
            then = f"was {before[key]}" if key in before else f"was not {missing}"
            lines.append(f"{key} {then}, and {f'is {now[key]}' if key in now else f'is not {missing}'} now")
    return lines
