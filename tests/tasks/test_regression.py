"""Numbers as a task: metrics and their intervals against scikit-learn and SciPy, losses against plain torch."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk
from torch import nn

from metric_reference import measured
from rosenblatt.errors import UserError
from rosenblatt.tasks.epoch import EpochMetrics, Measured, in_proportion
from rosenblatt.tasks.inference import task_from
from rosenblatt.tasks.intervals import num_replicates
from rosenblatt.tasks.regression import Regression
from rosenblatt.tasks.threshold import Decision

MEANS = [0.0, -3e5, 1e9]


def numbers(mean, num_rows, seed=0, spread=7.0):
    """A task, outputs in standard deviations that are right to a third, and the target."""
    random = np.random.default_rng(seed)
    target = torch.from_numpy(random.normal(mean, spread, num_rows))
    task = Regression().counted(torch.from_numpy(random.normal(mean, spread, 1000)))
    errors = torch.from_numpy(random.normal(0, 1 / 3, num_rows))
    return task, (((target - task.mean) / task.scale) + errors).float().unsqueeze(1), target


def by_scikit_learn(preds, target, weights=None):
    return {
        "rmse": sk.root_mean_squared_error(target, preds, sample_weight=weights),
        "mae": sk.mean_absolute_error(target, preds, sample_weight=weights),
        "r2": sk.r2_score(target, preds, sample_weight=weights),
    }


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("spread", [0.01, 7.0, 1e5])
@pytest.mark.parametrize("sizes", [[301], [32], [1, 7]], ids=str)
def test_metrics_are_scikit_learns_whatever_the_batches(mean, spread, sizes):
    task, outputs, target = numbers(mean, 301, spread=spread)
    # In float64 a number around 1e9 is known to 1e-7, so that an error of 0.003 is to some 1e-5 at most.
    rel = 1e-6 if mean < 1e6 or spread > 1 else 1e-4
    values = measured(task, outputs, target, sizes).values
    expected = by_scikit_learn((outputs.double() * task.std + task.mean).flatten().numpy(), target.numpy())
    assert {name: values[name] for name in expected} == pytest.approx(expected, rel=rel)
    assert values["loss"] == pytest.approx((values["rmse"] / task.std) ** 2, rel=max(rel, 1e-5))
    assert list(values) == EpochMetrics(task).names == ["loss", "mae", "r2", "rmse"]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), num_rows=st.integers(2, 30), mean=st.sampled_from(MEANS), spread=st.floats(0.1, 1e6))
def test_metrics_of_few_rows_are_scikit_learns_too(seed, num_rows, mean, spread):
    task, outputs, target = numbers(mean, num_rows, seed, spread)
    values = measured(task, outputs, target, [4]).values
    expected = by_scikit_learn(task.scores(outputs).numpy(), target.numpy())
    assert {name: values[name] for name in expected} == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_which_way_is_better_is_said_by_the_metrics():
    better = EpochMetrics(Regression()).higher_is_better()
    assert better == {"loss": False, "mae": False, "r2": True, "rmse": False, "score": True}


def test_of_one_row_or_of_equal_targets_no_variance_is_explained():
    task = Regression()
    assert measured(task, torch.tensor([[3.0]]), torch.tensor([1.0]), [1]).values == pytest.approx(
        {"loss": 4.0, "mae": 2.0, "rmse": 2.0, "r2": math.nan}, nan_ok=True
    )
    target = torch.full((20,), 1e9, dtype=torch.float64)
    values = measured(Regression(mean=1e9 + 0.1), torch.linspace(0, 1, 20).unsqueeze(1), target, [3]).values
    assert math.isnan(values["r2"])


@pytest.mark.parametrize("outputs", [(7, 1), (7,)], ids=str)
@pytest.mark.parametrize("target", [(7, 1), (7,)], ids=str)
def test_a_column_and_a_row_of_numbers_are_the_same(outputs, target):
    generator = torch.Generator().manual_seed(0)
    made, true = torch.randn(7, generator=generator), 100 + 5 * torch.randn(7, generator=generator)
    task = Regression(mean=100.0, std=5.0)
    loss, metrics = task.loss(), EpochMetrics(task)
    task.check(made.view(outputs), true.view(target))
    metrics.update(made.view(outputs), true.view(target), loss(made.view(outputs), true.view(target)))
    values = metrics.compute().values
    assert values["loss"] == pytest.approx(float(((true - 100) / 5 - made).square().mean()), rel=1e-5)
    assert values["mae"] == pytest.approx(float((5 * made + 100 - true).abs().mean()), rel=1e-6)
    found = Measured(values, {}, made.view(outputs), true.view(target))
    figures = in_proportion(task.tuned(found.outputs, found.target, Decision()), found, loss, ranking=True)
    assert figures["rmse_low"] < values["rmse"] < figures["rmse_high"]
    assert figures["baseline_loss"] == pytest.approx(float(((true - 100) / 5).square().mean()), rel=1e-5)


LOSSES = {"mse": nn.MSELoss(), "mae": nn.L1Loss(), "huber": nn.HuberLoss(delta=0.5)}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("mean", MEANS)
def test_any_loss_sees_numbers_in_standard_deviations(name, mean):
    task, outputs, target = numbers(mean, 40)
    ours, theirs = (outputs.clone().requires_grad_() for _ in range(2))
    loss = task.seen_by(LOSSES[name])(ours, target)
    expected = LOSSES[name](theirs[:, 0], ((target - task.mean) / task.std).float())
    loss.backward()
    expected.backward()
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_the_loss_by_default_is_the_mean_squared_error():
    task, outputs, target = numbers(1e9, 40)
    assert torch.equal(task.loss()(outputs, target), task.seen_by(nn.MSELoss())(outputs, target))
    task.loss(class_weights=None, label_smoothing=0.0)  # as they stand in a config that nobody has touched
    with pytest.raises(UserError, match=r"loss\.class_weights: numbers have no classes"):
        task.loss(class_weights="balanced")


def test_a_target_that_is_always_the_same_is_scaled_by_one():
    task = Regression().counted(torch.full((9,), 4.0))
    assert (task.mean, task.std, task.scale) == (4.0, 0.0, 1.0)
    assert task.scores(torch.tensor([[0.5]])).tolist() == [4.5]
    assert float(task.loss()(torch.zeros(2, 1), torch.tensor([4.0, 6.0]))) == 2.0


def test_scale_is_that_of_numpy_also_of_small_numbers_far_from_zero():
    target = np.random.default_rng(3).normal(1e9, 7.0, 5000)
    task = Regression().counted(torch.from_numpy(target))
    assert (task.num_rows, task.mean) == (5000, pytest.approx(target.mean(), rel=1e-15))
    assert task.std == pytest.approx(target.std(), rel=1e-9)
    assert Regression().counted(torch.tensor([[1], [3]])) == Regression(num_rows=2, mean=2.0, std=1.0)
    assert task.described == f"regression, mean 1e+09, standard deviation {target.std():.5g}"


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("num_rows", [40, 3000])
def test_intervals_are_scipys_bootstrap(mean, num_rows):
    task, outputs, target = numbers(mean, num_rows)
    preds, true = task.scores(outputs).numpy() - mean, target.numpy() - mean  # differences alone count
    found = task.intervals(task.scores(outputs), target, ranking=True)
    metrics = {
        "rmse": lambda p, t, axis: np.sqrt(((p - t) ** 2).mean(axis=axis)),
        "mae": lambda p, t, axis: abs(p - t).mean(axis=axis),
        "r2": lambda p, t, axis: 1 - ((p - t) ** 2).sum(axis=axis) / (t.var(axis=axis) * t.shape[axis]),
    }
    assert found.keys() == metrics.keys()
    for name, metric in metrics.items():
        expected = stats.bootstrap(
            (preds, true), metric, paired=True, vectorized=True, method="percentile",
            n_resamples=num_replicates(num_rows), random_state=np.random.default_rng(0),
        ).confidence_interval  # fmt: skip
        assert found[name] == pytest.approx((expected.low, expected.high), rel=1e-6), name


def test_replicates_that_draw_one_row_alone_explain_nothing_and_are_left_out():
    target = torch.tensor([0.1, 0.3, 0.7], dtype=torch.float64)
    found = Regression().intervals(target + torch.tensor([0.01, -0.02, 0.01]), target, ranking=True)
    assert -1 < found["r2"][0] <= found["r2"][1] <= 1
    assert Regression().intervals(target[:1], target[:1], ranking=True) == {}
    assert "r2" not in Regression().intervals(target, torch.full((3,), 0.1), ranking=True)


NO_NUMBERS = {
    "two outputs": (torch.zeros(4, 2), torch.zeros(4)),
    "another number of rows": (torch.zeros(4, 1), torch.zeros(5)),
    "a target of two columns": (torch.zeros(4, 1), torch.zeros(4, 2)),
    "one number for all": (torch.tensor(1.0), torch.zeros(1)),
    "a tuple": ((torch.zeros(4, 1),), torch.zeros(4)),
    "names": (torch.zeros(4, 1), ["a"] * 4),
}


@pytest.mark.parametrize("case", NO_NUMBERS)
def test_outputs_and_targets_that_are_no_numbers_are_told(case):
    with pytest.raises(UserError, match=r"model: expected outputs \(N, 1\) for numbers; got outputs .* task=\.\.\."):
        Regression().check(*NO_NUMBERS[case])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("shape", [(4,), (4, 1)], ids=str)
def test_a_target_that_is_not_finite_is_told_with_its_row(value, shape):
    target = torch.tensor([1.0, 2.0, value, 4.0]).view(shape)
    with pytest.raises(UserError, match=rf"data: expected numbers to predict; row 3 of a batch has {value}"):
        Regression().check(torch.zeros(4, 1), target)
    Regression().check(torch.zeros(4, 1), torch.arange(4))  # whole numbers are some


def test_predictions_have_an_interval_once_there_is_a_radius():
    scores = torch.tensor([1.0, math.nan, -2.5], dtype=torch.float64)
    assert Regression().predictions(scores).to_dict(as_series=False) == {"prediction": [1.0, None, -2.5]}
    assert Regression(radius=math.inf).predictions(scores).columns == ["prediction"]
    assert Regression(radius=0.5).predictions(scores).to_dict(as_series=False) == {
        "prediction": [1.0, None, -2.5], "low": [0.5, None, -3.0], "high": [1.5, None, -2.0],
    }  # fmt: skip
    assert Regression().score_columns(scores) is None


def test_the_rows_that_are_farthest_off_come_first():
    task, scores, target = Regression(), torch.tensor([1.0, 5.0, -3.0, 2.0]), torch.tensor([[1.5], [1.0], [3.0], [2.0]])
    assert task.mistakes(scores, target, 3) == [2, 1, 0]
    assert task.labels_of(target) == [1.5, 1.0, 3.0, 2.0]
    assert torch.equal(task.decide(scores), scores)


def test_facts_make_the_same_task_again_to_the_bit():
    task = Regression(radius=1 / 3, num_validation=12).counted(torch.tensor([0.1, 0.7, 1e9], dtype=torch.float64))
    assert task_from("regression", json.loads(json.dumps(task.facts()))) == task
    with pytest.raises(ValueError, match=r"expected .*'radius'"):
        task_from("regression", {"mean": 1.0})
    with pytest.raises(ValueError, match="'ranking' is no task"):
        task_from("ranking", {})


@pytest.mark.parametrize("decision", [Decision(goal="f1"), Decision(temperature=True)], ids=str)
def test_decisions_between_classes_are_refused(decision):
    with pytest.raises(UserError, match="threshold, calibration: numbers have no classes"):
        Regression().tuned(torch.zeros(9, 1), torch.zeros(9), decision)
