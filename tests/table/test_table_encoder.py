import logging

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder, RobustScaler

from conftest import dense_of
from rosenblatt.data.columns import Columns
from rosenblatt.data.features import Bags
from rosenblatt.errors import UserError
from rosenblatt.table import encoder as table
from rosenblatt.table.encoder import TableEncoder
from saved_models import fit_and_encode

RNG = np.random.default_rng(0)


def random_frame(count):
    return pl.DataFrame(
        {
            "age": RNG.normal(40, 15, count).round(1).astype(str).tolist(),
            "job": RNG.choice(["cook", "clerk", "Smith & Sons"], count).tolist(),
            "income": RNG.normal(3e4, 1e4, count).tolist(),
            "code": RNG.integers(1, 4, count).tolist(),
        }
    )


TRAIN, TEST = random_frame(50), random_frame(20)


def unscaled(features):
    """Features as they are before all are made larger by one factor."""
    if isinstance(features, Bags):
        return features._replace(weights=features.weights / table.SCALE)
    return features / table.SCALE


def features_of(train, *others, **options):
    encoder = TableEncoder(**options)
    return (
        encoder,
        unscaled(fit_and_encode(encoder, pl.DataFrame(train))),
        *(unscaled(encoder.encode(pl.DataFrame(other), Columns(), "test")) for other in others),
    )


def squeezed(scaled):
    """Smooth clipping, by the formula of the paper."""
    return scaled / np.sqrt(1 + (scaled / 3) ** 2)


def test_numbers_are_scaled_as_by_scikit_learn():
    encoder, *ours = features_of(TRAIN, TEST)
    scaler = RobustScaler().fit(TRAIN.select(pl.col("age").cast(pl.Float64), "income", "code").to_numpy())
    columns = [encoder.names().index(name) for name in ("age", "income", "code")]
    for frame, our in zip((TRAIN, TEST), ours, strict=True):
        theirs = squeezed(scaler.transform(frame.select(pl.col("age").cast(pl.Float64), "income", "code").to_numpy()))
        assert our.dtype == torch.float32
        np.testing.assert_allclose(our[:, columns], theirs, rtol=1e-5, atol=1e-6)


def test_categories_are_those_of_scikit_learn():
    test = TEST.with_columns(job=pl.Series(["cook", "pilot"] * 10))
    encoder, *ours = features_of(TRAIN, test, categorical=["code"])
    theirs = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    theirs.fit(TRAIN.select("job", pl.col("code").cast(pl.String)).to_numpy())
    names = [
        f"{name} = {category}"
        for name, part in zip(("job", "code"), theirs.categories_, strict=True)
        for category in part
    ]
    columns = [encoder.names().index(name) for name in names]
    for frame, our in zip((TRAIN, test), ours, strict=True):
        expected = theirs.transform(frame.select("job", pl.col("code").cast(pl.String)).to_numpy())
        np.testing.assert_array_equal(our[:, columns], expected)


def test_a_missing_number_is_the_median_and_a_feature_that_says_so():
    missing = ["", "?", "NA", "n/a", "nan", "NULL", " None ", None]
    encoder, train, test = features_of({"x": ["1", "3", *missing]}, {"x": ["2", "?", "5"]})
    assert encoder.names() == ["x", "x is missing"]
    one, three = squeezed(np.float32([1, 3])).tolist()
    np.testing.assert_allclose(train, [[-one, 0], [one, 0]] + [[0, 1]] * len(missing), rtol=1e-6)
    assert test.tolist() == [[0, 0], [0, 1], [pytest.approx(three), 0]]


def test_where_the_middle_half_is_one_number_the_range_is_the_scale():
    encoder, train, test = features_of({"x": [0.0] * 30 + [4.0] * 2}, {"x": [2.0]})
    assert train[-1, 0].item() == pytest.approx(squeezed(2.0))
    assert test[0, 0].item() == pytest.approx(squeezed(1.0))
    again = TableEncoder()
    again.learn(encoder.facts(), None)
    assert (again.columns, type(again.columns[0]).__name__) == (encoder.columns, "PeakedColumn")


def test_a_missing_category_is_a_category_and_an_unseen_one_is_nothing():
    encoder, train, test = features_of({"x": ["b", "a", None, " "]}, {"x": ["c", "", " a ", "b"]})
    assert encoder.names() == ["x = a", "x = b", "x is missing"]
    assert train.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert test.tolist() == [[0, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_one_word_makes_a_column_one_of_categories():
    encoder, *_ = features_of({"x": ["1", "2", "two"], "y": ["1e3", "-2", ".5"]})
    assert encoder.names() == ["x = 1", "x = 2", "x = two", "x is missing", "y", "y is missing"]


def test_a_word_in_a_column_of_numbers_is_missing_and_logged(caplog):
    with caplog.at_level(logging.WARNING):
        _, _, test = features_of({"x": [1.0, 3.0]}, {"x": ["3", None, "three", "inf"]})
    assert test.tolist() == [[pytest.approx(squeezed(1.0)), 0], [0, 1], [0, 1], [0, 1]]
    (message,) = [record.getMessage() for record in caplog.records]
    for part in ("test", "2 of 3 values", "column 'x'", "no numbers", "such as 'three'", "count as missing"):
        assert part in message


def test_a_clean_table_logs_nothing(caplog):
    features_of(TRAIN, TEST)
    assert caplog.records == []


def test_what_is_learnt_is_learnt_from_training_alone():
    encoder, train, _ = features_of(TRAIN, {"age": [1e6], "job": ["pilot"], "income": [-1e9], "code": [77]})
    names = encoder.names()
    assert "job = pilot" not in names
    assert torch.equal(unscaled(encoder.encode(TRAIN, Columns(), "again")), train)


def test_truths_are_numbers_and_columns_may_come_in_any_order():
    encoder, train, test = features_of(
        {"yes": [True, False], "x": ["a", "b"]}, {"other": [1, 2], "x": ["b", "a"], "yes": ["1", "0"]}
    )
    assert encoder.names()[:2] == ["yes", "yes is missing"]
    assert train[:, 0].tolist() == test[:, 0].tolist() == pytest.approx([squeezed(1.0), squeezed(-1.0)])
    assert test[:, 2:4].tolist() == [[0, 1], [1, 0]]


def test_a_constant_column_and_an_empty_one_do_no_harm():
    encoder, train = features_of({"same": [5, 5, 5], "none": [None, "", "?"], "x": [1, 2, 3]})
    assert encoder.names() == ["same", "same is missing", "x", "x is missing"]
    assert train[:, 0].tolist() == [0, 0, 0]


def test_rare_categories_have_no_feature():
    encoder, train = features_of({"x": ["a", "a", "b", None]}, min_count=2)
    assert encoder.names() == ["x = a", "x is missing"]
    assert train.tolist() == [[1, 0], [1, 0], [0, 0], [0, 1]]


@pytest.mark.parametrize("name", ["n", "count", "word", "", "*", "^a.*$", "literal"])
def test_a_column_may_have_any_name(name):
    encoder, train = features_of({name: ["a", "b"]})
    assert encoder.names() == [f"{name} = a", f"{name} = b", f"{name} is missing"]
    assert train.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_bags_hold_what_dense_features_hold(monkeypatch):
    holes = TRAIN.with_columns(
        pl.when(pl.int_range(50) % 7 > 0).then("job"), pl.when(pl.int_range(50) % 5 > 0).then("age")
    )
    encoder, *dense = features_of(holes, TEST)
    assert all(isinstance(one, torch.Tensor) for one in dense)
    monkeypatch.setattr(table, "MAX_DENSE", 3)
    encoder, *bags = features_of(holes, TEST)
    for one, other in zip(dense, bags, strict=True):
        assert isinstance(other, Bags)
        assert (other.ids.dtype, other.weights.dtype, other.offsets.dtype) == (torch.int32, torch.float32, torch.int64)
        for start, stop in zip(other.offsets[:-1], other.offsets[1:], strict=True):
            assert (other.ids[start:stop].diff() > 0).all()
        assert torch.equal(dense_of(other, encoder.num_features), one)


def test_more_categories_than_fit_a_dense_row_give_bags():
    encoder, train = features_of({"id": [f"k{number}" for number in range(1100)], "x": range(1100)})
    assert encoder.num_features == 1103 + 11  # bins
    assert isinstance(train, Bags)
    assert train.num_rows == 1100


CELLS = st.lists(
    st.text() | st.sampled_from(["1", "-2.5", "1e400", "?", "nan", "a"]) | st.none(), min_size=1, max_size=8
)


@settings(deadline=None, max_examples=50)
@given(train=CELLS, test=CELLS, max_dense=st.sampled_from([0, 1024]))
def test_any_cells_give_features(train, test, max_dense):
    encoder = TableEncoder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "MAX_DENSE", max_dense)
        frame = pl.DataFrame({"x": pl.Series(train, dtype=pl.String), "y": range(len(train))})
        features = [fit_and_encode(encoder, frame)]
        features.append(encoder.encode(pl.DataFrame({"x": test, "y": ["?"] * len(test)}), Columns(), "test"))
    for cells, part in zip((train, test), features, strict=True):
        matrix = part if max_dense else dense_of(part, encoder.num_features)
        assert matrix.shape == (len(cells), len(encoder.names()))
        assert matrix.isfinite().all()
    assert (matrix[:, -1] == table.SCALE).all()


@pytest.mark.parametrize(
    ("train", "test", "options", "parts"),
    [
        (
            {"x": ["a"]},
            None,
            {"categorical": ["y", "x"]},
            ["data.categorical", "no such column", "'y'", "There are 'x'"],
        ),
        ({"x": [None, "?"], "y": ["", "NA"]}, None, {}, ["no column to learn from", "all are empty"]),
        (
            {"x": [1], "y": [2]},
            {"y": [1], "z": [2]},
            {},
            ["test", "no column 'x'", "training had", "There are 'y', 'z'"],
        ),
        ({"x": [[1], [2]]}, None, {}, ["column 'x'", "expected words or numbers", "List", "data.ignore"]),
    ],
)
def test_tables_that_can_not_be_encoded_are_told(train, test, options, parts):
    with pytest.raises(UserError) as error:
        features_of(train, *([test] if test else []), **options)
    for part in parts:
        assert part in str(error.value)
