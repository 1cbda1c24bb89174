"""Going through the batches of an epoch again, up to where a checkpoint was taken."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sized
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from rosenblatt.loop.internals import has_length
from rosenblatt.loop.random_state import plain, random_state, set_random_state


class Replayed:
    """A loader as the Trainer goes through it: it notes what each pass starts from, and goes back to where one stood.

    The numbers that loader, sampler and model draw stay those of the loader alone. To go back, the random state of the
    start is restored, as many batches are loaded and dropped as were taken, and whoever resumes restores the state of
    the checkpoint after that. Batches that are dropped may differ from those of the time, where the model draws from
    the same generator in between: what counts is their number and order, and which rows are left.

    Args:
        loader: any iterable of batches, without a state of its own.
        ahead: tells how many batches were fetched before they are due.
    """

    def __init__(self, loader: Any, ahead: Callable[[], int]) -> None:
        self.loader = loader
        self.ahead = ahead
        self.each = not has_length(loader)
        self.iterator: Iterator[Any] = iter(())
        self.taken = 0
        self.start: dict[str, Any] | None = None  # before the pass, before its first batch, before its latest
        self.first: dict[str, Any] | None = None
        self.latest: dict[str, Any] | None = None
        self.again = False
        self._restored: dict[str, Any] | None = None
        self._upcoming: dict[str, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if name == "loader":  # while it is unpickled
            raise AttributeError(name)
        return getattr(self.loader, name)

    @property
    def _iterator(self) -> Any:  # which Lightning removes at the end, workers included
        return self.loader._iterator

    @_iterator.setter
    def _iterator(self, value: Any) -> None:
        self.loader._iterator = value

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        if self._restored is not None:
            self._replay(self._restored)
            self._restored = None
            return self
        self.taken, self.first, self.latest = 0, None, None
        self.start = self._state()
        self.again = getattr(self.loader, "_iterator", None) is not None  # workers that live on
        self.end()  # before others are forked
        self.iterator = iter(self.loader)
        return self

    def __next__(self) -> Any:
        if self._upcoming is not None:
            self._set(self._upcoming)
            self._upcoming = None
        if self.first is None:
            self.first = self.latest = self._state()
        elif self.each:
            self.latest = self._state()
        batch = next(self.iterator)
        self.taken += 1
        return batch

    def end(self) -> None:
        """Let go of the pass and its workers: where a loader has a length, nobody asks for the batch that ends them."""
        self.iterator = iter(())

    def _replay(self, state: dict[str, Any]) -> None:
        self.start, self.first, self.again = state["start"], state["first"], state["again"]
        assert self.start is not None
        if self.again:
            iter(self.loader)  # to make workers draws a number, which was drawn in an earlier epoch
        self._set(self.start)
        self.iterator = iter(self.loader)
        if self.first is not None:
            self._set(self.first)
        for _ in range(state["taken"]):
            next(self.iterator)
        self.taken, self.latest = state["taken"], self.first
        self._upcoming = state["upcoming"]

    def state_dict(self) -> dict[str, Any]:
        """Where the pass stands; Lightning keeps it in the checkpoint."""
        ahead = self.ahead()
        return {
            "start": self.start, "first": self.first, "again": self.again, "taken": max(0, self.taken - ahead),
            "upcoming": self.latest if ahead else None,
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Have the next pass go on from where ``state_dict`` was taken."""
        self._restored = state if state["start"] is not None else None

    def _state(self) -> dict[str, Any]:
        return {"random": random_state(), "generators": generator_states(self.loader)}

    def _set(self, state: dict[str, Any]) -> None:
        set_random_state(state["random"])
        set_generator_states(state["generators"], self.loader)


def has_state(loader: Any) -> bool:
    """Return whether a loader knows itself where it stands, as our own batches and torchdata's loaders do."""
    return hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")


def is_stream(loader: Any) -> bool:
    """Return whether nobody knows if a loader gives the same batches again."""
    if isinstance(loader, DataLoader):
        return isinstance(loader.dataset, IterableDataset)
    return not isinstance(loader, Sized)


def workers_live_on(loader: Any) -> bool:
    """Return whether workers carry their random state from epoch to epoch, where nobody can read it."""
    return isinstance(loader, DataLoader) and loader.num_workers > 0 and loader.persistent_workers


def generator_states(*owners: Any) -> dict[str, Any]:
    """Return the states of the generators that loaders, their samplers and data sets, or others, hold: plain values."""
    return {name: STATES[kind][0](generator) for name, (kind, generator) in _generators(owners).items()}


def set_generator_states(states: dict[str, Any], *owners: Any) -> None:
    """Take back what `generator_states` returned."""
    for name, (kind, generator) in _generators(owners).items():
        if name in states:
            STATES[kind][1](generator, states[name])


STATES: dict[type, tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]] = {
    torch.Generator: (torch.Generator.get_state, torch.Generator.set_state),
    random.Random: (random.Random.getstate, random.Random.setstate),
    np.random.Generator: (
        lambda one: plain(one.bit_generator.state),
        lambda one, state: setattr(one.bit_generator, "state", state),
    ),
    np.random.RandomState: (lambda one: plain(one.get_state(legacy=False)), np.random.RandomState.set_state),
}


def _generators(owners: tuple[Any, ...]) -> dict[str, tuple[type, Any]]:
    """Return generators by a name of their own, of which kind each is; one that several parts hold is there once."""
    found: dict[int, tuple[str, tuple[type, Any]]] = {}
    parts = [(str(number), owner) for number, owner in enumerate(owners)]
    for name, part in parts:  # it grows on the way
        for attribute, value in getattr(part, "__dict__", {}).items():
            kind = next((kind for kind in STATES if isinstance(value, kind)), None)
            if kind is not None:
                found.setdefault(id(value), (f"{name}.{attribute}", (kind, value)))
            elif attribute in ("sampler", "batch_sampler", "dataset", "collate_fn"):
                parts.append((f"{name}.{attribute}", value))
    return dict(found.values())
