"""What the words of ``python train.py -m ...`` say: settings that are the same in all jobs, and settings that vary."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from omegaconf import DictConfig

from rosenblatt.cli.words import opened
from rosenblatt.errors import UserError, listed
from rosenblatt.sweeps.dimensions import Choices, Dimension, Interval, as_interval, plain_key


class Words(NamedTuple):
    """The words of a command.

    Attributes:
        fixed: as they were typed.
        dimensions: what varies.
    """

    fixed: list[str]
    dimensions: list[Dimension]


def read_words(words: Sequence[str], space: Mapping[str, str], method: str, loader: ConfigLoader) -> Words:
    """Tell what is fixed from what varies.

    Args:
        words: of the command line, without those of Hydra itself.
        space: what varies besides, by key.
        method: ``grid``, of values alone, or ``optuna``, of ranges too.
        loader: knows the choices of a group, for ``glob``.

    Raises:
        UserError: a space that is none, or one that the method can't take; a setting that varies twice.
    """
    more = [opened(f"{key}={value}") for key, value in space.items()]
    parser = OverridesParser.create(config_loader=loader)
    try:
        overrides = parser.parse_overrides([*words, *more])
    except HydraException as error:
        raise UserError(f"sweep.space: {str(error).splitlines()[0]}") from None
    for one in overrides[len(words) :]:
        if not one.is_sweep_override():
            raise UserError(
                f"sweep.space.{one.input_line}: expected what varies, such as interval(0.1, 1), range(1, 5), "
                "choice(a, b) or tag(log, interval(1e-4, 1))."
            )
    found = Words([], [])
    for one in overrides:
        word = str(one.input_line)
        if one.is_sweep_override():
            word = word.removeprefix("sweep.space.")  # as it can be typed, too
        if not one.is_sweep_override():
            found.fixed.append(word)
        elif is_of_sweep(word):
            raise UserError(f"{word}: settings of the sweep itself do not vary. Put a list into brackets: [a,b]")
        else:
            found.dimensions.append(_dimension(one, word, method))
    keys = [plain_key(key) for key in [*(one.key for one in found.dimensions), *map(_key, found.fixed)]]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise UserError(f"{twice[0]}: it is set twice, on the command line or in sweep.space. Take one of them out.")
    return found


def _dimension(one: Override, word: str, method: str) -> Dimension:
    value, key = one.value(), _key(word)
    tags = {str(tag) for tag in getattr(value, "tags", ())}
    if isinstance(value, IntervalSweep):
        if method == "grid":
            raise UserError(
                f"{word}: an interval has no end of values, and a grid tries them all. Name some: {key}=0.1,0.01. Or "
                "search: sweep=optuna"
            )
        assert value.start is not None
        assert value.end is not None
        whole = word.partition("=")[2].startswith("int(")
        return as_interval(value.start, value.end, None, tags, whole, word)
    if isinstance(value, RangeSweep) and method == "optuna":
        numbers = [float(text) for text in _in_range(one)]
        if len(numbers) < 2:
            raise UserError(f"{word}: expected a range of two numbers at least; got {listed(numbers)}.")
        whole = all(isinstance(number, int) for number in (value.start, value.step))
        return as_interval(min(numbers), max(numbers), abs(float(value.step)), tags, whole, word)
    if tags:
        raise UserError(f"{word}: a tag, such as log, goes with interval(low, high) and sweep=optuna.")
    if isinstance(value, ChoiceSweep) and value.shuffle:
        raise UserError(f"{word}: shuffled values would come in another order each time. Leave shuffle out.")
    values = tuple(dict.fromkeys(_in_range(one)))
    if not values:
        raise UserError(f"{word}: there is nothing of that kind. (glob looks among the choices of a group.)")
    return Choices(key, values)


def is_of_sweep(word: str) -> bool:
    """Return whether a word is a setting of the sweep, and not of its jobs."""
    return re.split(r"[.=@]", plain_key(word))[0] == "sweep"


def is_space(word: str) -> bool:
    """Return whether a word says what varies."""
    return plain_key(word).startswith("sweep.space")


def _in_range(one: Override) -> list[str]:
    """Return the values of a sweep; of a range without its end, which rounding can let in: 0.1 + 0.1 + 0.1 < 0.4."""
    values, sweep = list(one.sweep_string_iterator()), one.value()
    if isinstance(sweep, RangeSweep) and sweep.stop is not None:
        values = [text for text in values if not math.isclose(float(text), float(sweep.stop), rel_tol=1e-9)]
    return values


def _key(word: str) -> str:
    return word.partition("=")[0]


def check_words(words: Words, config: DictConfig, loader: ConfigLoader) -> None:
    """Compose a job with each value of each setting, so that a misspelt one is told before the first job is spent.

    Raises:
        HydraException: what Hydra makes of it.
    """
    fixed = [word for word in words.fixed if not is_space(word)]
    values = [list(one.values) if isinstance(one, Choices) else [_first(one)] for one in words.dimensions]
    first = [f"{one.key}={some[0]}" for one, some in zip(words.dimensions, values, strict=True)]
    for i, (one, some) in enumerate(zip(words.dimensions, values, strict=True)):
        if not loader.get_group_options(plain_key(one.key)):  # any value of a plain key can be composed
            some = some[:1]
        for value in some if i == 0 else some[1:]:
            loader.load_sweep_config(config, [*fixed, *first[:i], f"{one.key}={value}", *first[i + 1 :]])


def _first(interval: Interval) -> str:
    return repr(int(interval.low)) if interval.whole else repr(interval.low)
