import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosenblatt.data.labelled_files import by_column, by_fractions, check_fractions
from rosenblatt.errors import UserError

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


def test_synonyms_of_splits_are_understood():
    names = ["train", "Training", " dev ", "valid", "VALIDATION", "val", "test"]
    parts = by_column(pl.DataFrame({"x": range(7), "split": names}), "split", "f")
    assert {split: part["x"].to_list() for split, part in parts.items()} == {
        "train": [0, 1],
        "val": [2, 3, 4, 5],
        "test": [6],
    }
    assert all(part.columns == ["x", "split"] for part in parts.values())


def test_a_split_without_rows_is_absent():
    parts = by_column(pl.DataFrame({"x": [1, 2], "fold": ["train", "test"]}), "fold", "f")
    assert list(parts) == ["train", "test"]


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["train", "tset", "tset", "x"], ["f.csv", "column 'split'", "'train'", "3 rows", "'tset', 'x'", "=null"]),
        (["train", None], ["f.csv", "column 'split'", "1 rows", "None"]),
        (["test", "dev"], ["f.csv", "no row of column 'split' says 'train'"]),
    ],
)
def test_names_that_are_no_splits_are_told(names, parts):
    with pytest.raises(UserError) as error:
        by_column(pl.DataFrame({"split": names}), "split", "f.csv")
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize(
    "fractions",
    [
        [0.8, 0.1, 0.2],
        [0.5, 0.2, 0.2],
        [0.9, 0.1],
        [1.2, -0.1, -0.1],
        [0.0, 0.5, 0.5],
        [0.9, 0.0, 0.1],
        [1.0, 0.0, 0.0],
    ],
)
def test_fractions_that_are_no_shares_are_told(fractions):
    with pytest.raises(UserError) as error:
        check_fractions(fractions)
    assert "data.fractions: expected the shares of train, val and test, which sum to 1" in str(error.value)
    assert f"got {fractions}, which sum to {sum(fractions):g}" in str(error.value)


@pytest.mark.parametrize("fractions", [[0.8, 0.1, 0.1], [0.9, 0.1, 0], (0.6, 0.3, 0.1)])
def test_fractions_that_are_shares_pass(fractions):
    assert check_fractions(fractions) is None


def labels_of(counts):
    names = np.repeat([f"c{number}" for number in range(len(counts))], counts)
    return pl.Series([[name] for name in np.random.default_rng(0).permutation(names).tolist()])


@settings(deadline=None, max_examples=50)
@given(counts=st.lists(st.integers(1, 60), min_size=1, max_size=8), seed=st.integers(0, 2**32))
def test_every_row_is_in_one_split_and_every_class_in_train(counts, seed):
    labels = labels_of(counts)
    rows = by_fractions(labels, SHARES, seed)
    assert list(rows) == ["train", "val", "test"]
    assert sorted(np.concatenate(list(rows.values()))) == list(range(sum(counts)))
    assert all((np.diff(part) > 0).all() for part in rows.values())
    assert set(labels[rows["train"]].explode()) == set(labels.explode())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sizes_and_classes_are_right_to_a_few_rows(seed):
    counts = [700, 200, 90, 10]
    labels = labels_of(counts)
    rows = by_fractions(labels, SHARES, seed)
    for split, share in SHARES.items():
        assert abs(len(rows[split]) - share * 1000) <= 6
        of_class = labels[rows[split]].explode().value_counts()
        for name, count in of_class.iter_rows():
            assert abs(count - share * counts[int(name[1:])]) <= 4


def test_the_same_seed_gives_the_same_split_and_another_another():
    labels = labels_of([50, 50])
    first, same, other = (by_fractions(labels, SHARES, seed) for seed in (3, 3, 4))
    assert all((first[split] == same[split]).all() for split in SHARES)
    assert set(first["test"]) != set(other["test"])


def test_a_split_is_no_stretch_of_the_file():
    rows = by_fractions(pl.Series([["a"]] * 1000), SHARES, seed=0)
    assert abs(rows["val"].mean() - 500) < 100
    assert rows["val"].std() > 200
    assert len(set(np.diff(rows["val"]))) > 10  # steps through the file in order would leave two or three gaps


def test_shares_of_two_splits_are_made_to_sum_to_one():
    rows = by_fractions(labels_of([500, 500]), {"train": 0.8, "val": 0.1}, seed=0)
    assert abs(len(rows["val"]) - 1000 / 9) <= 3


def test_rows_without_labels_are_split_as_a_class_of_their_own():
    labels = pl.Series([["a", "b"]] * 50 + [[]] * 50, dtype=pl.List(pl.String))
    rows = by_fractions(labels, {"train": 0.5, "val": 0.5}, seed=0)
    assert abs((rows["train"] < 50).sum() - 25) <= 2
