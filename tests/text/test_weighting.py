import numpy as np
import pytest
import torch

from ratio_reference import ratios
from rosenblatt.text.encoder import log_count_ratio, scale
from rosenblatt.text.rows import rows_of_class

RNG = np.random.default_rng(0)


def bags_of(present):
    """The feature of each pair, where rows begin and end, and in how many rows each feature is."""
    offsets = np.cumsum([0, *(present > 0).sum(axis=1)])
    return present.nonzero()[1].astype(np.int32), offsets, (present > 0).sum(axis=0)


@pytest.mark.parametrize("num_classes", [2, 3, 5])
@pytest.mark.parametrize("several", [False, True], ids=["classes", "labels"])
def test_log_count_ratios_are_those_of_a_plain_loop(num_classes, several):
    present = (RNG.random((30, 9)) < 0.3).astype(float)
    present[4] = present[29] = 0  # empty bags
    target = torch.from_numpy(RNG.integers(0, num_classes, 30))
    membership = np.eye(num_classes)[target.numpy()]
    if several:
        target = torch.from_numpy((RNG.random((30, num_classes)) < 0.5).astype(np.uint8))
        membership = target.numpy()
    found = log_count_ratio(*bags_of(present), rows_of_class(target, num_classes))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, ratios(present, membership), rtol=1e-5)


def test_two_labels_that_some_rows_share_are_not_taken_for_two_classes():
    present = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1], [0, 0, 1]])
    membership = np.array([[1, 1], [1, 0], [1, 0], [0, 0]])  # four labels in four rows, as with two classes
    rows = [np.flatnonzero(inside) for inside in membership.T]
    np.testing.assert_allclose(log_count_ratio(*bags_of(present), rows), ratios(present, membership), rtol=1e-5)


def test_a_feature_of_one_class_alone_weighs_most():
    present = np.array([[1, 0, 1], [1, 0, 1], [0, 1, 1], [0, 0, 1]])
    telling, less, nothing = log_count_ratio(*bags_of(present), [np.array([0, 1]), np.array([2, 3])])
    assert telling > less > nothing


def test_each_row_is_scaled_to_its_length_and_empty_ones_stay_empty():
    weights = np.array([3, 4, 0.5, 1e-3, 0], dtype=np.float32)
    scale(weights, np.array([0, 0, 2, 2, 3, 5, 5]), np.array([1, 20, 1, 5, 10, 1], dtype=np.float32))
    np.testing.assert_allclose(weights, [12, 16, 5, 10, 0], rtol=1e-6)
    nothing = np.zeros(0, dtype=np.float32)
    scale(nothing, np.array([0, 0]), np.ones(1, dtype=np.float32))
    zeros = np.zeros(2, dtype=np.float32)
    scale(zeros, np.array([0, 2]), np.ones(1, dtype=np.float32))
    assert zeros.tolist() == [0, 0]
