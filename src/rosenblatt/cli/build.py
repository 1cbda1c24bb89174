"""Objects from configuration: each ``_target_`` called with its arguments, which are checked first."""

from __future__ import annotations

import re
from typing import Any

import hydra
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from rosenblatt.arguments import check_arguments
from rosenblatt.errors import UserError


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


def _short(error: BaseException | None) -> str:
    return str(error).strip().split("\n")[0]
