"""A loader as the Trainer goes through it, by itself; whole trainings are in test_any_loader.py."""

from __future__ import annotations

import copy

import pytest
from torch.utils.data import DataLoader

from rosenblatt.loop.replay import Replayed, workers_live_on


def replayed(loader):
    return Replayed(loader, lambda: 0)


def test_a_state_from_before_the_first_pass_changes_nothing():
    state = replayed([1, 2, 3]).state_dict()
    assert (state["start"], state["taken"]) == (None, 0)
    again = replayed([1, 2, 3])
    again.load_state_dict(state)
    assert list(again) == [1, 2, 3]


def test_a_pass_goes_on_after_the_batches_that_were_taken():
    first = replayed([1, 2, 3])
    batches = iter(first)
    assert [next(batches), next(batches)] == [1, 2]
    again = replayed([1, 2, 3])
    again.load_state_dict(first.state_dict())
    assert list(again) == [3]
    assert list(again) == [1, 2, 3]


def test_what_is_asked_of_it_its_loader_answers():
    loader = DataLoader(range(4), batch_size=2)
    found = copy.copy(replayed(loader))
    assert (found.batch_size, len(found)) == (2, 2)
    loader._iterator = "workers"
    assert found._iterator == "workers"
    found._iterator = None
    assert loader._iterator is None


@pytest.mark.parametrize(
    ("loader", "live_on"),
    [
        ([1, 2], False),
        (DataLoader(range(2)), False),
        (DataLoader(range(2), num_workers=1), False),
        (DataLoader(range(2), num_workers=1, persistent_workers=True), True),
    ],
)
def test_workers_live_on_where_there_are_some_and_a_loader_keeps_them(loader, live_on):
    assert workers_live_on(loader) == live_on
