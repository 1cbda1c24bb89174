"""What varies in a sweep, and how settings are named."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosenblatt.errors import UserError
from rosenblatt.sweeps.dimensions import (
    MAX_NAME,
    Choices,
    Interval,
    Trial,
    as_interval,
    described,
    folder_name,
    product,
)


def test_a_grid_has_every_combination_once_and_the_last_key_the_fastest():
    trials = list(product([Choices("a", ("1", "2")), Choices("b", ("x", "y", "z"))]))
    assert [one.number for one in trials] == list(range(6))
    assert [tuple(one.setting.values()) for one in trials][:4] == [("1", "x"), ("1", "y"), ("1", "z"), ("2", "x")]
    assert len({tuple(one.setting.items()) for one in trials}) == 6


@given(st.integers(0, 2000), st.dictionaries(st.text(min_size=1), st.text(), max_size=5), st.integers(0, 9))
def test_a_folder_has_a_name_that_every_file_system_takes(number, setting, seed):
    name = folder_name(Trial(number, setting), seed)
    assert re.fullmatch(r"[\w.+-]+", name)
    assert name.startswith(f"{number:03d}")
    assert name.endswith(f"_seed-{seed}")
    assert len(name) <= MAX_NAME + len("_seed-9")


def test_a_folder_is_named_after_what_is_set():
    trial = Trial(
        7, {"optimizer": "adam", "++trainer.max_epochs": "3", "lr": "0.00012345678", "model.hidden": "[32,16]"}
    )
    assert folder_name(trial) == "007_optimizer-adam_max_epochs-3_lr-0.00012346_hidden-32-16"
    assert described(trial.setting) == "optimizer=adam trainer.max_epochs=3 lr=0.00012346 model.hidden=[32,16]"


def test_an_interval_is_what_its_tags_say():
    assert as_interval(1e-4, 1, None, {"log"}, False, "lr=x") == Interval("lr", 1e-4, 1, None, True, False)
    assert as_interval(1, 8, None, {"int"}, False, "n=x") == Interval("n", 1, 8, None, False, True)
    assert as_interval(1, 9, 2, set(), True, "n=x") == Interval("n", 1, 9, 2, False, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 1, None, set(), False), "expected a range from a number to a larger one; got 1 and 1"),
        ((2, 1, None, set(), False), "got 2 and 1"),
        ((0, 1, None, {"log"}, False), "with log a range begins above 0; got 0"),
        ((0.5, 2, None, {"int"}, False), "expected whole numbers; got 0.5 and 2"),
        ((1, 9, 2, {"log"}, True), "log goes with interval(low, high), not with steps"),
        ((1, 9, None, {"logg"}, True), "expected one of 'log', 'int', 'float'; got 'logg'. Did you mean 'log'?"),
    ],
)
def test_a_range_that_is_none_is_told(arguments, message):
    with pytest.raises(UserError, match=re.escape(message)):
        as_interval(*arguments, "lr=typed")
