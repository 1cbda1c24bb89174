"""What a model without features reaches, against scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from sklearn.dummy import DummyClassifier

from rosenblatt.data.features import DataSpec, class_counts
from rosenblatt.tasks.baseline import majority_baseline
from rosenblatt.tasks.losses import ClassificationLoss
from rosenblatt.tasks.metrics import MAX_RANKED


@pytest.mark.parametrize(("task", "num_classes"), [("binary", 2), ("multiclass", 4), ("multilabel", 3)])
@pytest.mark.parametrize("seed", range(3))
def test_the_majority_baseline_is_scikit_learns_prior(task, num_classes, seed):
    random = np.random.default_rng(seed)
    if task == "multilabel":
        shares = random.uniform(0.1, 0.9, num_classes)
        train, test = (random.random((num_rows, num_classes)) < shares for num_rows in (200, 90))
        train, test = train.astype(np.uint8), test.astype(np.uint8)
    else:
        shares = random.dirichlet(np.full(num_classes, 4.0))
        train, test = (random.choice(num_classes, num_rows, p=shares) for num_rows in (200, 90))
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((200, 1)), train)
    preds, probs = dummy.predict(np.zeros((90, 1))), dummy.predict_proba(np.zeros((90, 1)))

    counts = tuple(class_counts(torch.from_numpy(train), num_classes).tolist())
    spec = DataSpec(3, False, task, tuple("abcd"[:num_classes]), counts, 200)
    baseline = majority_baseline(spec, torch.from_numpy(test), ClassificationLoss(spec))
    average = "binary" if task == "binary" else "macro"
    assert baseline["acc"] == pytest.approx(sk.accuracy_score(test, preds), abs=1e-6)
    assert baseline["f1"] == pytest.approx(sk.f1_score(test, preds, average=average, zero_division=0), abs=1e-6)
    assert baseline["auroc"] == pytest.approx(0.5, abs=1e-6)
    if task == "multilabel":
        loss = np.mean([sk.log_loss(test[:, i], probs[i], labels=[0, 1]) for i in range(num_classes)])
    else:
        loss = sk.log_loss(test, probs, labels=range(num_classes))
    assert baseline["loss"] == pytest.approx(loss, abs=1e-6)


def test_the_majority_baseline_stays_finite_for_a_class_that_training_never_had():
    spec = DataSpec(1, False, "multiclass", ("a", "b", "c"), (4, 6, 0), 10)
    baseline = majority_baseline(spec, torch.tensor([0, 1, 2]), ClassificationLoss(spec))
    assert baseline["loss"] == pytest.approx(-(math.log(0.4) + math.log(0.6) + math.log(1e-7)) / 3, rel=1e-4)
    assert baseline["acc"] == pytest.approx(1 / 3)


def test_with_hundreds_of_classes_rows_are_not_ranked():
    names = tuple(f"c{i}" for i in range(MAX_RANKED + 1))
    spec = DataSpec(1, False, "multiclass", names, (2,) * len(names), 2 * len(names))
    baseline = majority_baseline(spec, torch.tensor([0, 1, 2]), ClassificationLoss(spec))
    assert baseline["acc"] == pytest.approx(1 / 3)
    assert not {"auroc", "ap"} & baseline.keys()
