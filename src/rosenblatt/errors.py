"""What to tell a user whose input can't be used."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path


class UserError(Exception):
    """A mistake that the user can mend.

    The message says what was expected, what came instead, where, and what to do. Commands print it
    without a traceback and exit with status 1.
    """


class FolderTaken(UserError):
    """A run folder that holds another run already."""


def nearest(word: str, options: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the option most like ``word``, or an empty string."""
    options = list(options)
    found = [option for option in options if sorted(option.lower()) == sorted(word.lower())]
    found = found or difflib.get_close_matches(word, options, n=1)
    if not found:  # model=perc, data=csv: a part of a name
        found = [option for option in options if word and (option.startswith(word) or word.startswith(option))]
    return f" Did you mean {found[0]!r}?" if found else ""


def listed(names: Iterable[object], at_most: int = 12) -> str:
    """Return ``'a', 'b', 'c'``, cut with a count after ``at_most`` names."""
    quoted = [repr(str(name)) for name in names]
    rest = len(quoted) - at_most
    return ", ".join(quoted[:at_most]) + (f" and {rest:,} more" if rest > 0 else "")


def differences(then: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Return a line for each setting that was another one, or that only one of the two has."""
    return [
        f"{key} was {then.get(key, 'not there')}, and is {now.get(key, 'not there')} now"
        for key in dict.fromkeys([*then, *now])
        if then.get(key) != now.get(key)
    ]


def first_line(error: BaseException) -> str:
    """Return the first line of a message, of which some libraries add many; it may be empty."""
    return str(error).strip().split("\n")[0]


def own_words(error: BaseException, otherwise: str) -> str:
    """Return the first line of what this program says; of what a library did, ``otherwise``: its words help nobody."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = bool(frames) and Path(frames[-1].filename).is_relative_to(Path(__file__).parent)
    is_own = inside and (type(error) is ValueError or isinstance(error, UserError))
    return (first_line(error) if is_own else "") or otherwise


def check_choice(key: str, value: str, options: Iterable[str]) -> None:
    """Raise a `UserError` unless ``value`` is one of ``options``; ``key`` is the name the user typed."""
    options = list(options)
    if value not in options:
        raise UserError(f"{key}: expected one of {listed(options)}; got {value!r}.{nearest(str(value), options)}")
