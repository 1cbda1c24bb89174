"""Settings of a command that builds no classes from them, checked one by one."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from rosenblatt.arguments import described, fits
from rosenblatt.errors import UserError, listed, nearest


def checked(config: DictConfig, types: dict[str, Any]) -> dict[str, Any]:
    """Return settings as plain values.

    Args:
        config: as Hydra has composed it.
        types: of all settings that there are, by name.

    Raises:
        UserError: one that is unknown, or of another type.
        MissingMandatoryValue: one that has to be given and is not.
    """
    settings: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    for name, value in settings.items():
        if name not in types:
            raise UserError(f"{name}: no such setting.{nearest(name, types)} There are {listed(types)}.")
        if not fits(value, types[name]):
            raise UserError(f"{name}: expected {described(types[name])}; got {value!r}.")
    return dict(settings)


def check_seed(seed: Any) -> None:
    """Raise a `UserError` unless this is a seed that all generators take."""
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise UserError(f"seed: expected a whole number from 0 to 4294967295; got {seed!r}.")
