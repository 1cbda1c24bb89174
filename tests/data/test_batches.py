import numpy as np
import pytest
import torch

from conftest import dense_of
from rosenblatt.data.batches import Batches, rows_at
from rosenblatt.data.features import Bags, rows_between

NUM_ROWS = 23


def dense_rows():
    return torch.arange(NUM_ROWS * 2, dtype=torch.float32).view(NUM_ROWS, 2)


def bags_of(matrix):
    rows, ids = matrix.nonzero(as_tuple=True)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), torch.bincount(rows, minlength=len(matrix)).cumsum(0)])
    return Bags(ids.to(torch.int32), matrix[rows, ids], offsets)


def batches(**options):
    return Batches(dense_rows(), torch.arange(NUM_ROWS), **{"batch_size": 5, "shuffle": True, **options})


def rows_of(passed):
    return [target.tolist() for _, target in passed]


def flat(passed):
    return [row for batch in rows_of(passed) for row in batch]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("batch_size", "sizes"), [(5, [5, 5, 5, 5, 3]), (23, [23]), (100, [23]), (1, [1] * 23)])
def test_every_row_comes_once_and_the_last_batch_holds_what_is_left(shuffle, batch_size, sizes):
    loader = batches(shuffle=shuffle, batch_size=batch_size)
    passed = list(loader)
    assert len(loader) == len(sizes)
    assert [len(target) for _, target in passed] == sizes
    assert sorted(flat(passed)) == list(range(NUM_ROWS))
    for features, target in passed:
        assert torch.equal(features, dense_rows()[target])
    assert shuffle or flat(passed) == list(range(NUM_ROWS))


def test_the_same_seed_gives_the_same_order_and_another_another():
    first, same, other = batches(seed=1), batches(seed=1), batches(seed=2)
    epochs = [[rows_of(loader) for _ in range(3)] for loader in (first, same, other)]
    assert epochs[0] == epochs[1]
    assert not any(epoch in epochs[0] for epoch in epochs[2])


def test_each_epoch_has_an_order_of_its_own():
    loader = batches()
    orders = [tuple(flat(loader)) for _ in range(5)]
    assert len(set(orders)) == 5
    assert loader.epoch == 5


@pytest.mark.parametrize("taken", [1, 3, 4, 5, 7])
def test_a_resumed_pass_goes_on_with_the_batches_that_remain(taken):
    undisturbed = batches()
    expected = [rows for _ in range(3) for rows in rows_of(undisturbed)]
    cut_off = batches()
    endless = (target.tolist() for _ in range(3) for _, target in cut_off)
    seen = [next(endless) for _ in range(taken)]
    state = cut_off.state_dict()
    resumed = batches()
    resumed.load_state_dict(state)
    while len(seen) < len(expected):
        seen += rows_of(resumed)
    assert seen == expected


def test_a_pass_left_early_is_not_gone_on_with():
    loader, undisturbed = batches(), batches()
    rows_of(undisturbed)
    next(iter(loader))
    assert rows_of(loader) == rows_of(undisturbed)
    assert loader.epoch == 2


def test_a_pass_after_a_resumed_one_begins_at_the_first_batch():
    loader = batches()
    loader.load_state_dict({"epoch": 4, "next_batch": 3})
    assert len(rows_of(loader)) == 2
    assert len(rows_of(loader)) == 5
    assert loader.state_dict() == {"epoch": 6, "next_batch": 0}


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("world_size", [2, 3, 4, 5, 9, 23])
def test_the_shares_of_all_processes_are_the_whole(shuffle, world_size):
    loaders = [batches(shuffle=shuffle, rank=rank, world_size=world_size) for rank in range(world_size)]
    shares = [flat(loader) for loader in loaders]
    size = -(-NUM_ROWS // world_size)
    assert [len(share) for share in shares] == [size] * world_size
    assert len({len(loader) for loader in loaders}) == 1
    counts = np.bincount(np.concatenate(shares), minlength=NUM_ROWS)
    assert counts.min() == 1
    assert counts.max() <= 2  # no row fills up the shares more than once
    assert counts.sum() == size * world_size


def test_points_are_drawn_for_each_epoch_and_again_for_a_resumed_one():
    def draw(epoch):
        return torch.full((NUM_ROWS, 1), float(epoch)), torch.arange(NUM_ROWS)

    loader = batches(draw=draw)
    assert [{features.unique().item() for features, _ in loader} for _ in range(3)] == [{0.0}, {1.0}, {2.0}]
    loader.load_state_dict({"epoch": 1, "next_batch": 2})
    assert [features.unique().item() for features, _ in loader] == [1.0] * 3


def random_matrix():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.rand(12, 7, generator=generator) * (torch.rand(12, 7, generator=generator) < 0.4)
    matrix[3] = matrix[11] = 0  # empty bags, one of them the last
    return matrix


@pytest.mark.parametrize(("start", "stop"), [(0, 12), (0, 5), (3, 4), (4, 12), (6, 6)])
def test_rows_between_are_those_of_the_matrix(start, stop):
    matrix = random_matrix()
    bags = rows_between(bags_of(matrix), start, stop)
    assert bags.offsets[0] == 0
    assert torch.equal(dense_of(bags, 7), matrix[start:stop])
    assert torch.equal(rows_between(matrix, start, stop), matrix[start:stop])


@pytest.mark.parametrize("index", [[0], [11, 3, 0], [5, 5, 2, 5], list(range(12))[::-1], []])
def test_rows_at_are_those_of_the_matrix(index):
    matrix, index = random_matrix(), torch.tensor(index, dtype=torch.int64)
    bags = rows_at(bags_of(matrix), index)
    assert (bags.ids.dtype, bags.offsets.dtype) == (torch.int32, torch.int64)
    assert torch.equal(dense_of(bags, 7), matrix[index])
    assert torch.equal(rows_at(matrix, index), matrix[index])


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_of_bags_hold_the_rows_of_their_targets(shuffle):
    matrix = random_matrix()
    for bags, target in Batches(bags_of(matrix), torch.arange(12), batch_size=5, shuffle=shuffle):
        assert torch.equal(dense_of(bags, 7), matrix[target])


NUM_BAGS = 61  # with 16 a batch, stretches of two, and one row that is a stretch of its own


def batches_of_bags(**options):
    """Batches in which row i is a bag of i alone."""
    ids = torch.arange(NUM_BAGS, dtype=torch.int32)
    bags = Bags(ids, torch.ones(NUM_BAGS), torch.arange(NUM_BAGS + 1))
    return Batches(bags, torch.arange(NUM_BAGS), **{"batch_size": 16, "shuffle": True, **options})


@pytest.mark.parametrize(("batch_size", "size"), [(1, 1), (7, 1), (15, 1), (16, 2), (20, 2), (32, 4), (100, 12)])
def test_rows_of_bags_are_drawn_in_stretches_eight_to_a_batch(batch_size, size):
    loader = batches_of_bags(batch_size=batch_size)
    for _ in range(3):
        order = flat(loader)
        assert sorted(order) == list(range(NUM_BAGS))
        stretches = [list(range(first, min(first + size, NUM_BAGS))) for first in range(0, NUM_BAGS, size)]
        first_rows = [row for row in order if row % size == 0]
        assert order == [row for first in first_rows for row in stretches[first // size]]
        assert first_rows != sorted(first_rows)


def test_each_epoch_draws_stretches_in_an_order_of_its_own_which_the_seed_decides():
    first, same, other = (batches_of_bags(seed=seed) for seed in (1, 1, 2))
    epochs = [[tuple(flat(loader)) for _ in range(4)] for loader in (first, same, other)]
    assert len(set(epochs[0])) == 4
    assert epochs[0] == epochs[1]
    assert not set(epochs[0]) & set(epochs[2])


def test_batches_of_stretches_hold_the_bags_of_their_targets():
    for bags, target in batches_of_bags():
        assert bags.ids.tolist() == target.tolist()
        assert bags.offsets.tolist() == list(range(len(target) + 1))


@pytest.mark.parametrize("taken", [1, 3, 4, 6])
def test_a_resumed_pass_over_bags_goes_on_with_the_batches_that_remain(taken):
    undisturbed = batches_of_bags(seed=5)
    expected = [rows for _ in range(2) for rows in rows_of(undisturbed)]
    cut_off = batches_of_bags(seed=5)
    endless = (target.tolist() for _ in range(2) for _, target in cut_off)
    seen = [next(endless) for _ in range(taken)]
    resumed = batches_of_bags(seed=5)
    resumed.load_state_dict(cut_off.state_dict())
    while len(seen) < len(expected):
        seen += rows_of(resumed)
    assert seen == expected


@pytest.mark.parametrize("world_size", [2, 3, 7])
def test_the_shares_of_all_processes_are_all_bags(world_size):
    loaders = [batches_of_bags(rank=rank, world_size=world_size) for rank in range(world_size)]
    for _ in range(2):
        shares = [flat(loader) for loader in loaders]
        assert {len(share) for share in shares} == {-(-NUM_BAGS // world_size)}
        counts = np.bincount(np.concatenate(shares), minlength=NUM_BAGS)
        assert counts.min() == 1
        assert counts.sum() == world_size * len(shares[0])
