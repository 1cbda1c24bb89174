from __future__ import annotations

import numpy as np
import pytest
import torch

from rosenblatt.errors import UserError
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.tasks.multilabel import Multilabel
from rosenblatt.tasks.regression import Regression

RNG = np.random.default_rng(0)
NUM = 30
TASKS = {
    "binary": (Binary(("a", "b")), RNG.integers(0, 2, NUM)),
    "multiclass": (Multiclass(("a", "b", "c")), RNG.integers(0, 3, NUM)),
    "multilabel": (Multilabel(("a", "b", "c")), RNG.integers(0, 2, (NUM, 3))),
}
every_task = pytest.mark.parametrize("name", TASKS)


def signs(target: np.ndarray, num_outputs: int) -> np.ndarray:
    if target.ndim == 1:
        target = target[:, None] if num_outputs == 1 else target[:, None] == np.arange(num_outputs)
    return 2.0 * target - 1


@every_task
@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 3.0]], ids=["all the same", "weighted"])
def test_it_is_that_of_a_linear_svm_with_its_margin(name, weights):
    task, target = TASKS[name]
    logits = RNG.normal(0, 3, (NUM, task.num_outputs))
    given = None if weights is None else weights[: len(task.classes)]
    loss = task.loss(margin=2.0, class_weights=given).double()
    each = np.maximum(0, 2 - signs(target, task.num_outputs) * logits) ** 2 / (2 * 2)
    if given is not None and target.ndim == 1:
        each *= np.array(given)[target][:, None]
    elif given is not None:
        each *= np.where(target == 1, given, 1.0)
    found = loss(torch.from_numpy(logits), torch.from_numpy(target))
    assert float(found) == pytest.approx(each.sum(axis=1).mean(), rel=1e-9)


@every_task
def test_no_outputs_without_features_have_a_lower_one(name):
    task, target = TASKS[name]
    target = torch.from_numpy(target)
    task = task.counted(target)
    start = torch.tensor(task.best_without_features(3.0), requires_grad=True)
    task.loss(margin=3.0)(start.expand(NUM, -1), target).backward()
    torch.testing.assert_close(start.grad, torch.zeros_like(start), atol=1e-5, rtol=0)


@pytest.mark.parametrize("settings", [{"margin": 0.0}, {"margin": 1.0, "label_smoothing": 0.1}])
def test_a_margin_is_above_0_and_has_no_smoothed_labels_beside_it(settings):
    with pytest.raises(UserError, match=r"loss.margin: expected a number above 0"):
        TASKS["binary"][0].loss(**settings)


def test_numbers_keep_their_own_loss():
    loss = Regression().counted(torch.tensor([1.0, 2.0, 3.0])).loss(margin=4.0, class_weights=None, label_smoothing=0.0)
    assert float(loss(torch.zeros(1, 1), torch.tensor([2.0]))) == 0
