"""Temperature and calibration error, against SciPy and torchmetrics."""

from __future__ import annotations

import math
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from torch.nn import functional as F
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from metric_reference import TASKS, split
from rosenblatt.tasks import calibration
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.calibration import calibration_error, fit_temperature, reliability
from rosenblatt.tasks.inference import task_named
from rosenblatt.tasks.threshold import Decision

TASK = st.sampled_from(TASKS)


def likelihood(logits, target, kind):
    """The mean negative log likelihood as a function of the temperature."""
    logits = logits.double()
    if kind == "multiclass":
        return lambda t: float(F.cross_entropy(logits / t, target))
    truth = target.double().view(logits.shape)
    return lambda t: float(F.binary_cross_entropy_with_logits(logits / t, truth))


@settings(max_examples=100, deadline=None)
@given(
    kind=TASK, seed=st.integers(0, 2**31), num_rows=st.integers(1, 40), sure=st.sampled_from([0.01, 0.3, 3.0, 100.0])
)
def test_no_temperature_is_more_likely(kind, seed, num_rows, sure):
    _, logits, target = split(kind, seed, num_rows)
    logits = logits * sure
    temperature, loss = fit_temperature(logits, target), likelihood(logits, target, kind)
    best = optimize.minimize_scalar(lambda b: loss(1 / b), bounds=(1 / 20, 1 / 0.05), options={"xatol": 1e-10})
    assert 0.05 <= temperature <= 20
    assert loss(temperature) <= best.fun + 1e-9 * max(1, abs(best.fun))


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("true_temperature", [0.2, 1.0, 2.5, 8.0])
def test_the_temperature_that_labels_were_drawn_at_is_found(kind, true_temperature):
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(20_000, 1 if kind == "binary" else 4, generator=generator) * 4
    task = task_named(kind, tuple("abcd") if logits.shape[1] > 1 else ("a", "b"))
    probs = task.scores(logits / true_temperature).view(logits.shape)
    if kind == "multiclass":
        target = probs.multinomial(1, generator=generator).flatten()
    else:
        target = (torch.rand(probs.shape, generator=generator) < probs).to(torch.uint8)
        target = target.flatten().long() if kind == "binary" else target
    temperature, loss = fit_temperature(logits, target), likelihood(logits, target, kind)
    assert temperature == pytest.approx(true_temperature, rel=0.05)
    best = optimize.minimize_scalar(lambda b: loss(1 / b), bounds=(1 / 20, 1 / 0.05), options={"xatol": 1e-12})
    assert temperature == pytest.approx(1 / best.x, rel=1e-6)


@pytest.mark.parametrize("size", [1e-3, 1.0, 50.0, 1000.0])
def test_rows_that_are_all_right_end_at_the_coolest_and_all_wrong_at_the_warmest(size):
    target = torch.tensor([0, 1, 1])
    right = size * torch.tensor([[-1.0], [1.0], [2.0]])
    assert fit_temperature(right, target) == 0.05
    assert fit_temperature(-right, target) == 20
    classes, labels = torch.cat([-right, right], dim=1), torch.stack([1 - target, target], dim=1).to(torch.uint8)
    assert fit_temperature(classes, labels) == 0.05
    assert fit_temperature(-classes, labels) == 20
    assert fit_temperature(classes, target) == 0.05
    assert fit_temperature(-classes, target) == 20


@pytest.mark.parametrize("kind", TASKS)
def test_logits_that_say_nothing_stay_as_they_are(kind):
    _, logits, target = split(kind, 4, num_rows=10)
    assert fit_temperature(torch.zeros_like(logits), target) == 1.0


@pytest.mark.parametrize("kind", TASKS)
def test_a_few_rows_far_off_among_many_that_are_right_are_borne(kind):
    # The likelihood is all but flat on one side of its minimum and all but a wall on the other.
    _, logits, target = split(kind, 6, num_rows=1000)
    truth = target.view(logits.shape) if kind != "multiclass" else F.one_hot(target, 4)
    logits = 100 * (2.0 * truth - 1) + logits
    logits[0] *= -1e-3
    temperature, loss = fit_temperature(logits, target), likelihood(logits, target, kind)
    grid = np.geomspace(0.05, 20, 2000)
    assert loss(temperature) <= min(loss(t) for t in grid) + 1e-12


def promises(probs, target, kind):
    """Pairs of a probability and whether it came true, as two flat arrays."""
    if kind == "multiclass":
        return probs.max(dim=1).values.numpy(), (probs.argmax(dim=1) == target).numpy().astype(float)
    return probs.flatten().numpy(), target.flatten().numpy().astype(float)


def edge_cases(logits, seed):
    return logits.clamp(-1, 1) * 200 if seed % 5 == 0 else logits  # of probability 0 and 1


@settings(max_examples=100, deadline=None)
@given(kind=TASK, seed=st.integers(0, 2**31), num_rows=st.integers(1, 40), num_bins=st.sampled_from([1, 4, 10, 15]))
def test_bins_are_scipys(kind, seed, num_rows, num_bins):
    task, logits, target = split(kind, seed, num_rows)
    probs = task.scores(edge_cases(logits, seed))
    numbers, came_true = promises(probs, target, kind)
    settings = {"bins": num_bins, "range": (0, 1)}
    with mock.patch.object(calibration, "NUM_BINS", num_bins):
        (mean_prob, share, num_rows), error = reliability(probs, target), calibration_error(probs, target)
    counts = stats.binned_statistic(numbers, None, "count", **settings).statistic
    assert num_rows.tolist() == counts.tolist()
    for found, values in ((mean_prob, numbers), (share, came_true)):
        sums = stats.binned_statistic(numbers, values, "sum", **settings).statistic
        means = np.divide(sums, counts, out=np.full(num_bins, math.nan), where=counts > 0)
        assert found.numpy() == pytest.approx(means, abs=1e-6, nan_ok=True)
    gaps = abs(mean_prob.nan_to_num() - share.nan_to_num()).numpy()
    assert error == pytest.approx(float((gaps * counts).sum() / counts.sum()), abs=1e-6)


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("seed", range(4))
def test_the_error_is_that_of_torchmetrics(kind, seed):
    task, logits, target = split(kind, seed, num_rows=500)
    probs = task.scores(logits)
    if kind == "multiclass":
        expected = multiclass_calibration_error(probs, target, num_classes=4, n_bins=15)
    else:
        expected = binary_calibration_error(probs.flatten(), target.flatten(), n_bins=15)
    assert calibration_error(probs, target) == pytest.approx(float(expected), abs=1e-6)


def test_the_error_of_a_coin_that_is_called_for_sure_is_one_half():
    assert calibration_error(torch.ones(4), torch.tensor([0, 1, 0, 1])) == pytest.approx(0.5)
    assert calibration_error(torch.full((4,), 0.5), torch.tensor([0, 1, 0, 1])) == 0.0


@pytest.mark.parametrize(("num_rows", "asked", "fitted"), [(30, True, True), (29, True, False), (30, False, False)])
def test_a_temperature_is_fitted_where_it_is_asked_for_and_rows_are_enough(num_rows, asked, fitted):
    torch.manual_seed(0)
    logits, target = 5 * torch.randn(num_rows, 1), torch.randint(2, (num_rows,))
    found = Binary(("no", "yes")).tuned(logits, target, Decision(temperature=asked))
    assert found.temperature == (fit_temperature(logits, target) if fitted else 1)
    assert not fitted or found.temperature > 2  # of logits that say nothing
