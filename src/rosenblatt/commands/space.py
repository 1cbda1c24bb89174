"""What the words of ``python train.py -m ...`` say: settings that are the same in all jobs, and settings that vary."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from rosenblatt.cli.build import check_setting
from rosenblatt.cli.messages import explained
from rosenblatt.cli.schema import check_sections, opened, read
from rosenblatt.cli.values import flat
from rosenblatt.errors import UserError, check_choice
from rosenblatt.sweeps.dimensions import Choices, Dimension, Interval

OF_SEARCH = ("sweep.trials", "sweep.sampler", "sweep.pruner", "sweep.storage")  # which a grid has not


class Words(NamedTuple):
    """The words of a command.

    Attributes:
        fixed: as they were typed, without those of ``sweep.space``.
        varies: what varies, by plain keys.
        typed: each key as it was typed, with signs that tell Hydra to add it, by its plain one.
    """

    fixed: list[str]
    varies: list[Dimension]
    typed: dict[str, str]

    def of_job(self, setting: Mapping[str, str]) -> list[str]:
        """Return the words that a job is run with: what is fixed, and a value of each key that varies."""
        return [*self.fixed, *(f"{self.typed[key]}={value}" for key, value in setting.items())]


def read_words(words: Sequence[str], space: Mapping[str, str], method: str, loader: ConfigLoader) -> Words:
    """Tell what is fixed from what varies.

    Raises:
        UserError: a space that is none, or one that the method can't take; a setting that varies twice.
    """
    more = [opened(f"{key}={value}", "train") for key, value in space.items()]
    try:
        overrides = OverridesParser.create(config_loader=loader).parse_overrides([*words, *more])
    except HydraException as error:
        raise UserError(f"sweep.space: {explained(error, 'train')}") from error
    found = Words([], [], {})
    for number, one in enumerate(overrides):
        word = str(one.input_line)
        plain = word.lstrip("+")
        if number >= len(words) and not one.is_sweep_override():
            raise UserError(
                f"sweep.space.{plain}: expected what varies, such as interval(0.1, 1), range(1, 5), choice(a, b) or "
                "tag(log, interval(1e-4, 1))."
            )
        if _is_space(word) and one.is_sweep_override():  # as it can be typed, too
            plain = plain.removeprefix("sweep.space.")
            word = opened(plain, "train")
        key = key_of(word)
        if key in found.typed:
            raise UserError(f"{key}: it is set twice, on the command line or in sweep.space. Take one of them out.")
        if method == "grid" and key in OF_SEARCH:
            raise UserError(f"{key}: no such setting here; sweep=optuna has it.")
        found.typed[key] = word.partition("=")[0]
        if one.is_sweep_override():
            if is_of_sweep(word):
                raise UserError(f"{plain}: settings of the sweep itself do not vary. Put a list into brackets: [a,b]")
            found.varies.append(_dimension(one, plain, method))
        elif not _is_space(word):
            found.fixed.append(word)
    return found


def _dimension(one: Override, word: str, method: str) -> Dimension:
    value, (key, _, typed) = one.value(), word.partition("=")
    tags = {str(tag) for tag in getattr(value, "tags", ())}
    if isinstance(value, IntervalSweep):
        if method == "grid":
            raise UserError(
                f"{word}: an interval has no end of values, and a grid tries them all. Name some: {key}=0.1,0.01. Or "
                "search: sweep=optuna"
            )
        found = Interval(key, float(value.start or 0), float(value.end or 0), None, False, typed.startswith("int("))
        return checked_interval(found, tags, word)
    values = list(dict.fromkeys(one.sweep_string_iterator()))
    if isinstance(value, RangeSweep) and value.stop is not None:  # which rounding can let in: 0.1 + 0.1 + 0.1 < 0.4
        values = [text for text in values if not math.isclose(float(text), float(value.stop), rel_tol=1e-9)]
    if not values:
        raise UserError(f"{word}: there is nothing of that kind. (glob looks among the choices of a group.)")
    if isinstance(value, RangeSweep) and method == "optuna":
        numbers, whole = list(map(float, values)), all(isinstance(one, int) for one in (value.start, value.step))
        found = Interval(key, min(numbers), max(numbers), abs(float(value.step)), False, whole)
        return checked_interval(found, tags, word)
    if tags:
        raise UserError(f"{word}: a tag, such as log, goes with interval(low, high) and sweep=optuna.")
    return Choices(key, values)


def checked_interval(found: Interval, tags: set[str], word: str) -> Interval:
    """Return an interval as its tags (``log``, ``int``, ``float``) have it.

    Raises:
        UserError: it is empty, or reaches 0 with ``log``; an unknown tag. The message begins with ``word``.
    """
    for tag in tags:
        check_choice(f"{word}: tag", tag, ("log", "int", "float"))
    low, high, log, whole = found.low, found.high, "log" in tags, found.whole or "int" in tags
    if not low < high:
        raise UserError(f"{word}: expected a range from a number to a larger one; got {low:g} and {high:g}.")
    if log and low <= 0:
        raise UserError(f"{word}: with log a range begins above 0; got {low:g}.")
    if log and found.step not in (None, 1):
        raise UserError(f"{word}: log goes with interval(low, high), not with steps.")
    if whole and not (float(low).is_integer() and float(high).is_integer()):
        raise UserError(f"{word}: expected whole numbers; got {low:g} and {high:g}.")
    return found._replace(step=None if log else found.step, log=log, whole=whole)


def key_of(word: str) -> str:
    """Return the setting of a word, without the signs that tell Hydra to add it."""
    return word.lstrip("+").partition("=")[0]


def is_of_sweep(word: str) -> bool:
    """Return whether a word is a setting of the sweep, and not of its jobs."""
    return re.split(r"[.@]", key_of(word))[0] == "sweep"


def _is_space(word: str) -> bool:
    """Return whether a word says what varies."""
    return key_of(word).startswith("sweep.space")


def composed(words: Words, config: DictConfig, loader: ConfigLoader) -> dict[str, str]:
    """Compose a job with each choice of each group, so that a mistake is told before the first job is spent.

    Returns:
        Settings by key: those of the first job, and what is different with another choice.

    Raises:
        HydraException: what Hydra makes of them.
        UserError: a setting of the first job is not what it may be.
    """
    first = {}
    for one in words.varies:
        first[one.key] = one.values[0] if isinstance(one, Choices) else repr(int(one.low) if one.whole else one.low)

    def job(varied: Mapping[str, str]) -> DictConfig:
        return loader.load_sweep_config(config, words.of_job(varied))

    base = job(first)
    found, chosen = _shown(base), [word for word in base.hydra.overrides.task if loader.get_group_options(key_of(word))]
    named = _shown(loader.load_sweep_config(config, chosen))
    check_sections(read("train", base), base)
    for key in words.typed.keys() - named.keys():
        place, _, name = key.rpartition(".")
        if target := found.get(f"{place}._target_"):
            check_setting(place, target, name)
    for one in words.varies:
        if isinstance(one, Choices) and loader.get_group_options(one.key):  # any value of a plain key can be composed
            for value in one.values[1:]:
                others = _shown(job(first | {one.key: value}))
                own = [key for key in others if key.startswith(f"{one.key}.") or others[key] != found.get(key)]
                found |= {f"{key} with {one.key}={value}": others[key] for key in own}
    return found


def _shown(job: DictConfig) -> dict[str, str]:
    settings: Any = OmegaConf.to_container(job, resolve=False)
    return {key: str(value) for key, value in flat(settings).items() if not key.startswith("hydra.")}
