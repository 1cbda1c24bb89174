import pytest
import torch

from perceptron.toy import ToyData
from rosenblatt.errors import UserError
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.multiclass import Multiclass

CENTERS, XOR = [[3.0, 3.0], [3.0, -2.0]], [[3.0, 3.0], [-3.0, -3.0], [-3.0, 3.0], [3.0, -3.0]]


def toy(**options):
    sizes = {"num_train": 200, "num_val": 100, "num_test": 50}
    data = ToyData(**{"centers": CENTERS, "labels": [0, 1], "batch_size": 64, **sizes, **options})
    data.setup()
    return data


def test_points_lie_around_their_centres_with_the_spread():
    points, target = toy(num_train=40_000, spread=0.5).splits["train"]
    for label, center in enumerate(CENTERS):
        cloud = points[target == label]
        assert len(cloud) == 20_000
        torch.testing.assert_close(cloud.mean(dim=0), torch.tensor(center), atol=0.02, rtol=0)
        torch.testing.assert_close(cloud.T.cov(), 0.25 * torch.eye(2), atol=0.01, rtol=0)


def test_the_best_boundary_is_right_as_often_as_theory_says():
    points, target = toy(num_train=1_000_000).splits["train"]
    accuracy = ((points[:, 1] < 0.5).long() == target).double().mean().item()
    best = torch.distributions.Normal(0.0, 1.0).cdf(torch.tensor(2.5)).item()
    assert best == pytest.approx(0.99379, abs=1e-5)
    assert accuracy == pytest.approx(best, abs=3e-4)  # four standard errors


def test_xor_has_opposite_corners_in_one_class():
    points, target = toy(centers=XOR, labels=[0, 0, 1, 1], spread=0.1).splits["train"]
    assert torch.equal(target, (points[:, 0] * points[:, 1] < 0).long())
    assert torch.bincount(target).tolist() == [100, 100]


def test_task_and_sizes_say_what_was_drawn():
    data = toy(num_train=200)
    assert data.sizes == {"num_features": 2, "bags": False}
    assert data.task == Binary(("0", "1"), num_rows=200, class_counts=(100, 100))
    data = toy(centers=[[0.0], [1.0], [2.0]], labels=[2, 0, 1], num_train=7)
    assert data.task == Multiclass(("0", "1", "2"), num_rows=7, class_counts=(2, 2, 3))
    assert data.sizes["num_features"] == 1


def test_the_splits_have_their_sizes_and_no_point_in_common():
    splits = toy().splits
    assert {split: len(target) for split, (_, target) in splits.items()} == {"train": 200, "val": 100, "test": 50}
    points = torch.cat([features for features, _ in splits.values()])
    assert len(points.unique(dim=0)) == 350


def test_the_order_of_points_tells_nothing_of_their_class():
    target = toy(num_train=1000).splits["train"][1]
    assert abs(target[:500].sum().item() - 250) < 50
    assert not torch.equal(target, torch.arange(1000) % 2)


def test_the_same_seed_gives_the_same_points_and_another_others():
    first, same, other = (toy(seed=seed).splits for seed in (5, 5, 6))
    for split in first:
        assert torch.equal(first[split][0], same[split][0])
        assert not torch.isin(first[split][0], other[split][0]).any()


def test_fresh_points_differ_each_epoch_and_come_again_with_the_seed():
    def epochs(seed):
        batches = toy(fresh=True, seed=seed).train_dataloader()
        return [torch.cat([features for features, _ in batches]) for _ in range(3)]

    first, same, other = epochs(1), epochs(1), epochs(2)
    assert all(torch.equal(a, b) for a, b in zip(first, same, strict=True))
    fixed = torch.cat([features for features, _ in toy(seed=1).splits.values()])
    everything = torch.cat([*first, *other, fixed])
    assert len(everything.unique(dim=0)) == 6 * 200 + 350


def test_points_that_are_not_fresh_are_the_same_each_epoch_in_another_order():
    data = toy()
    batches = data.train_dataloader()
    first, second = (torch.cat([features for features, _ in batches]) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first.unique(dim=0), second.unique(dim=0))


def test_validation_batches_are_in_order_and_fixed():
    data = toy(fresh=True)
    for split, batches in (("val", data.val_dataloader()), ("test", data.test_dataloader())):
        for _ in range(2):
            assert torch.equal(torch.cat([features for features, _ in batches]), data.splits[split][0])


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"labels": [0]}, ["data.centers, data.labels", "one label a centre", "[0]"]),
        ({"centers": [[1.0], [1.0, 2.0]]}, ["data.centers", "one length", "[[1.0], [1.0, 2.0]]"]),
        ({"labels": [0, 0]}, ["data.labels", "at least two classes", "[0, 0]"]),
        ({"labels": [1, 2]}, ["data.labels", "numbered 0, 1, ...", "[1, 2]"]),
        ({"num_val": 1}, ["data.num_val", "each of the 2 centres", "got 1"]),
        ({"spread": -1.0}, ["data.spread", "at least 0", "got -1.0"]),
        ({"batch_size": 0}, ["data.batch_size", "at least 1", "got 0"]),
    ],
)
def test_settings_that_make_no_data_are_told(options, parts):
    with pytest.raises(UserError) as error:
        toy(**options)
    for part in parts:
        assert part in str(error.value)
