"""The state of random generators, those of all and those that somebody holds, as a checkpoint can hold it."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import torch

# Arrays and numbers of NumPy's, of which states consist; callbacks like to keep them, too. No code of anybody's runs
# when they are read.
torch.serialization.add_safe_globals([
    np.ndarray, np.dtype, np._core.multiarray.scalar, np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    *{type(np.dtype(kind)) for kind in "?bhilqBHILQefd"}, defaultdict, Counter,
])  # fmt: skip


def random_state() -> dict[str, Any]:
    """Return the state of the generators that all share: PyTorch's, NumPy's and Python's."""
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": np.random.get_state(legacy=False),
        "python": random.getstate(),
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Take back what `random_state` returned."""
    torch.set_rng_state(state["torch"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    np.random.set_state(state["numpy"])
    random.setstate(state["python"])


def generator_states(*owners: Any) -> dict[str, Any]:
    """Return the states of the generators that loaders, their samplers and data sets, or others, hold."""
    states: dict[str, Any] = {}
    for name, generator in _generators(owners).items():
        if isinstance(generator, np.random.Generator):
            states[name] = generator.bit_generator.state
        elif isinstance(generator, np.random.RandomState):
            states[name] = generator.get_state(legacy=False)
        else:
            states[name] = generator.getstate() if isinstance(generator, random.Random) else generator.get_state()
    return states


def set_generator_states(states: dict[str, Any], *owners: Any) -> None:
    """Take back what `generator_states` returned."""
    for name, generator in _generators(owners).items():
        if name not in states:
            continue
        if isinstance(generator, np.random.Generator):
            generator.bit_generator.state = states[name]
        elif isinstance(generator, random.Random):
            generator.setstate(states[name])
        else:
            generator.set_state(states[name])


def _generators(owners: tuple[Any, ...]) -> dict[str, Any]:
    """Return generators by a name of their own; one that several parts hold is there once."""
    kinds = (torch.Generator, random.Random, np.random.Generator, np.random.RandomState)
    found: dict[int, tuple[str, Any]] = {}
    parts = [(str(number), owner) for number, owner in enumerate(owners)]
    for name, part in parts:  # it grows on the way
        for attribute, value in getattr(part, "__dict__", {}).items():
            if isinstance(value, kinds):
                found.setdefault(id(value), (f"{name}.{attribute}", value))
            elif attribute in ("sampler", "batch_sampler", "dataset", "collate_fn"):
                parts.append((f"{name}.{attribute}", value))
    return dict(found.values())
