"""Prediction intervals: the radius against NumPy's quantile, and how sure it is against SciPy and simulation."""

from __future__ import annotations

import math
from fractions import Fraction
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from rosenblatt.tasks import regression
from rosenblatt.tasks.regression import FEW, Regression, radius_of, rank_of, share_inside
from rosenblatt.tasks.threshold import Decision


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**31), num_rows=st.integers(9, 300), level=st.sampled_from([0.5, 0.8, 0.9]))
@example(seed=0, num_rows=9, level=0.9)
@example(seed=0, num_rows=19, level=0.9)
def test_the_radius_is_numpys_quantile(seed, num_rows, level):
    residuals = np.random.default_rng(seed).normal(size=num_rows)
    rank = math.ceil((num_rows + 1) * Fraction(str(level)))
    # Between two residuals, so that roundoff of the share does not matter; "higher" takes the upper one.
    share = (rank - 1 - 0.5) / (num_rows - 1)
    expected = np.quantile(abs(residuals), share, method="higher")
    with mock.patch.object(regression, "LEVEL", level):
        assert radius_of(torch.from_numpy(residuals)) == expected
    inside = np.mean(abs(residuals) <= expected)
    assert level <= inside < level + 2 / num_rows


@pytest.mark.parametrize("num_rows", [0, 1, 8])
def test_too_few_rows_say_nothing(num_rows):
    assert radius_of(torch.ones(num_rows)) == math.inf
    assert share_inside(num_rows) == (1.0, 1.0)


def test_nine_rows_say_that_nothing_is_farther_off_than_the_farthest():
    assert radius_of(torch.arange(-9.0, 0.0)) == 9.0


def test_the_rank_is_exact_for_any_number_of_rows():
    wrong = [num for num in range(100_000) if rank_of(num) != -(-9 * (num + 1) // 10)]
    assert wrong == []


@pytest.mark.parametrize("num_rows", [9, 10, 19, 57, 100, 399, 2000, 10_000, 60_000])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_how_sure_it_is_follows_scipys_beta(num_rows, level, monkeypatch):
    monkeypatch.setattr(regression, "LEVEL", level)
    rank = math.ceil((num_rows + 1) * Fraction(str(level)))
    expected = stats.beta.ppf([0.025, 0.975], rank, num_rows + 1 - rank)
    assert share_inside(num_rows) == pytest.approx(tuple(expected), abs=1e-6)


@pytest.mark.parametrize("num_rows", [9, 30, 200])
def test_new_numbers_are_inside_as_often_as_is_said(num_rows):
    random = np.random.default_rng(num_rows)
    # Residuals of a skew distribution, 2,000 times; the share of all new ones is known exactly.
    radii = [radius_of(torch.from_numpy(random.exponential(size=num_rows))) for _ in range(2000)]
    shares = stats.expon.cdf(radii)
    rank = rank_of(num_rows)
    mean = rank / (num_rows + 1)  # at least 0.9, by the theory
    assert mean >= 0.9
    assert np.mean(shares) == pytest.approx(mean, abs=4 * np.std(shares) / math.sqrt(2000))
    low, high = share_inside(num_rows)
    assert np.mean((low <= shares) & (shares <= high)) == pytest.approx(0.95, abs=0.02)


def tuned(num_rows, seed=0):
    random = np.random.default_rng(seed)
    target = torch.from_numpy(random.normal(5e5, 1e4, num_rows))
    task = Regression().counted(torch.from_numpy(random.normal(5e5, 1e4, 2000)))
    outputs = (((target - task.mean) / task.std) + torch.from_numpy(random.normal(0, 0.1, num_rows))).float()
    return task.tuned(outputs.unsqueeze(1), target, Decision()), outputs, target


@pytest.mark.parametrize("num_rows", [9, 150, 2000])
def test_the_radius_of_a_task_is_in_units_of_the_target(num_rows):
    task, outputs, target = tuned(num_rows)
    residuals = np.sort(abs(outputs.double().numpy() * task.std + task.mean - target.numpy()))
    assert task.radius == residuals[rank_of(num_rows) - 1]
    assert task.num_validation == num_rows
    assert task.more_figures(outputs, target) == {"inside": rank_of(num_rows) / num_rows}
    assert task.decision_figures() == {"radius": task.radius}
    assert tuned(num_rows)[0] == task


def test_the_share_inside_is_noted_and_of_few_rows_how_sure_it_is():
    many = tuned(FEW)[0]
    assert many.notes({"test/inside": 0.8957}, "test", Decision()) == [
        ("intervals", f"90% within ± {many.radius:.5g}; of test 89.6% are")
    ]
    few = tuned(60)[0]
    low, high = stats.beta.ppf([0.025, 0.975], 55, 6)
    assert few.notes({}, "test", Decision()) == [
        (
            "intervals",
            f"90% within ± {few.radius:.5g} (60 validation rows: it may be {low:.0%} to {high:.0%} of new ones)",
        )
    ]


@pytest.mark.parametrize("num_rows", [0, 1, 8])
def test_of_too_few_validation_rows_there_are_no_intervals_and_a_note_says_so(num_rows):
    task = tuned(num_rows)[0]
    assert task.radius == math.inf
    told = f"none: {num_rows} validation rows are too few for 90%"
    assert task.notes({}, "test", Decision()) == [("intervals", told)]
    assert task.predictions(task.scores(torch.zeros(2, 1))).columns == ["prediction"]


def test_without_validation_nothing_is_noted():
    assert Regression().notes({}, "test", Decision()) == []
    assert Regression().more_figures(torch.zeros(2, 1), torch.zeros(2)) == {}
