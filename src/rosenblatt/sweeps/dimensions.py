"""What varies in a sweep: settings with a few values, and settings with a range of numbers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

MAX_NAME = 80  # characters of a folder's name; some file systems take 143 bytes at most


class Choices(NamedTuple):
    """A setting that takes one of some values.

    Attributes:
        key: of the setting, such as ``optimizer`` or ``model.hidden``.
        values: as they are typed.
    """

    key: str
    values: Sequence[str]

    def __str__(self) -> str:
        return "|".join(self.values)


class Interval(NamedTuple):
    """A setting that takes numbers from ``low`` to ``high``, both included.

    Attributes:
        key: of the setting.
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

    def __str__(self) -> str:
        step = "" if self.step is None else f" by {self.step:g}"
        return f"{'log ' * self.log}{'int ' * self.whole}{self.low:g} to {self.high:g}{step}"


Dimension: TypeAlias = Choices | Interval


@dataclass(frozen=True)
class Trial:
    """A setting to try: its number, from 0, and the value, as it is typed, of each key that varies."""

    number: int
    setting: dict[str, str] = field(hash=False)

    @property
    def words(self) -> str:
        """The setting as it is typed: ``optimizer=adam lr=0.1``."""
        return " ".join(f"{key}={shortened(value)}" for key, value in self.setting.items())

    def folder_name(self, seed: int | None = None) -> str:
        """Return the name of a job's folder: its number, what is set, without ``=``, and one of several seeds."""
        words = [f"{self.number:03d}"]
        for key, value in self.setting.items():
            parts = (re.sub(r"[][(){}'\"\s]", "", part) for part in (key.split(".")[-1], shortened(value)))
            words.append("-".join(re.sub(r"[^\w.+-]+", "-", part, flags=re.ASCII) for part in parts))
        name = "_".join(words)[:MAX_NAME].rstrip("-_.")
        return name if seed is None else f"{name}_seed-{seed}"


def product(dimensions: Sequence[Choices]) -> Iterator[Trial]:
    """Yield every combination, the last key the fastest."""
    keys = [one.key for one in dimensions]
    for number, values in enumerate(itertools.product(*(one.values for one in dimensions))):
        yield Trial(number, dict(zip(keys, values, strict=True)))


def shortened(value: str) -> str:
    """Return a number with five digits at the most, and other values as they are."""
    try:
        return f"{float(value):.5g}" if re.search(r"[.e]", value) else value
    except ValueError:
        return value
