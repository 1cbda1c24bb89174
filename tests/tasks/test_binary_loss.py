"""The loss of two classes, written as a softplus, against torch's and the formula: values and gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from rosenblatt.tasks.binary import Binary

WEIGHTS = {"no weights": None, "balanced": "balanced", "a list": [0.5, 3.0], "a class that counts nothing": [0.0, 2.0]}


def loss_and_gradient(loss: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    return loss.detach(), torch.autograd.grad(loss, logits)[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("scale", [1.0, 20.0, 1e4])
def test_the_binary_loss_and_its_gradient_are_torchs_at_any_size_of_logits(scale, weights, smoothing, dtype):
    task = Binary(("no", "yes"), num_rows=40, class_counts=(30, 10))
    generator = torch.Generator().manual_seed(1)
    logits, target = torch.randn(40, 1, generator=generator) * scale, torch.randint(2, (40,), generator=generator)
    # Right and wrong at the same sizes; 16 to 30 is where 1 + exp(-x) is 1 in float32 and exp(-x) is not 0.
    steps = torch.tensor([-1.0, -0.8, -0.5, 0.0, 0.5, 0.8, 1.0]) * scale
    logits = torch.cat([logits, steps[:, None], steps[:, None]]).to(dtype).requires_grad_()
    target = torch.cat([target, torch.zeros(7, dtype=torch.int64), torch.ones(7, dtype=torch.int64)])
    ours = task.loss(class_weights=WEIGHTS[weights], label_smoothing=smoothing).to(dtype)
    rows = None if ours.class_weights is None else ours.class_weights[target]
    smooth = target.to(dtype) * (1 - smoothing) + smoothing / 2
    theirs = F.binary_cross_entropy_with_logits(logits[:, 0], smooth, rows)
    (loss, gradient), (expected, expected_gradient) = (
        loss_and_gradient(value, logits) for value in (ours(logits, target), theirs)
    )
    # From 20 on torch's softplus is a straight line: exp(-20) beside the exact value, which only float64 shows.
    exact = {torch.float32: 2e-6, torch.float64: math.exp(-20)}[dtype]
    torch.testing.assert_close(loss, expected, rtol=exact, atol=exact)
    torch.testing.assert_close(gradient, expected_gradient, rtol=exact, atol=exact / len(target))


@pytest.mark.parametrize("size", [1.0, 5.0, 14.0, 17.0, 19.0, 30.0, 80.0])
def test_the_binary_loss_of_a_row_that_is_right_is_small_but_not_rounded_away(size):
    # exp(-x) for a large x: what ln(1 + exp(-x)) in float32 would make 0 from 17 on, and its gradient with it.
    task = Binary(("no", "yes"), num_rows=2, class_counts=(1, 1))
    for target, sign in ((1, 1.0), (0, -1.0)):
        logits = torch.tensor([[sign * size]], requires_grad=True)
        loss, gradient = loss_and_gradient(task.loss()(logits, torch.tensor([target])), logits)
        assert float(loss) == pytest.approx(math.log1p(math.exp(-size)), rel=2e-6)
        assert float(gradient) == pytest.approx(-sign / (1 + math.exp(size)), rel=2e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, "balanced", [0.5, 3.0]], ids=str)
def test_extreme_logits_cost_what_they_are_wrong_by(weights, smoothing):
    # Two wrong by 10,000, and two as right: in exact numbers, without a sigmoid.
    task = Binary(("no", "yes"), num_rows=40, class_counts=(30, 10))
    logits = torch.tensor([[1e4], [-1e4], [1e4], [-1e4]], requires_grad=True)
    target = torch.tensor([0, 1, 1, 0])
    loss, gradient = loss_and_gradient(
        task.loss(class_weights=weights, label_smoothing=smoothing)(logits, target), logits
    )
    no, yes = {"None": (1, 1), "balanced": (2 / 3, 2), "[0.5, 3.0]": (0.5, 3.0)}[str(weights)]
    wrong, right = 1 - smoothing / 2, smoothing / 2
    assert float(loss) == pytest.approx(1e4 * (no + yes) * (wrong + right) / 4, rel=1e-6)
    expected = [no * wrong / 4, -yes * wrong / 4, yes * right / 4, -no * right / 4]
    assert gradient[:, 0].tolist() == pytest.approx(expected, rel=1e-6, abs=1e-9)
