"""What any LightningDataModule offers, used where it is there: section by section of docs/bring_your_own.md.

Nothing here asks whose class something is: a capability is an attribute or a method of the data module, and where it is
missing, what needs it is left out, or says which method to write.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor
from torch.utils.data import DataLoader

from rosenblatt.data.columns import Columns
from rosenblatt.data.encoder import Encoder
from rosenblatt.data.features import Bags, Splits
from rosenblatt.errors import UserError, check_choice
from rosenblatt.loop.random_state import random_state, set_random_state
from rosenblatt.loop.replay import generator_states, set_generator_states
from rosenblatt.tasks.inference import TASKS, task_named
from rosenblatt.tasks.task import Task

OF_AN_ENCODER = ("num_features", "settings", "facts", "vocabulary", "learn", "encode", "names", "plane", "column_of")
LOADERS = {"train": "train_dataloader", "val": "val_dataloader", "test": "test_dataloader"}


@contextmanager
def looking() -> Iterator[None]:
    """Leave all random numbers as they were, whatever looking at data draws."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)


def has_split(data: pl.LightningDataModule, split: str) -> bool:
    """Return whether the data module has a loader for a split; our own ones know by their splits."""
    if splits := splits_of(data):
        return split in splits
    return is_overridden(LOADERS[split], data, pl.LightningDataModule)


def loader_of(data: pl.LightningDataModule, split: str) -> Any | None:
    """Return the loader that a split is evaluated with, or ``None`` where there is none; see `has_split`.

    That of ``train`` is in order, which our own data modules alone can: ``batches(split)``.
    """
    if not has_split(data, split):
        return None
    own = getattr(data, "batches", None)
    if splits_of(data) and callable(own):
        return own(split)
    if split == "train":
        return None
    loader = getattr(data, LOADERS[split])()
    return None if loader is None or loader == [] else loader


def splits_of(data: pl.LightningDataModule) -> Splits:
    """Return features and target of all rows by split, where the data module keeps them in memory; else nothing.

    One of somebody's own may call whatever it likes ``splits``, ``columns`` or ``encoder``: what is no such thing is
    not looked at.
    """
    splits = getattr(data, "splits", None)
    if not isinstance(splits, Mapping) or not all(isinstance(one, tuple) and len(one) == 2 for one in splits.values()):
        return {}
    fine = all(isinstance(one, Tensor | Bags) and isinstance(target, Tensor) for one, target in splits.values())
    return dict(splits) if fine else {}


def columns_of(data: pl.LightningDataModule) -> Columns | None:
    """Return what the columns of the data's files hold, or ``None`` where nobody knows it."""
    columns = getattr(data, "columns", None)
    return columns if isinstance(columns, Columns) else None


def encoder_of(data: pl.LightningDataModule) -> Encoder | None:
    """Return what makes features of rows, or ``None`` where there is none with all methods of an `Encoder`."""
    encoder = getattr(data, "encoder", None)
    return encoder if all(hasattr(encoder, name) for name in OF_AN_ENCODER) else None


def number_of(data: pl.LightningDataModule, name: str) -> int | None:
    """Return an attribute of the data module that is a whole number above 0, or ``None`` where there is none."""
    value = getattr(data, name, None)
    return value if type(value) is int and value > 0 else None


def repeated_of(data: pl.LightningDataModule) -> dict[str, int]:
    """Return how many rows of other splits are in ``train`` too, where the data module has counted them."""
    found = getattr(data, "num_repeated", None)
    return dict(found) if splits_of(data) and isinstance(found, Mapping) else {}


def sizes_of(data: pl.LightningDataModule) -> dict[str, Any]:
    """Return the sizes that the data module offers to a model's constructor, by name; they have to be a mapping."""
    sizes = getattr(data, "sizes", {})
    if not isinstance(sizes, Mapping):
        raise UserError(
            f"data: expected {type(data).__name__}.sizes to be a mapping, such as {{'num_features': 3}}; it is of type "
            f"{type(sizes).__name__}."
        )
    return dict(sizes)


def task_of(data: pl.LightningDataModule, said: str | None) -> Task | str | None:
    """Return the task that the data module offers, or that was said; a word where there are no classes yet.

    Raises:
        UserError: the data module says something else than a task, or there is none of that name.
    """
    own = getattr(data, "task", None)
    if own is None or isinstance(own, str):
        if said or own:
            check_choice("task", said or str(own), TASKS)
        return said or own
    if not isinstance(own, Task):
        raise UserError(
            f"data: expected {type(data).__name__}.task to be a word, or a task such as "
            f"rosenblatt.tasks.multiclass.Multiclass(('cat', 'dog')); it is of type {type(own).__name__}."
        )
    return own if said in (None, own.name) else task_named(str(said), own.classes)


def to_look_at(data: pl.LightningDataModule) -> pl.LightningDataModule:
    """Return a data module that is set up, to look at; the one that trains stays as it was where it could notice.

    One that offers `digest` says that it can be set up more than once, and is looked at itself. Of another a copy is
    set up: its loaders, and generators that it holds, are those of a bare Trainer then.
    """
    looked = data
    if not hasattr(data, "digest"):
        with suppress(Exception):  # what it holds can't be copied, such as a lock
            looked = copy.deepcopy(data)
    with looking():
        looked.prepare_data()
        looked.setup("fit")
    return looked


def first_batches(data: pl.LightningDataModule, num: int = 1) -> list[Any]:
    """Return the first training batches, one at least, of a data module that is there to be looked at."""
    if not has_split(data, "train"):
        raise UserError(f"data: {type(data).__name__} has no train_dataloader, so there is nothing to learn from.")
    with looking():
        loader = looked = data.train_dataloader()
        states = generator_states(loader)
        if isinstance(loader, DataLoader):
            looked = copy.copy(loader)
            looked.num_workers, looked.timeout = 0, 0  # to start workers for a batch takes longer
        batches = list(islice(looked, num))
        set_generator_states(states, loader)
    if not batches:
        raise UserError(f"data: the training loader of {type(data).__name__} has no batch, so nothing can be learnt.")
    return batches


def digests_of(data: pl.LightningDataModule) -> dict[str, Any]:
    """Return what the data module says tells its data from others, as JSON gives it back; empty: nothing.

    Raises:
        UserError: it holds what JSON has no place for.
    """
    digest = getattr(data, "digest", None)
    try:
        found = json.loads(json.dumps(digest() if callable(digest) else {}))
    except TypeError as error:
        raise UserError(
            f"data: expected {type(data).__name__}.digest() to return words and numbers, or lists and mappings of "
            f"them: {error}."
        ) from None
    return found if isinstance(found, dict) else {"data": found}


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return which parts of the data differ, as lines, by what `digests_of` said then and says now."""
    lines = []
    for part in dict.fromkeys([*before, *now]):
        pair = before.get(part), now.get(part)
        rows = [f"{one['rows']:,} rows" if isinstance(one, dict) and "rows" in one else "no rows" for one in pair]
        if pair[0] != pair[1] and rows == ["no rows", "no rows"]:
            lines.append(f"{part} was {pair[0]}, and is {pair[1]} now")
        elif pair[0] != pair[1]:
            lines.append(f"{part} had {rows[0]}, and has {rows[1] if rows[0] != rows[1] else 'others'} now")
    return lines


def pair_of(batch: Any) -> tuple[Any, Tensor] | None:
    """Return features and target of a batch, or ``None`` where it is no such pair."""
    if isinstance(batch, tuple | list) and len(batch) == 2 and isinstance(batch[1], Tensor):
        return batch[0], batch[1]
    return None
