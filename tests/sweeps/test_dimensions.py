"""What varies in a sweep, and how settings are named."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from rosenblatt.sweeps.dimensions import MAX_NAME, Choices, Interval, Trial, product


def test_a_grid_has_every_combination_once_and_the_last_key_the_fastest():
    trials = list(product([Choices("a", ("1", "2")), Choices("b", ("x", "y", "z"))]))
    assert [one.number for one in trials] == list(range(6))
    assert [tuple(one.setting.values()) for one in trials][:4] == [("1", "x"), ("1", "y"), ("1", "z"), ("2", "x")]
    assert len({tuple(one.setting.items()) for one in trials}) == 6


@given(st.integers(0, 2000), st.dictionaries(st.text(min_size=1), st.text(), max_size=5), st.integers(0, 9))
def test_a_folder_has_a_name_that_every_file_system_takes(number, setting, seed):
    name = Trial(number, setting).folder_name(seed)
    assert re.fullmatch(r"[\w.+-]+", name)
    assert name.startswith(f"{number:03d}")
    assert name.endswith(f"_seed-{seed}")
    assert len(name) <= MAX_NAME + len("_seed-9")


def test_a_folder_is_named_after_what_is_set():
    trial = Trial(7, {"optimizer": "adam", "trainer.max_epochs": "3", "lr": "0.00012345678", "model.hidden": "[32,16]"})
    assert trial.folder_name() == "007_optimizer-adam_max_epochs-3_lr-0.00012346_hidden-32-16"
    assert trial.words == "optimizer=adam trainer.max_epochs=3 lr=0.00012346 model.hidden=[32,16]"


def test_a_dimension_is_told_in_words():
    assert str(Choices("a", ["x", "y"])) == "x|y"
    assert str(Interval("lr", 1e-4, 1, None, True, False)) == "log 0.0001 to 1"
    assert str(Interval("n", 1, 9, 2, False, True)) == "int 1 to 9 by 2"


def test_a_trial_is_compared_by_number_and_setting():
    assert Trial(1, {"a": "b"}) == Trial(1, {"a": "b"}) != Trial(2, {"a": "b"})
    assert len({Trial(1, {"a": "b"}), Trial(1, {"a": "b"})}) == 1
