"""What any LightningDataModule offers, and that looking at it changes nothing that a training would notice."""

from __future__ import annotations

import random
import threading

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, random_split

from perceptron.toy import ToyData
from rosenblatt.data.contract import (
    digests_of,
    first_batches,
    has_split,
    loader_of,
    looking,
    pair_of,
    sizes_of,
    task_of,
    to_look_at,
)
from rosenblatt.errors import UserError
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.tasks.regression import Regression

ROWS = TensorDataset(torch.arange(40.0).view(20, 2), torch.arange(20) % 2)


class Noisy(Dataset):
    """Rows with noise from all the generators that people use."""

    def __len__(self):
        return 20

    def __getitem__(self, index):
        return torch.rand(2) + random.random() + np.random.rand(), index % 2


class Stream(IterableDataset):
    def __init__(self, num=20):
        self.num = num
        self.passes = 0

    def __iter__(self):
        self.passes += 1
        return iter([(torch.full((2,), float(i)), i % 2) for i in range(self.num)])


class Plain(pl.LightningDataModule):
    """One that offers nothing but loaders."""

    def __init__(self, make_loader):
        super().__init__()
        self.make_loader = make_loader
        self.calls = []

    def prepare_data(self):
        self.calls.append("prepare_data")

    def setup(self, stage):
        self.calls.append(f"setup {stage}")

    def train_dataloader(self):
        return self.make_loader()


def generator():
    return torch.Generator().manual_seed(5)


LOADERS = {
    "in order": lambda: DataLoader(ROWS, batch_size=6),
    "shuffled by the global generator": lambda: DataLoader(ROWS, batch_size=6, shuffle=True),
    "with noise": lambda: DataLoader(Noisy(), batch_size=6, shuffle=True),
    "with workers": lambda: DataLoader(Noisy(), batch_size=6, shuffle=True, num_workers=2),
    "split at random": lambda: DataLoader(random_split(ROWS, [12, 8])[0], batch_size=6),
    "row by row": lambda: DataLoader(ROWS, batch_size=None, shuffle=True),
    "a stream": lambda: DataLoader(Stream(), batch_size=6),
    "a stream row by row": lambda: DataLoader(Stream(), batch_size=None),
    "a list": lambda: [(torch.rand(6, 2), torch.zeros(6))] * 3,
    "a generator function": lambda: ((torch.rand(6, 2), torch.zeros(6)) for _ in range(3)),
}


def numbers():
    return [torch.rand(1).item(), np.random.rand(), random.random()]


def same(one, other):
    return all(
        torch.equal(a, b) for first, second in zip(one, other, strict=True) for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("case", LOADERS)
def test_looking_at_batches_leaves_all_random_numbers_as_they_were(case):
    data = Plain(LOADERS[case])
    for seed in (0, 1):
        torch.manual_seed(seed), np.random.seed(seed), random.seed(seed)
        expected = numbers()
        torch.manual_seed(seed), np.random.seed(seed), random.seed(seed)
        (batch,) = first_batches(data)
        assert numbers() == expected
        features, target = pair_of(batch) or (batch[0], torch.tensor(batch[1]))
        assert (features.shape, target.shape) in [((6, 2), (6,)), ((2,), ())]


@pytest.mark.parametrize("case", [name for name in LOADERS if name not in ("with noise", "with workers")])
def test_the_batches_are_those_that_a_training_would_get(case):
    data = Plain(LOADERS[case])
    torch.manual_seed(3)
    looked = first_batches(data, 2)
    torch.manual_seed(3)
    trained = [batch for batch, _ in zip(data.train_dataloader(), range(2), strict=False)]
    assert len(looked) == 2
    assert all(torch.equal(a[0], b[0]) for a, b in zip(looked, trained, strict=True))


@pytest.mark.parametrize("where", ["loader", "sampler", "batch sampler"])
def test_looking_leaves_generators_of_loaders_as_they_were(where):
    own = generator()
    rows = torch.utils.data.RandomSampler(ROWS, generator=own)
    loader = {
        "loader": lambda: DataLoader(ROWS, batch_size=6, shuffle=True, generator=own),
        "sampler": lambda: DataLoader(ROWS, batch_size=6, sampler=rows),
        "batch sampler": lambda: DataLoader(ROWS, batch_sampler=torch.utils.data.BatchSampler(rows, 6, False)),
    }[where]()
    data = Plain(lambda: loader)  # the same one each time
    before = own.get_state()
    first_batches(data, 2)
    assert torch.equal(own.get_state(), before)


def test_no_worker_is_started_to_look():
    def refuse(worker):
        raise AssertionError("started")

    loader = DataLoader(ROWS, batch_size=6, num_workers=2, worker_init_fn=refuse)
    assert len(first_batches(Plain(lambda: loader), 3)) == 3


def test_what_looking_raises_leaves_random_numbers_as_they_were_too():
    torch.manual_seed(0)
    expected = torch.rand(1).item()
    torch.manual_seed(0)

    def broken():
        yield torch.rand(5)
        raise KeyError

    with pytest.raises(KeyError), looking():
        list(broken())
    assert torch.rand(1).item() == expected


def test_no_batch_and_no_loader_are_told():
    class Nothing(pl.LightningDataModule):
        pass

    with pytest.raises(UserError, match="data: Nothing has no train_dataloader, so there is nothing to learn from"):
        first_batches(Nothing())
    with pytest.raises(UserError, match="data: the training loader of Plain has no batch"):
        first_batches(Plain(list))
    with pytest.raises(UserError, match="data: the training loader of Plain has no batch"):
        first_batches(Plain(lambda: DataLoader(Stream(0), batch_size=6)))


class Split(pl.LightningDataModule):
    """Splits its rows at random in setup, and keeps a generator of its own."""

    def __init__(self):
        super().__init__()
        self.generator = generator()
        self.setups = 0

    def setup(self, stage):
        self.setups += 1
        self.rows = random_split(ROWS, [12, 8])
        self.order = torch.randperm(12, generator=self.generator)

    def train_dataloader(self):
        return DataLoader(self.rows[0], batch_size=6, shuffle=True, generator=self.generator)


def test_a_copy_is_looked_at_and_a_training_gets_what_it_would_have_got():
    torch.manual_seed(0)
    bare = Split()
    bare.setup("fit")
    expected = list(bare.train_dataloader())

    torch.manual_seed(0)
    data = Split()
    looked = to_look_at(data)
    first_batches(looked)
    assert (looked is data, looked.setups, data.setups) == (False, 1, 0)
    data.setup("fit")
    assert torch.equal(data.order, bare.order)
    assert data.rows[0].indices == bare.rows[0].indices
    assert same(data.train_dataloader(), expected)


def test_what_offers_a_digest_is_looked_at_itself():
    data = ToyData([[0, 0], [3, 3]], [0, 1], num_train=20, num_val=10, num_test=10)
    assert to_look_at(data) is data
    assert set(data.splits) == {"train", "val", "test"}


def test_what_can_not_be_copied_is_looked_at_itself():
    data = Plain(lambda: [])
    data.lock = threading.Lock()
    assert to_look_at(data) is data
    assert data.calls == ["prepare_data", "setup fit"]


def test_sizes_are_offered_missing_or_wrong():
    data = Plain(lambda: [])
    assert sizes_of(data) == {}
    data.sizes = {"num_features": 3, "vocabulary": 100}
    assert sizes_of(data) == {"num_features": 3, "vocabulary": 100}
    data.sizes = [3]
    with pytest.raises(UserError, match=r"expected Plain\.sizes to be a mapping, such as .*; it is of type list"):
        sizes_of(data)


@pytest.mark.parametrize(
    ("own", "said", "task"),
    [
        (None, None, None),
        (None, "regression", "regression"),
        ("multiclass", None, "multiclass"),
        ("multiclass", "binary", "binary"),
        (Binary(("ham", "spam")), None, Binary(("ham", "spam"))),
        (Binary(("ham", "spam"), 3, class_counts=(1, 2)), "binary", Binary(("ham", "spam"), 3, class_counts=(1, 2))),
        (Binary(("ham", "spam")), "multiclass", Multiclass(("ham", "spam"))),
        (Regression(), None, Regression()),
    ],
)  # fmt: skip
def test_the_task_is_what_was_said_or_what_the_data_offer(own, said, task):
    data = Plain(lambda: [])
    if own is not None:
        data.task = own
    assert task_of(data, said) == task


@pytest.mark.parametrize(
    ("own", "said", "told"),
    [
        ("multi", None, r"task: expected one of .*; got 'multi'\. Did you mean"),
        (None, "regresion", r"task: expected one of .*; got 'regresion'\. Did you mean 'regression'"),
        (Binary(), "regresion", r"task: expected one of .*; got 'regresion'\. Did you mean 'regression'"),
        (3, None, r"expected Plain\.task to be a word, or a task such as .*Multiclass.*; it is of type int"),
        (Binary, None, r"expected Plain\.task to be a word, or a task such as .*; it is of type (type|ABCMeta)"),
    ],
)
def test_a_task_that_is_none_is_told(own, said, told):
    data = Plain(lambda: [])
    if own is not None:
        data.task = own
    with pytest.raises(UserError, match=told):
        task_of(data, said)


def test_splits_are_known_by_loaders_and_of_ours_by_what_there_is():
    data = Plain(LOADERS["in order"])
    assert [has_split(data, split) for split in ("train", "val", "test")] == [True, False, False]
    assert loader_of(data, "val") is loader_of(data, "train") is None  # a training loader has no order to rely on
    ours = ToyData([[0, 0], [3, 3]], [0, 1], num_train=20, num_val=10, num_test=10)
    ours.setup()
    del ours.splits["test"]
    assert [has_split(ours, split) for split in ("train", "val", "test")] == [True, True, False]
    assert loader_of(ours, "test") is None
    features, target = next(iter(loader_of(ours, "train")))
    assert torch.equal(features, ours.splits["train"][0])
    assert torch.equal(target, ours.splits["train"][1])


@pytest.mark.parametrize(
    "batch", [torch.zeros(3), {"x": torch.zeros(3)}, (torch.zeros(3),), (torch.zeros(3), [1]), [torch.zeros(3)] * 3]
)
def test_a_batch_that_is_no_pair_has_no_features_and_target(batch):
    assert pair_of(batch) is None


def test_a_pair_may_be_a_list_with_anything_for_features():
    features = {"text": torch.zeros(3), "image": torch.zeros(3)}
    target = torch.zeros(3)
    assert pair_of([features, target]) == (features, target)


def test_a_digest_is_anything_that_json_takes():
    data = Plain(lambda: [])
    assert digests_of(data) == {}
    for said, kept in (("1f3a", {"data": "1f3a"}), ({"train": (3, "a")}, {"train": [3, "a"]}), ([1], {"data": [1]})):
        data.digest = lambda said=said: said
        assert digests_of(data) == kept
    data.digest = lambda: {"train": torch.ones(2)}
    with pytest.raises(UserError, match=r"expected Plain\.digest\(\) to return words and numbers.*Tensor"):
        digests_of(data)
