"""What the words of a sweep say."""

from __future__ import annotations

import re

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from rosenblatt.commands.space import _dimension, checked_interval
from rosenblatt.errors import UserError
from rosenblatt.sweeps.dimensions import Choices, Interval


def test_an_interval_is_what_its_tags_say():
    assert checked_interval(Interval("lr", 1e-4, 1, None, False, False), {"log"}, "lr=x")[1:] == (
        1e-4, 1, None, True, False
    )  # fmt: skip
    assert checked_interval(Interval("n", 1, 8, None, False, False), {"int"}, "n=x")[1:] == (1, 8, None, False, True)
    assert checked_interval(Interval("n", 1, 9, 2, False, True), set(), "n=x")[1:] == (1, 9, 2, False, True)


@pytest.mark.parametrize(
    ("low", "high", "step", "tags", "whole", "message"),
    [
        (1, 1, None, set(), False, "expected a range from a number to a larger one; got 1 and 1"),
        (2, 1, None, set(), False, "got 2 and 1"),
        (0, 1, None, {"log"}, False, "with log a range begins above 0; got 0"),
        (0.5, 2, None, {"int"}, False, "expected whole numbers; got 0.5 and 2"),
        (1, 9, 2, {"log"}, True, "log goes with interval(low, high), not with steps"),
        (1, 9, None, {"logg"}, True, "expected one of 'log', 'int', 'float'; got 'logg'. Did you mean 'log'?"),
    ],
)
def test_a_range_that_is_none_is_told(low, high, step, tags, whole, message):
    with pytest.raises(UserError, match=re.escape(message)):
        checked_interval(Interval("lr", low, high, step, False, whole), tags, "lr=typed")


@pytest.mark.parametrize(
    ("word", "grid", "search"),
    [
        ("n=range(1,9,2)", ["1", "3", "5", "7"], Interval("n", 1, 7, 2, False, True)),
        ("n=range(4,1,-1)", ["4", "3", "2"], Interval("n", 2, 4, 1, False, True)),
        ("x=range(0.1,0.4,0.1)", ["0.1", "0.2", "0.30000000000000004"], Interval("x", 0.1, 0.3, 0.1, False, False)),
    ],
)
def test_a_range_is_its_values_in_a_grid_and_an_interval_in_a_search(word, grid, search):
    one = OverridesParser.create().parse_override(word)
    assert _dimension(one, word, "grid") == Choices(word[0], grid)
    found = _dimension(one, word, "optuna")
    assert (found.low, found.high) == (search.low, pytest.approx(search.high))
    assert found[3:] == search[3:]
