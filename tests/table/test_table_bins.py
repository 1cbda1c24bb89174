import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import KBinsDiscretizer

from rosenblatt.data.columns import Columns
from rosenblatt.errors import UserError
from rosenblatt.table import encoder as columns
from rosenblatt.table import encoder as table
from rosenblatt.table.encoder import TableEncoder, edges_of
from saved_models import fit_and_encode

RNG = np.random.default_rng(0)


def encoded(train, test, **options):
    encoder = TableEncoder(**options)
    train = fit_and_encode(encoder, pl.DataFrame({"x": train}))
    return encoder, train, encoder.encode(pl.DataFrame({"x": test}), Columns(), "test")


def test_bins_of_distinct_values_are_those_of_scikit_learn():
    values = RNG.permutation(np.arange(3200.0))  # each once: bins by rows and by distinct values are the same
    encoder, train, _ = encoded(values, [1.0])
    edges = np.array(encoder.columns[0].edges)
    theirs = KBinsDiscretizer(32, encode="ordinal", strategy="quantile", quantile_method="linear")
    codes = theirs.fit_transform(values[:, None])[:, 0]
    assert len(edges) == 31
    assert (train[:, 2:].argmax(dim=1).numpy() == codes).mean() > 0.98  # values at an edge fall on either side
    assert torch.equal(train[:, 2:].sum(dim=1), torch.full((3200,), table.SCALE))


def test_many_equal_values_leave_bins_to_the_others():
    values = np.concatenate([np.zeros(9000), np.arange(1.0, 1001.0)])
    edges = edges_of(values, 10)
    assert edges[0] == 0
    assert len(edges) >= 9
    assert max(np.diff(edges)) <= 101


def test_a_value_is_in_the_bin_whose_upper_edge_it_is():
    encoder, _, test = encoded(np.arange(1000.0), [249.0, 250.0, -5.0, 5000.0, None], bins=4)
    assert encoder.columns[0].edges == (249.0, 499.0, 749.0)
    assert (test[:, 2:] > 0).int().tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert encoder.names()[2:] == ["x up to 249", "x from above 249 to 499", "x from above 499 to 749", "x above 749"]


@pytest.mark.parametrize(
    ("rows", "bins", "edges"), [(99, 32, 0), (199, 32, 0), (200, 32, 1), (1000, 0, 0), (1000, 1, 0)]
)
def test_there_are_no_bins_where_rows_are_few_or_none_are_wanted(rows, bins, edges):
    encoder, train, _ = encoded(np.arange(float(rows)), [1.0], bins=bins)
    assert len(encoder.columns[0].edges) == edges
    assert train.shape[1] == (2 if edges == 0 else 3 + edges)


def test_a_constant_column_has_no_bins():
    assert edges_of(np.full(1000, 7.0), 32) == ()


def test_bins_below_zero_are_told():
    with pytest.raises(UserError, match=r"data\.bins: expected .* got -1"):
        TableEncoder(bins=-1)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0]), min_size=1, max_size=40), st.integers(0, 8))
def test_every_value_is_in_one_bin_and_a_larger_one_in_no_lower_bin(values, bins):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "ROWS_PER_BIN", 2)
        _, train, _ = encoded(values, [1.0], bins=bins)
    if train.shape[1] > 2:
        member = train[:, 2:] > 0
        assert (member.sum(dim=1) == 1).all()
        order = np.argsort(values, kind="stable")
        assert (np.diff(member.int().argmax(dim=1).numpy()[order]) >= 0).all()


def test_one_wild_value_in_training_or_later_has_a_bounded_weight_and_the_last_bin():
    values = np.append(RNG.normal(size=3200), 1e9)
    _, train, test = encoded(values, [1e300, -1e300, 0.0])
    for rows in (train, test):
        assert rows.abs().max() <= table.SCALE * table.FARTHEST
    assert test[0, -1] > 0
    assert test[1, 2] > 0


def test_values_near_the_largest_number_there_is_stay_finite():
    _, train, test = encoded([1.7e308, -1.7e308, 1e308, 0.0] * 5, [1.7e308])
    assert torch.isfinite(train).all()
    assert torch.isfinite(test).all()
    assert len(train[:, 0].unique()) > 1


def test_a_column_whose_numbers_hardly_differ_reads_any_other():
    _, train, test = encoded([0.0, 5e-324], [1.0, -1e100])
    assert torch.isfinite(train).all()
    assert torch.isfinite(test).all()


def test_a_value_far_off_is_in_a_bin_of_its_own_all_the_same():
    values = np.concatenate([RNG.integers(-1, 2, 100_000), np.repeat([100.0, 1000.0, 2000.0, 3000.0], 30)])
    encoder, train, test = encoded(values, [1000.0, 2000.0])
    scaled = (np.array([1000.0, 2000.0]) - encoder.columns[0].center) / encoder.columns[0].scale
    assert scaled.min() > table.FARTHEST
    assert test[:, 0].tolist() == pytest.approx([table.SCALE * table.CLIP] * 2, rel=1e-4)
    assert not torch.equal(test[0, 2:], test[1, 2:])
    assert (train[:, 2:] > 0).sum(dim=1).tolist() == [1] * len(values)
