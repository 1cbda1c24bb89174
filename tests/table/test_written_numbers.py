"""Numbers as people write them, in columns and as labels, by a writer of the tests' own."""

import json
import logging
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rosenblatt.data.columns import Columns
from rosenblatt.errors import UserError
from rosenblatt.saved.folder import write
from rosenblatt.table.data import TableData
from rosenblatt.table.encoder import TableEncoder
from saved_models import fit_and_encode, read, saved_model


def written(number, decimal, group, before="", after="", negative="-{}"):
    whole, _, fraction = f"{abs(number):.2f}".partition(".")
    groups = []
    while whole:
        whole, last = whole[:-3], whole[-3:]
        groups.insert(0, last)
    text = before + group.join(groups) + decimal + fraction + after
    return negative.format(text) if number < 0 else text


DIALECTS = st.sampled_from([
    (decimal, group)
    for decimal in ".,"
    for group in ("", " ", "\u00a0", "\u202f", "'", "\u2019", "," if decimal == "." else ".")
])  # fmt: skip
UNITS = st.sampled_from(
    [("", ""), ("$", ""), ("€ ", ""), ("", " €"), ("", "\u00a0%"), ("", "%"), ("CHF ", ""), ("", " kr"), ("US$", "")]
)
NEGATIVES = st.sampled_from(["-{}", "({})", "{}-", "\u2212{}", "- {}"])
AMOUNTS = st.lists(st.integers(-(10**9), 10**9).map(lambda cents: cents / 100), min_size=2, max_size=30)


@settings(deadline=None, max_examples=200)
@given(AMOUNTS, AMOUNTS, DIALECTS, UNITS, NEGATIVES)
def test_numbers_that_anybody_writes_are_the_numbers_at_train_and_at_predict(train, new, dialect, unit, negative):
    assume(len(set(train)) > 1)
    encoder, plain = TableEncoder(bins=0), TableEncoder(bins=0)
    texts = [[written(one, *dialect, *unit, negative) for one in numbers] for numbers in (train, new)]
    found = fit_and_encode(encoder, pl.DataFrame({"x": texts[0]}))
    expected = fit_and_encode(plain, pl.DataFrame({"x": train}))
    assert encoder.names() == ["x", "x is missing"]
    assert found.tolist() == expected.tolist()
    again = TableEncoder(bins=0)
    again.learn(encoder.facts(), None)
    for one in (encoder, again):
        assert (
            one.encode(pl.DataFrame({"x": texts[1]}), Columns(), "new").tolist()
            == plain.encode(pl.DataFrame({"x": new}), Columns(), "new").tolist()
        )
        assert (
            one.encode(pl.DataFrame({"x": new}), Columns(), "typed").tolist()
            == plain.encode(pl.DataFrame({"x": new}), Columns(), "new").tolist()
        )


def values_of(train, new=()):
    """What a column is read as: the numbers of new cells, or of the training cells again."""
    encoder = TableEncoder(bins=0)
    encoder.fit(pl.DataFrame({"x": train}))
    (column,) = encoder.columns
    words = encoder._words(pl.Series("x", list(new or train)))
    read = column.read(words, "new", encoder._absent[1])[""]
    return [None if np.isnan(one) else round(one, 3) for one in read.tolist()]


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1,234", "12,345"], [1234, 12345]),
        (["3,5", "1,234"], [3.5, 1.234]),
        (["0,123", "1,234"], [0.123, 1.234]),
        (["1.234.567", "999"], [1234567, 999]),
        (["1.234 €", "999 €"], [1234, 999]),
        (["12,34,567", "1,000"], [1234567, 1000]),
        (["+1,5", "\u22122,5"], [1.5, -2.5]),
        (["$(5)", "($6)"], [-5, -6]),
        (["1.234,- kr", "12,50 kr"], [1234, 12.5]),
        (["1,5e3", "2E-1"], [1500, 0.2]),
        (["1 234,5", "1\u202f234\u00a0567"], [1234.5, 1234567]),
        (["1e3", "-.5"], [1000, -0.5]),
        (["999", "1", "20", "1.234", "2.345", "12.345"], [999, 1, 20, 1234, 2345, 12345]),
        (["1.234", "2.345", "4", "0.5"], [1.234, 2.345, 4, 0.5]),
        (["9.812", "9.807", "9.799", "10.001"], [9.812, 9.807, 9.799, 10.001]),
    ],
)
def test_one_way_of_writing_is_chosen_for_all_values_of_a_column(cells, numbers):
    assert values_of(cells) == pytest.approx(numbers, rel=1e-5)


@pytest.mark.parametrize(
    ("cells", "parts"),
    [
        (["1,234", "12,345"], ["'x'", "'1,234' is 1234.0", "1.234 fits all values too"]),
        (["9.812", "9.807"], ["'9.812' is 9.812", "9812.0 fits all values too"]),
        (["$9.50", "$1,000"], ["'$1,000' is 1000.0."]),
    ],
)
def test_how_numbers_are_read_is_told_with_the_other_reading_where_there_is_one(cells, parts, caplog):
    caplog.set_level(logging.INFO)
    values_of(cells)
    (message,) = [record.getMessage() for record in caplog.records]
    assert all(part in message for part in parts)


def test_what_is_no_number_in_the_way_of_the_column_is_missing_and_told(caplog):
    assert values_of(["1,5", "9000,5"], ["1,5", "2.75", "n/a", "", "2 000,5 €"]) == [
        pytest.approx(1.5, abs=0.01), None, None, None, pytest.approx(2000.5, abs=0.01),
    ]  # fmt: skip
    (message,) = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert "1 of 4 values in column 'x' are no numbers (such as '2.75'); they count as missing" in message


@pytest.mark.parametrize(
    "cells", [["(5", "5"], ["-(5)", "5"], ["+5-", "5"], ["1,23,4", "5"], ["5 kg", "6"], ["ab", "5"]]
)
def test_what_is_no_number_stays_a_category(cells):
    encoder = TableEncoder()
    encoder.fit(pl.DataFrame({"x": cells * 3}))
    assert encoder.names()[0] == f"x = {sorted(cells)[0]}"


def prices(path, form, num_rows=200):
    random = np.random.default_rng(0)
    area = random.uniform(30, 200, num_rows).round(2)
    price = (150 * area + random.normal(0, 9, num_rows)).round(2)
    pl.DataFrame({"area": area, "price": [form(one) for one in price]}).write_csv(path)
    return price


FORMS = {
    "dollars": (lambda one: written(one, ".", ",", "$"), "."),
    "decimal commas": (lambda one: written(one, ",", "."), ","),
    "decimal commas alone": (lambda one: f"{one:.2f}".replace(".", ","), ","),
    "plain": (lambda one: f"{one:.2f}", ""),
}


@pytest.mark.parametrize("form", FORMS)
def test_labels_are_numbers_as_they_are_written_in_training_and_in_files_to_come(form, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    write_one, decimal = FORMS[form]
    price = prices(tmp_path / "a.csv", write_one)
    data = TableData(str(tmp_path / "a.csv"), label_column="price", cache=str(tmp_path / "cache"))
    data.setup()
    assert data.task.name == "regression"
    assert sorted(one for _, target in data.splits.values() for one in target.tolist()) == sorted(price)
    assert ("numbers are read as they are written" in caplog.text) == (form != "plain")
    restored = TableData(str(tmp_path / "a.csv"), label_column="price", cache=str(tmp_path / "cache"))
    restored.setup()
    assert "read from" in caplog.text
    for columns in (data.columns, restored.columns):
        model = saved_model(data.encoder, False, "regression", columns=columns)
        write(model, tmp_path / "model", "card")
        columns = read(tmp_path / "model").columns
        assert columns.decimal == decimal
        labels = columns.labels_of(columns.read(str(tmp_path / "a.csv")), "a.csv")
        assert [float(one) for one in labels.list.first()] == price.tolist()


def test_classes_that_look_like_numbers_keep_their_names(tmp_path):
    lines = "".join(f"{i / 7:.3f},'{'1,5' if i % 3 else '2,0'}'\n".replace("'", '"') for i in range(60))
    (tmp_path / "a.csv").write_text("x,label\n" + lines)
    data = TableData(str(tmp_path / "a.csv"))
    data.setup()
    assert data.task.classes == ("1,5", "2,0")
    assert data.columns == Columns()


@pytest.mark.parametrize("wild", ["1e300", "-1e200"])
def test_a_label_that_no_model_can_reach_is_told_and_not_infinity(wild, tmp_path):
    lines = "".join(f"{i / 7:.3f},{wild if i == 7 else i + 0.5}\n" for i in range(60))
    (tmp_path / "a.csv").write_text("x,label\n" + lines)
    with pytest.raises(UserError, match=rf"expected a number to predict .*\(row 8 has '{wild}'\)"):
        TableData(str(tmp_path / "a.csv")).setup()


def test_a_label_that_is_none_among_written_numbers_is_told_with_its_row(tmp_path):
    prices(tmp_path / "a.csv", lambda one: written(one, ".", ",", "$"))
    text = (tmp_path / "a.csv").read_text().split("\n")
    text[5] = "40.0,soon"
    (tmp_path / "a.csv").write_text("\n".join(text))
    with pytest.raises(UserError, match=r"expected a number to predict.*row 5 has 'soon'"):
        TableData(str(tmp_path / "a.csv"), label_column="price").setup()


def test_columns_of_models_before_are_read_as_they_were_then():
    facts = {"columns": [["NumberColumn", "x", 10.0, 2.0, []], ["CategoryColumn", "zone", ["EU", "US"]]]}
    encoder = TableEncoder()
    encoder.learn(facts, None)
    assert json.dumps(encoder.facts()) == json.dumps(facts)
    rows = encoder.encode(pl.DataFrame({"x": ["12", "?", "nil"], "zone": ["EU", "NA", "-"]}), Columns(), "new")
    assert (rows / 3).tolist() == [[1, 0, 1, 0, 0], [0, 1, 0, 0, 1], [0, 1, 0, 0, 0]]
    assert math.isfinite(rows.sum())


@pytest.mark.parametrize(
    "written", [("TRUE", "FALSE"), ("True", "False"), ("true", "false"), (True, False), ("1", "0"), (1, 0)]
)
def test_true_and_false_are_one_thing_however_they_are_written(written):
    yes, no = written
    encoder = TableEncoder(bins=0)
    encoder.fit(pl.DataFrame({"x": ["TRUE", "FALSE", "TRUE", None]}))
    found = encoder.encode(pl.DataFrame({"x": [yes, no, None]}), Columns(), "new")
    assert found.tolist() == encoder.encode(pl.DataFrame({"x": [True, False, None]}), Columns(), "typed").tolist()
    assert found[:, 1].tolist() == [0, 0, 3]
    assert found[0, 0] > found[1, 0]


def test_codes_that_begin_with_zeros_are_categories_and_that_is_told(caplog):
    caplog.set_level(logging.INFO)
    encoder = TableEncoder()
    encoder.fit(pl.DataFrame({"plz": ["01067", "80331", "01067", "50667"]}))
    assert encoder.names()[:3] == ["plz = 01067", "plz = 50667", "plz = 80331"]
    assert "Column 'plz': codes, since some begin with 0" in caplog.text


def test_words_that_training_never_had_are_told_where_there_are_many(caplog):
    encoder = TableEncoder()
    encoder.fit(pl.DataFrame({"city": ["Bonn", "Ulm"] * 20}))
    encoder.encode(pl.DataFrame({"city": ["Bonn"] * 9 + ["Kiel"]}), Columns(), "new")
    assert not caplog.messages
    encoder.encode(pl.DataFrame({"city": ["BONN"] * 5 + ["Ulm"] * 5}), Columns(), "new")
    assert "5 of 10 words in column 'city' were never in training (such as 'BONN'; there 'Bonn')" in caplog.text


def test_a_column_of_which_no_value_can_be_read_stops_and_says_so():
    encoder = TableEncoder()
    encoder.fit(pl.DataFrame({"x": [str(number) for number in range(40)]}))
    with pytest.raises(UserError, match=r"new: expected numbers, .* in column 'x'; none of 30 values .* 'n30'"):
        encoder.encode(pl.DataFrame({"x": [f"n{number}" for number in range(30, 60)]}), Columns(), "new")


def test_a_column_of_many_words_is_told(caplog):
    caplog.set_level(logging.INFO)
    TableEncoder().fit(pl.DataFrame({"id": [f"w{number // 2 * 2 + number % 3}" for number in range(60)]}))
    assert "different words in 60 rows" in caplog.text
