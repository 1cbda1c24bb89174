from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_row_steps import NUM_FEATURES, bags_of, layer_of, step
from torch import nn

from rosenblatt.errors import UserError
from rosenblatt.text.row_steps import RowwiseAdagrad


def of_kind(by_rows: bool) -> type[RowwiseAdagrad]:
    return type("Own", (RowwiseAdagrad,), {"is_worth_it": lambda *_: by_rows})


def reference(weight: np.ndarray, grads: list[np.ndarray], lr: float, start: float) -> np.ndarray:
    """The steps of a weight (rows, columns), one row after the other."""
    weight, total = weight.astype(np.float64), np.full(len(weight), start)
    for grad in grads:
        for row in range(len(weight)):
            total[row] += (grad[row] ** 2).sum()
            weight[row] -= lr * grad[row] / (np.sqrt(total[row]) + 1e-10)
    return weight


@given(
    lengths=st.lists(st.lists(st.integers(0, 25), min_size=1, max_size=6), min_size=1, max_size=6),
    num_outputs=st.sampled_from([1, 2, 7]),
)
def test_each_row_has_a_sum_of_squares_of_its_own(lengths, num_outputs):
    layers = {fewest: layer_of(num_outputs) for fewest in (0, 10**9)}
    kinds = {
        fewest: type("Own", (RowwiseAdagrad,), {"is_worth_it": lambda *_, fewest=fewest: fewest == 0})
        for fewest in layers
    }
    optimizers = {one: kinds[one](layers[one].parameters(), lr=0.3, damping=8, batch_size=2) for one in layers}
    start, grads = layers[0].weight.detach().numpy().copy(), []
    for number, one in enumerate(lengths):
        bags = bags_of(one, number)
        for fewest, layer in layers.items():
            step(layer, optimizers[fewest], bags)
        assert layers[0].weight.grad.is_sparse
        assert not layers[10**9].weight.grad.is_sparse
        grads.append(layers[10**9].weight.grad.numpy().copy())
    expected = reference(start, grads, lr=0.3, start=8 / 2**2)
    for layer in layers.values():
        np.testing.assert_allclose(layer.weight.detach().numpy(), expected, rtol=2e-4, atol=2e-5)
        assert optimizers[0].state[layers[0].weight]["sum"].shape == (NUM_FEATURES, 1)


def test_a_vector_is_one_row():
    bias = nn.Parameter(torch.zeros(3))
    optimizer = RowwiseAdagrad([bias], lr=1.0, damping=0.0)
    bias.grad = torch.tensor([3.0, 0.0, 4.0])
    optimizer.step()
    np.testing.assert_allclose(bias.detach().numpy(), [-0.6, 0, -0.8], rtol=1e-6)


def test_a_state_that_was_kept_goes_on_with_the_same_bits():
    made = [layer_of(3) for _ in range(2)]
    first, second = (of_kind(True)(layer.parameters(), lr=0.5, damping=2.0) for layer in made)
    for number in range(3):
        step(made[0], first, bags_of([5, 9], number))
    made[1].load_state_dict(made[0].state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for layer, optimizer in zip(made, (first, second), strict=True):
        step(layer, optimizer, bags_of([7], 9))
    assert torch.equal(made[0].weight, made[1].weight)


@pytest.mark.parametrize("name", ["lr", "damping", "batch_size", "spread"])
def test_a_number_below_0_is_refused(name):
    with pytest.raises(UserError, match=f"optimizer.{name}=-1: expected a number of at least 0"):
        RowwiseAdagrad([nn.Parameter(torch.zeros(1))], **{name: -1})
