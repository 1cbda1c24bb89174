"""What varies in a sweep: settings with a few values, and settings with a range of numbers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from rosenblatt.errors import UserError, check_choice

MAX_NAME = 80  # characters of a folder's name; some file systems take 143 bytes at most


class Choices(NamedTuple):
    """A setting that takes one of some values.

    Attributes:
        key: of the setting, as it is typed, such as ``optimizer`` or ``model.hidden``.
        values: as they are typed.
    """

    key: str
    values: tuple[str, ...]


class Interval(NamedTuple):
    """A setting that takes numbers from ``low`` to ``high``, both included.

    Attributes:
        key: of the setting, as it is typed.
        low: the smallest.
        high: the largest.
        step: between two of them; ``None``: any number in between.
        log: whether the orders of magnitude are equally likely, and not the numbers.
        whole: whether the numbers are whole.
    """

    key: str
    low: float
    high: float
    step: float | None
    log: bool
    whole: bool


Dimension: TypeAlias = Choices | Interval


@dataclass(frozen=True)
class Trial:
    """A setting to try.

    Args:
        number: of the trial, from 0.
        setting: value, as it is typed, of each key that varies.
    """

    number: int
    setting: dict[str, str] = field(hash=False)


def product(dimensions: Sequence[Choices]) -> Iterator[Trial]:
    """Yield every combination, the last key the fastest."""
    keys = [one.key for one in dimensions]
    for number, values in enumerate(itertools.product(*(one.values for one in dimensions))):
        yield Trial(number, dict(zip(keys, values, strict=True)))


def plain_key(key: str) -> str:
    """Return a key without the signs that tell Hydra to add it."""
    return key.lstrip("+")


def described(setting: dict[str, str]) -> str:
    """Return a setting as it is typed: ``optimizer=adam lr=0.1``."""
    return " ".join(f"{plain_key(key)}={shortened(value)}" for key, value in setting.items())


def shortened(value: str) -> str:
    """Return a number with five digits at the most, and other values as they are."""
    try:
        return f"{float(value):.5g}" if re.search(r"[.e]", value) else value
    except ValueError:
        return value


def folder_name(trial: Trial, seed: int | None = None) -> str:
    """Return the name of a job's folder: its number, and what is set, without ``=``.

    Args:
        trial: of the job.
        seed: where each setting has several.
    """
    words = [f"{trial.number:03d}"]
    for key, value in trial.setting.items():
        parts = plain_key(key).split(".")[-1], shortened(value)
        parts_plain = (re.sub(r"[][(){}'\"\s]", "", part) for part in parts)
        words.append("-".join(re.sub(r"[^\w.+-]+", "-", part, flags=re.ASCII) for part in parts_plain))
    name = "_".join(words)[:MAX_NAME].rstrip("-_.")
    return name if seed is None else f"{name}_seed-{seed}"


def as_interval(low: float, high: float, step: float | None, tags: set[str], whole: bool, word: str) -> Interval:
    """Return a range of numbers, checked.

    Args:
        low: smallest number.
        high: largest.
        step: between two of them, or ``None``.
        tags: ``log``, ``int`` or ``float``.
        whole: whether the numbers are whole by themselves.
        word: as it was typed, for messages.

    Raises:
        UserError: it is empty, or reaches 0 with ``log``; an unknown tag.
    """
    key = word.partition("=")[0]
    for tag in tags:
        check_choice(f"{word}: tag", tag, ("log", "int", "float"))
    log, whole = "log" in tags, whole or "int" in tags
    if not low < high:
        raise UserError(f"{word}: expected a range from a number to a larger one; got {low:g} and {high:g}.")
    if log and low <= 0:
        raise UserError(f"{word}: with log a range begins above 0; got {low:g}.")
    if log and step not in (None, 1):
        raise UserError(f"{word}: log goes with interval(low, high), not with steps.")
    if whole and not (float(low).is_integer() and float(high).is_integer()):
        raise UserError(f"{word}: expected whole numbers; got {low:g} and {high:g}.")
    return Interval(key, low, high, None if log else step, log, whole)
