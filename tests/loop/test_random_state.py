"""The state of all random generators, taken, kept in a file, and taken back."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from rosenblatt.loop.random_state import random_state, set_random_state
from rosenblatt.loop.replay import generator_states, set_generator_states


@pytest.fixture(autouse=True)
def _restore():
    before = random.getstate(), np.random.get_state()
    yield
    random.setstate(before[0])
    np.random.set_state(before[1])


def by_torch_alone(path: Path) -> Any:
    """Read a file without what others have told torch to be safe."""
    safe = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        return torch.load(path, weights_only=True)
    finally:
        torch.serialization.add_safe_globals(safe)


def draw() -> list[float]:
    """Numbers of all generators; an odd number of Gaussian ones, of which pairs are drawn and half a pair is kept."""
    return [
        random.random(), random.gauss(0, 1), np.random.random(), np.random.standard_normal(),
        torch.rand(()).item(), torch.randn(()).item(), *torch.randperm(5).tolist(), *np.random.permutation(5).tolist(),
    ]  # fmt: skip


@pytest.mark.parametrize("drawn_before", [0, 1, 7, 400])  # the generators make some 600 numbers at a time
def test_the_same_numbers_follow_after_it_is_taken_back(drawn_before):
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)
    for _ in range(drawn_before):
        draw()
    state = random_state()
    expected = [draw() for _ in range(100)]
    assert expected[0] != expected[1]
    set_random_state(state)
    assert [draw() for _ in range(100)] == expected


def test_taking_it_draws_nothing_and_later_draws_do_not_change_it():
    torch.manual_seed(0)
    random_state()
    first = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(3), first)
    state = random_state()
    expected = draw()
    for _ in range(3):
        set_random_state(state)
        assert draw() == expected


def test_it_goes_through_a_file_that_can_hold_no_code(tmp_path):
    np.random.standard_normal()
    random.gauss(0, 1)
    torch.save(random_state(), tmp_path / "state")
    expected = draw()
    set_random_state(by_torch_alone(tmp_path / "state"))
    assert draw() == expected


def test_a_state_of_other_graphics_cards_is_left_out():
    state = random_state()
    expected = draw()
    state["cuda"] = [torch.get_rng_state()] * (torch.cuda.device_count() + 1)  # saved on a larger machine
    set_random_state(state)
    assert draw() == expected


GENERATORS = {
    "torch": (lambda: torch.Generator().manual_seed(1), lambda one: torch.rand(3, generator=one).tolist()),
    "python": (lambda: random.Random(1), lambda one: [one.random(), one.gauss(0, 1)]),
    "numpy, as it was": (lambda: np.random.RandomState(1), lambda one: [one.rand(), one.randn()]),
    **{
        kind.__name__: (lambda kind=kind: np.random.Generator(kind(1)), lambda one: one.standard_normal(3).tolist())
        for kind in (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64)
    },
}


@pytest.mark.parametrize("kind", GENERATORS)
def test_generators_that_a_loader_holds_go_through_such_a_file_too(tmp_path, kind):
    make, numbers = GENERATORS[kind]
    then, now = (
        SimpleNamespace(dataset=SimpleNamespace(own=make())),
        SimpleNamespace(dataset=SimpleNamespace(own=make())),
    )
    numbers(then.dataset.own)
    torch.save(generator_states(then), tmp_path / "states")
    set_generator_states(by_torch_alone(tmp_path / "states"), now)
    assert numbers(now.dataset.own) == numbers(then.dataset.own) != numbers(make())
