"""What the words of a sweep say."""

from __future__ import annotations

import re

import pytest

from rosenblatt.commands.space import checked_interval
from rosenblatt.errors import UserError
from rosenblatt.sweeps.dimensions import Interval


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
