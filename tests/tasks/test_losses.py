from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn
from torch.nn import functional as F

from rosenblatt.errors import UserError
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.classification import Classification
from rosenblatt.tasks.inference import TASKS, task_named
from rosenblatt.tasks.multilabel import Multilabel

NUM_ROWS = 57


def case(kind: str, num_classes: int = 4, seed: int = 0) -> tuple[Classification, Tensor, Tensor]:
    """Logits and an unbalanced target, which is also what the task has counted."""
    generator = torch.Generator().manual_seed(seed)
    num_classes = 2 if kind == "binary" else num_classes
    shares = torch.arange(1, num_classes + 1) / (num_classes + 1)
    if kind == "multilabel":
        target = (torch.rand(NUM_ROWS, num_classes, generator=generator) < shares).to(torch.uint8)
    else:
        target = torch.multinomial(shares, NUM_ROWS, replacement=True, generator=generator)
    task = task_named(kind, tuple("abcdefgh"[:num_classes])).counted(target)
    assert min(task.class_counts) > 0
    assert len(set(task.class_counts)) > 1
    return task, torch.randn(NUM_ROWS, task.num_outputs, generator=generator) * 2, target


def binary_cross_entropy(logits: Tensor, target: Tensor, positive: Tensor | float = 1.0) -> Tensor:
    """By the formula, in float64; `positive` weighs the term of what is there."""
    probs = logits.double().sigmoid()
    return -(positive * target * probs.log() + (1 - target) * (1 - probs).log())


def test_the_binary_loss_is_torchs():
    task, logits, target = case("binary")
    expected = nn.BCEWithLogitsLoss()(logits[:, 0], target.float())
    torch.testing.assert_close(task.loss()(logits, target), expected)
    torch.testing.assert_close(
        expected.double(), binary_cross_entropy(logits[:, 0], target.double()).mean(), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_the_gradient_of_weighted_and_smoothed_rows_is_that_of_the_formula(kind):
    task, logits, target = case(kind)
    logits, weights, smoothing = logits.double().requires_grad_(), torch.tensor([0.5, 3.0, 1.0, 0.0]).double(), 0.2
    if kind == "multiclass":
        smooth = F.one_hot(target, 4) * (1 - smoothing) + smoothing / 4
        # The derivative of each row's cross-entropy is softmax minus target.
        expected = (logits.softmax(dim=1) - smooth) * weights[target][:, None] / NUM_ROWS
    else:
        smooth = target * (1 - smoothing) + smoothing / 2
        probs = logits.sigmoid()
        expected = ((1 - smooth) * probs - weights * smooth * (1 - probs)) / (NUM_ROWS * 4)
    loss = task.loss(class_weights=weights.tolist(), label_smoothing=smoothing).double()(logits, target)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], expected.detach(), rtol=1e-6, atol=1e-9)


def test_the_multiclass_loss_is_torchs():
    task, logits, target = case("multiclass")
    torch.testing.assert_close(task.loss()(logits, target), nn.CrossEntropyLoss()(logits, target))


def test_the_multilabel_loss_is_the_mean_over_rows_and_labels():
    task, logits, target = case("multilabel")
    expected = binary_cross_entropy(logits, target.double()).sum() / (NUM_ROWS * 4)
    torch.testing.assert_close(task.loss()(logits, target).double(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_large_logits_give_a_finite_loss_and_gradient(kind):
    task, logits, target = case(kind)
    logits = (logits * 1000).requires_grad_()
    loss = task.loss(class_weights="balanced", label_smoothing=0.1)(logits, target)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_balanced_weights_are_those_of_scikit_learn(kind):
    task, logits, target = case(kind)
    weights = compute_class_weight("balanced", classes=np.arange(len(task.classes)), y=target.numpy())
    loss = task.loss(class_weights="balanced")
    assert loss.class_weights.tolist() == pytest.approx(weights.tolist(), rel=1e-6)
    as_list = task.loss(class_weights=weights.tolist())
    torch.testing.assert_close(loss(logits, target), as_list(logits, target))


def test_balanced_labels_count_absent_over_present():
    task, logits, target = case("multilabel")
    present = target.double().sum(dim=0)
    expected = binary_cross_entropy(logits, target.double(), (NUM_ROWS - present) / present).mean()
    loss = task.loss(class_weights="balanced")(logits, target)
    torch.testing.assert_close(loss.double(), expected, atol=1e-5, rtol=0)


def test_a_class_without_training_rows_gets_a_finite_weight():
    for kind in ("multiclass", "multilabel"):
        task = TASKS[kind](("a", "b", "c"), num_rows=10, class_counts=(5, 5, 0))
        assert torch.isfinite(task.loss(class_weights="balanced").class_weights).all()


def test_a_label_of_every_row_keeps_a_weight():
    task = Multilabel(("always", "sometimes"), num_rows=4, class_counts=(4, 1))
    weights = task.loss(class_weights="balanced").class_weights
    assert weights is not None
    assert weights.tolist() == [0.25, 3.0]


@pytest.mark.parametrize("weights", [[1.0, -1.0], [float("nan"), 1.0], [float("inf"), 1.0]], ids=str)
def test_weights_below_zero_or_not_finite_are_refused(weights):
    task = Binary(("a", "b"), num_rows=4, class_counts=(2, 2))
    with pytest.raises(UserError, match="numbers of at least 0"):
        task.loss(class_weights=weights)


def test_binary_weights_multiply_the_loss_of_their_rows():
    task, logits, target = case("binary")
    rows = binary_cross_entropy(logits[:, 0], target.double())
    expected = (rows * torch.tensor([0.5, 3.0], dtype=torch.float64)[target]).mean()
    loss = task.loss(class_weights=[0.5, 3.0])(logits, target)
    torch.testing.assert_close(loss.double(), expected, atol=1e-6, rtol=0)


def test_multiclass_weights_multiply_the_loss_of_their_rows():
    task, logits, target = case("multiclass")
    weights = torch.tensor([0.5, 3.0, 1.0, 0.0])
    # torch divides by the weights of the rows, and this by their number.
    expected = nn.CrossEntropyLoss(weights, reduction="sum")(logits, target) / NUM_ROWS
    torch.testing.assert_close(task.loss(class_weights=weights.tolist())(logits, target), expected)


def test_multilabel_weights_multiply_the_present_labels():
    task, logits, target = case("multilabel")
    weights = torch.tensor([0.5, 3.0, 1.0, 0.0])
    expected = nn.BCEWithLogitsLoss(pos_weight=weights)(logits, target.float())
    torch.testing.assert_close(task.loss(class_weights=weights.tolist())(logits, target), expected)


def test_weights_of_one_change_nothing():
    for kind in ("binary", "multiclass", "multilabel"):
        task, logits, target = case(kind)
        weighted = task.loss(class_weights=[1.0] * len(task.classes), label_smoothing=0.1)(logits, target)
        torch.testing.assert_close(weighted, task.loss(label_smoothing=0.1)(logits, target))


@pytest.mark.parametrize("smoothing", [0.05, 0.5, 0.9])
def test_multiclass_smoothing_is_torchs(smoothing):
    task, logits, target = case("multiclass")
    expected = nn.CrossEntropyLoss(label_smoothing=smoothing)(logits, target)
    torch.testing.assert_close(task.loss(label_smoothing=smoothing)(logits, target), expected)


@pytest.mark.parametrize("smoothing", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["binary", "multilabel"])
def test_smoothing_moves_a_yes_or_no_towards_one_half(kind, smoothing):
    task, logits, target = case(kind)
    smooth = (1 - smoothing) * target.double() + smoothing * 0.5
    expected = binary_cross_entropy(logits[:, 0] if kind == "binary" else logits, smooth).mean()
    loss = task.loss(label_smoothing=smoothing)(logits, target)
    torch.testing.assert_close(loss.double(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_binary_smoothing_is_that_of_two_classes(smoothing):
    task, logits, target = case("binary")
    two = torch.cat([torch.zeros_like(logits), logits], dim=1)
    expected = nn.CrossEntropyLoss(label_smoothing=smoothing)(two, target)
    torch.testing.assert_close(task.loss(label_smoothing=smoothing)(logits, target), expected)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("weights", [None, "balanced", "list"])
@pytest.mark.parametrize("size", [1, 8, 56])
def test_the_mean_over_rows_does_not_depend_on_the_batches(kind, weights, size):
    task, logits, target = case(kind)
    if weights == "list":
        weights = [0.2, 5.0, 1.0, 2.0][: len(task.classes)]
    loss = task.loss(class_weights=weights, label_smoothing=0.1)
    batches = zip(logits.split(size), target.split(size), strict=True)
    mean = sum(loss(part, truth) * truth.shape[0] for part, truth in batches) / NUM_ROWS
    torch.testing.assert_close(mean, loss(logits, target))


def test_class_weights_follow_the_module_but_stay_out_of_checkpoints():
    task, logits, target = case("binary")
    loss = task.loss(class_weights="balanced").double()
    assert loss.class_weights.dtype == torch.float64
    assert loss(logits.double(), target).dtype == torch.float64
    assert not loss.state_dict()


@pytest.mark.parametrize("given", [[1.0], [1.0, 2.0, 3.0], []])
def test_a_wrong_number_of_weights_names_the_classes(given):
    task, _, _ = case("binary")
    with pytest.raises(UserError, match=rf"loss.class_weights: expected 2 numbers, .* a, b; got {len(given)}\."):
        task.loss(class_weights=given)


def test_an_unknown_word_gets_the_word_that_was_meant():
    task, _, _ = case("binary")
    with pytest.raises(UserError, match=r"loss.class_weights: .*'balanced'; got 'balance'\. Did you mean 'balanced'"):
        task.loss(class_weights="balance")


@pytest.mark.parametrize("smoothing", [1.0, 1.5, -0.1, float("nan")])
def test_smoothing_has_to_leave_something_of_the_target(smoothing):
    task, _, _ = case("binary")
    with pytest.raises(UserError, match=r"loss.label_smoothing: expected a number from 0 to below 1"):
        task.loss(label_smoothing=smoothing)
