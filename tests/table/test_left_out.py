"""Columns that are left out, words that mean missing, and columns that give the label away."""

import hashlib
import json
import logging
import math

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rosenblatt.data.columns import Columns
from rosenblatt.errors import UserError
from rosenblatt.saved.folder import write
from rosenblatt.table.data import TableData
from rosenblatt.table.encoder import SCALE, TableEncoder
from saved_models import read, saved_model

NUM_ROWS = 400


def rows(num_rows=NUM_ROWS, seed=0, **columns):
    """Rows sorted by a label that only ``x`` tells of, and not always."""
    random = np.random.default_rng(seed)
    label = np.sort(random.integers(0, 2, num_rows))
    x = (label + random.normal(0, 0.7, num_rows)).round(3)
    return pl.DataFrame(columns | {"x": x, "kind": random.choice(["a", "b", "c"], num_rows), "label": label})


def set_up(tmp_path, frame, name="a.csv", **options):
    frame.write_csv(tmp_path / name) if name.endswith(".csv") else frame.write_parquet(tmp_path / name)
    data = TableData(str(tmp_path / name), **options)
    data.setup()
    return data


def learnt(data):
    return list(dict.fromkeys(column.name for column in data.encoder.columns))


COUNTERS = {
    "from 0": range(NUM_ROWS),
    "from 1,000,000": range(1_000_000, 1_000_000 + NUM_ROWS),
    "downwards": range(NUM_ROWS, 0, -1),
    "in steps": range(5, 5 + 10 * NUM_ROWS, 10),
    "with gaps": np.flatnonzero(np.random.default_rng(3).random(2 * NUM_ROWS) < 0.7)[:NUM_ROWS].tolist(),
    "with zeros before": [f"{i:06}" for i in range(NUM_ROWS)],
}


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "__index_level_0__", "id", "Zeile"])
@pytest.mark.parametrize("kind", COUNTERS)
def test_a_column_that_counts_the_rows_is_left_out_whatever_its_name(name, kind, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    frame = rows(**{name: pl.Series(COUNTERS[kind])})
    assert learnt(set_up(tmp_path, frame)) == ["x", "kind"]
    assert f"Column {name!r} is left out, since it counts the rows" in caplog.text
    assert learnt(set_up(tmp_path, frame, "a.parquet")) == ["x", "kind"]
    assert learnt(set_up(tmp_path, frame, keep=[name] if name else [0])) == [name, "x", "kind"]


@settings(deadline=None, max_examples=50)
@given(st.integers(-(10**9), 10**9), st.sampled_from([-7, -1, 1, 2, 1000]), st.integers(40, 300), st.integers(0, 99))
def test_row_numbers_are_known_in_any_sample_of_rows(start, step, num_rows, seed):
    chosen = np.sort(np.random.default_rng(seed).permutation(num_rows)[: int(0.6 * num_rows)])
    numbers = pl.Series("n", [start + step * int(i) for i in chosen])
    for column in (numbers, numbers.cast(pl.String)):
        encoder = TableEncoder()
        encoder.fit(pl.DataFrame({"n": column, "x": [0.5 * (i % 7) for i in chosen]}), num_rows)
        assert [one.name for one in encoder.columns] == ["x"]


RANDOM = np.random.default_rng(1)
KEPT = {
    "measurements": RANDOM.normal(size=NUM_ROWS),
    "sorted measurements": np.sort(RANDOM.normal(size=NUM_ROWS)).round(6),
    "amounts": RANDOM.permutation(10**6)[:NUM_ROWS],
    "sorted amounts": np.sort(RANDOM.permutation(10**6)[:NUM_ROWS]),
    "ranks": RANDOM.permutation(NUM_ROWS),
    "a number that stays": np.arange(NUM_ROWS) // 2,
    "years": 1990 + np.arange(NUM_ROWS) % 30,
    "dates": [f"{1990 + i // 12}-{1 + i % 12:02}-01" for i in range(NUM_ROWS)],
    "written amounts": [f"${1000 + i * 7.5:,.2f}" for i in range(NUM_ROWS)],
    "words that come again": [f"w{i % 300}" for i in range(NUM_ROWS)],
    "remarks here and there": [f"remark {i}" if i % 5 == 0 else "" for i in range(NUM_ROWS)],
}


@pytest.mark.parametrize("kind", KEPT)
def test_columns_that_say_something_are_learnt_from(kind, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    assert learnt(set_up(tmp_path, rows(column=pl.Series(KEPT[kind])))) == ["column", "x", "kind"]
    assert "left out" not in caplog.text


def test_a_column_of_other_words_in_each_row_is_left_out_unless_it_is_kept(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    hashes = pl.Series([hashlib.md5(str(i).encode()).hexdigest() for i in range(NUM_ROWS)])
    frame = rows(id=hashes, name=pl.Series([f"Person {i} of {i * 7}" for i in range(NUM_ROWS)]))
    assert learnt(set_up(tmp_path, frame)) == ["x", "kind"]
    assert "Column 'name' is left out, since it has another word in each row" in caplog.text
    assert "data.keep=['name']" in caplog.text
    assert learnt(set_up(tmp_path, frame, keep=["name"])) == ["name", "x", "kind"]
    assert learnt(set_up(tmp_path, frame, categorical=["id"])) == ["id", "x", "kind"]


def test_files_of_their_own_count_by_themselves(tmp_path):
    for name, seed in (("val", 1), ("test", 2)):
        rows(100, seed, id=pl.Series(range(100))).write_csv(tmp_path / f"{name}.csv")
    others = {name: str(tmp_path / f"{name}.csv") for name in ("val", "test")}
    assert learnt(set_up(tmp_path, rows(id=pl.Series(range(NUM_ROWS))), **others)) == ["x", "kind"]


def test_where_no_other_column_is_there_all_are_learnt_from_and_few_rows_are_no_evidence(tmp_path, caplog):
    frame = rows(id=pl.Series(range(NUM_ROWS))).select("id", "label")
    assert learnt(set_up(tmp_path, frame)) == ["id"]
    assert "'id': learnt from all the same, since there is no other column" in caplog.text
    few = rows(18, id=pl.Series(range(18)), name=pl.Series([f"n{i}" for i in range(18)]))
    assert learnt(set_up(tmp_path, few)) == ["id", "name", "x", "kind"]


def test_a_column_to_keep_that_is_none_is_told(tmp_path):
    with pytest.raises(UserError, match=r"data\.keep=knd: no such column .*'kind'"):
        set_up(tmp_path, rows(), keep=["knd"])


def test_an_empty_column_is_no_matter(tmp_path):
    assert learnt(set_up(tmp_path, rows(column=pl.Series([""] * NUM_ROWS)))) == ["x", "kind"]


def encoded(train, new, **options):
    encoder = TableEncoder(bins=0)
    encoder.fit(pl.DataFrame({"x": train}), **options)
    again = TableEncoder(bins=0)
    again.learn(json.loads(json.dumps(encoder.facts())), None)
    found = [one.encode(pl.DataFrame({"x": new}), Columns(), "new") for one in (encoder, again)]
    assert torch.equal(*found)
    return encoder.names(), (found[0] / SCALE).tolist()


def test_a_word_such_as_na_among_words_is_a_category_and_the_empty_cell_is_missing(caplog):
    caplog.set_level(logging.INFO)
    names, found = encoded(["NA", "EMEA", "", None, "NA"], ["NA", "", None, "EMEA", "APAC", "?"])
    assert names == ["x = EMEA", "x = NA", "x is missing"]
    # A word for missing that training never had there means missing.
    assert found == [[0, 1, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert "Column 'x': 'NA' counts as a category; if it means missing: data.missing=[...]" in caplog.text


@pytest.mark.parametrize("word", ["NA", "?", "NaN", "null", "N/A", "-", "None", "n.a.", "#N/A", "", "\u2013", "none"])
@pytest.mark.parametrize("cells", [["1", "3"], ["1,5", "3,5"], ["2024-05-01", "2024-06-03"]])
def test_a_word_such_as_na_among_numbers_and_dates_is_missing(word, cells, caplog):
    caplog.set_level(logging.INFO)
    names, found = encoded([*cells, word], [word, *cells])
    assert names[1].endswith("is missing")
    assert [row[1] for row in found] == [1, 0, 0]
    told = word in caplog.text.replace("written: ", "") and "may be missing, which is written" in caplog.text
    assert told == (word != "")
    assert not any(record.levelno == logging.WARNING for record in caplog.records)


ONE = 3 / math.sqrt(10)  # clipped smoothly


@pytest.mark.parametrize(
    ("missing", "train", "new", "names", "found"),
    [
        (
            ["NA"],
            ["a", "NA", "?"],
            ["NA", "?", ""],
            ["x = ?", "x = a", "x is missing"],
            [[0, 0, 1], [1, 0, 0], [0, 0, 1]],
        ),
        (["-"], ["1", "3", "-"], ["-", "3"], ["x", "x is missing"], [[0, 1], [ONE, 0]]),
        (["-"], ["1", "NA"], ["NA"], ["x = 1", "x = NA", "x is missing"], [[0, 1, 0]]),
        ([-999], ["1", "3", "-999"], ["-999", "1"], ["x", "x is missing"], [[0, 1], [-ONE, 0]]),
        ([-999], [1.0, 3.0, -999.0], [-999.0, 1.0], ["x", "x is missing"], [[0, 1], [-ONE, 0]]),
        ([None], ["a", "null"], ["null", "a"], ["x = a", "x is missing"], [[0, 1], [1, 0]]),
        ([], ["1", "?"], ["?", ""], ["x = 1", "x = ?", "x is missing"], [[0, 1, 0], [0, 0, 1]]),
    ],
)
def test_words_that_are_said_to_be_missing_are_so_in_all_columns_and_no_others(missing, train, new, names, found):
    assert encoded(train, new, missing=missing) == (names, [pytest.approx(row) for row in found])


def test_what_is_missing_is_kept_in_the_model_folder(tmp_path):
    data = set_up(tmp_path, rows(zone=pl.Series(["NA", "EU", "", "unknown"] * 100)), missing=["unknown"])
    saved = saved_model(data.encoder, False, "binary")
    write(saved, tmp_path / "model", "card")
    again = read(tmp_path / "model").encoder
    new = pl.DataFrame({"zone": ["NA", "unknown", ""], "x": ["1", "2", "3"], "kind": ["a", "a", "a"]})
    missing = again.names().index("zone is missing")
    assert (again.encode(new, Columns(), "new")[:, missing] > 0).tolist() == [False, True, True]
    assert "zone = NA" in again.names()


def given_away(caplog, *args, **options):
    caplog.clear()
    set_up(*args, **options)
    return [one.args[0] for one in caplog.records if "alone gives the label" in one.getMessage()]


def test_a_column_that_gives_the_label_away_is_named(tmp_path, caplog):
    frame = rows()
    label = frame["label"]
    copies = frame.with_columns(
        copy=pl.when(label == 1).then(pl.lit("paid")).otherwise(pl.lit("open")),
        code=label * 3 + 1,
        amount=pl.when(label == 1).then(pl.int_range(NUM_ROWS) % 50 + 1).otherwise(0),
        filled=pl.when(label == 1).then(pl.lit("2024-05-0") + (pl.int_range(NUM_ROWS) % 9 + 1).cast(pl.String)),
    )
    assert given_away(caplog, tmp_path, copies) == ["copy", "code", "amount", "filled"]
    assert "data.ignore=['copy']" in caplog.text
    assert given_away(caplog, tmp_path, frame) == []
    shuffled = frame.with_columns(id=pl.int_range(NUM_ROWS)).sample(fraction=1, shuffle=True, seed=0)
    assert given_away(caplog, tmp_path, shuffled) == ["id"]


def test_a_column_that_gives_one_of_several_labels_away_is_named(tmp_path, caplog):
    random = np.random.default_rng(0)
    both = [[name for name in ("new", "old") if random.random() < 0.5] for _ in range(NUM_ROWS)]
    frame = rows().with_columns(
        label=pl.Series([",".join(one) for one in both]), age=pl.Series(["old" in one for one in both])
    )
    assert given_away(caplog, tmp_path, frame, label_separator=",") == ["age"]


def test_a_column_with_the_order_of_the_numbers_to_predict_is_named(tmp_path, caplog):
    random = np.random.default_rng(0)
    price = random.lognormal(10, 1, NUM_ROWS).round(2)
    near = price * random.normal(1, 0.1, NUM_ROWS)
    frame = pl.DataFrame({"net": (price / 1.19).round(2), "log": -np.log(price), "near": near, "label": price})
    assert given_away(caplog, tmp_path, frame) == ["net", "log"]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("num_rows", [60, 150, 2000])
def test_good_columns_and_noise_give_nothing_away(num_rows, seed, tmp_path, caplog):
    random = np.random.default_rng(seed)
    label = random.random(num_rows) < (0.5 if seed % 2 else 0.03)
    label[:2] = True, False
    frame = pl.DataFrame({f"n{i}": random.normal(size=num_rows).round(3) for i in range(20)})
    good = (label + random.normal(0, 0.3, num_rows)).round(3)  # right of 95 %
    words = pl.Series([f"w{i}" for i in random.integers(0, num_rows // 2, num_rows)])
    assert given_away(caplog, tmp_path, frame.with_columns(good=good, words=words, label=label)) == []
