"""What a model without features reaches, against scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from sklearn.dummy import DummyClassifier, DummyRegressor

from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.epoch import Measured, in_proportion
from rosenblatt.tasks.inference import task_named
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.tasks.regression import Regression
from rosenblatt.tasks.task import MAX_RANKED


def baseline_of(task, target):
    """Of a split whose outputs were too many to keep."""
    found = in_proportion(task, Measured({}, {}, torch.zeros(0, task.num_outputs), target), task.loss(), ranking=True)
    return {name.removeprefix("baseline_"): value for name, value in found.items()}


@pytest.mark.parametrize(("kind", "num_classes"), [("binary", 2), ("multiclass", 4), ("multilabel", 3)])
@pytest.mark.parametrize("seed", range(3))
def test_the_majority_baseline_is_scikit_learns_prior(kind, num_classes, seed):
    random = np.random.default_rng(seed)
    if kind == "multilabel":
        shares = random.uniform(0.1, 0.9, num_classes)
        train, test = (random.random((num_rows, num_classes)) < shares for num_rows in (200, 90))
        train, test = train.astype(np.uint8), test.astype(np.uint8)
    else:
        shares = random.dirichlet(np.full(num_classes, 4.0))
        train, test = (random.choice(num_classes, num_rows, p=shares) for num_rows in (200, 90))
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((200, 1)), train)
    preds, probs = dummy.predict(np.zeros((90, 1))), dummy.predict_proba(np.zeros((90, 1)))

    task = task_named(kind, tuple("abcd"[:num_classes])).counted(torch.from_numpy(train))
    baseline = baseline_of(task, torch.from_numpy(test))
    average = "binary" if kind == "binary" else "macro"
    assert baseline["acc"] == pytest.approx(sk.accuracy_score(test, preds), abs=1e-6)
    assert baseline["f1"] == pytest.approx(sk.f1_score(test, preds, average=average, zero_division=0), abs=1e-6)
    assert baseline["auroc"] == pytest.approx(0.5, abs=1e-6)
    if kind == "multilabel":
        loss = np.mean([sk.log_loss(test[:, i], probs[i], labels=[0, 1]) for i in range(num_classes)])
    else:
        loss = sk.log_loss(test, probs, labels=range(num_classes))
    assert baseline["loss"] == pytest.approx(loss, abs=1e-6)


def test_the_majority_baseline_stays_finite_for_a_class_that_training_never_had():
    task = Multiclass(("a", "b", "c"), num_rows=10, class_counts=(4, 6, 0))
    baseline = baseline_of(task, torch.tensor([0, 1, 2]))
    assert baseline["loss"] == pytest.approx(-(math.log(0.4) + math.log(0.6) + math.log(1e-7)) / 3, rel=1e-4)
    assert baseline["acc"] == pytest.approx(1 / 3)


def test_the_majority_baseline_stays_finite_for_a_class_that_every_training_row_has():
    task = Binary(("no", "yes"), num_rows=10, class_counts=(0, 10))
    assert baseline_of(task, torch.tensor([1, 0]))["loss"] == pytest.approx(-math.log(1e-7) / 2, rel=0.02)


def test_with_hundreds_of_classes_rows_are_not_ranked():
    names = tuple(f"c{i}" for i in range(MAX_RANKED + 1))
    task = Multiclass(names, num_rows=2 * len(names), class_counts=(2,) * len(names))
    baseline = baseline_of(task, torch.tensor([0, 1, 2]))
    assert baseline["acc"] == pytest.approx(1 / 3)
    assert not {"auroc", "ap"} & baseline.keys()


@pytest.mark.parametrize("mean", [0.0, 3e5, 1e9])
def test_the_baseline_of_numbers_is_scikit_learns_mean(mean):
    train, test = (np.random.default_rng(seed).normal(mean, 7.0, 200) for seed in (0, 1))
    preds = DummyRegressor().fit(np.zeros((200, 1)), train).predict(np.zeros((200, 1)))
    baseline = baseline_of(Regression().counted(torch.from_numpy(train)), torch.from_numpy(test))
    assert baseline["rmse"] == pytest.approx(sk.root_mean_squared_error(test, preds), rel=1e-6)
    assert baseline["mae"] == pytest.approx(sk.mean_absolute_error(test, preds), rel=1e-6)
    assert baseline["r2"] == pytest.approx(sk.r2_score(test, preds), abs=1e-6)
