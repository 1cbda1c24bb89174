"""Settings as plain values, nested or flat."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rosenblatt.errors import UserError, first_line

OF_THIS_CALL = ("resume", "resume_anyway", "sweep")  # and not of the run
OF_NO_MATTER = ("figures", "logger")  # for what is learnt


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


def changes(before: Path, config: DictConfig) -> list[str]:
    """Return what differs from the settings that a run was started with, as lines.

    Args:
        before: its ``config.yaml``, of which nothing is resolved or called.
        config: of now.

    Raises:
        UserError: the file can't be read.
    """
    try:
        container: Any = OmegaConf.to_container(OmegaConf.create(before.read_text(encoding="utf-8")), resolve=False)
        old = flat(container)
    except Exception as error:  # of the operating system, of YAML, of OmegaConf
        raise UserError(f"{before}: it can't be read: {first_line(error)}") from None
    then, now = (
        {key: value for key, value in every.items() if key.partition(".")[0] not in (*OF_THIS_CALL, *OF_NO_MATTER)}
        for every in (old, flat(plain(config)))
    )
    return differences(then, now, missing="there")
