"""Dates and times in columns of a table: read as Python's own calendar has them, and features from then on."""

import datetime as dt
import json
import logging

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from perceptron.models import MLP
from rosenblatt.data.columns import Columns
from rosenblatt.saved.folder import write
from rosenblatt.table.data import TableData
from rosenblatt.table.dates import date_order_of, date_parts_of
from rosenblatt.table.encoder import TableEncoder
from saved_models import dense_features, plain_probs, read, saved_model

WRITERS = {
    "%Y-%m-%d": "year first", "%Y/%m/%d": "year first", "%d.%m.%Y": "day first", "%m/%d/%Y": "month first",
    "%d/%m/%Y": "day first", "%d-%m-%Y": "day first", "%d.%m.%y": "day first",
}  # fmt: skip
TIMES = {
    "": "date", " %H:%M": "minute", "T%H:%M:%S": "second", " %H:%M:%S.%f": "all", "T%H:%M:%SZ": "second",
    "T%H:%M:%S+02:00": "second", " %I:%M %p": "minute", "T%H:%M:%S.%f-0530": "all",
}  # fmt: skip
MOMENTS = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2060, 1, 1))


def known_parts(moment, to):
    if to == "date":
        moment = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    elif to != "all":
        moment = moment.replace(microsecond=0, **({"second": 0} if to == "minute" else {}))
    days = (moment - dt.datetime(1970, 1, 1)) / dt.timedelta(days=1)
    return [days, moment.year, moment.month, moment.isoweekday(), (days % 1) * 24]


@settings(deadline=None, max_examples=150)
@given(st.lists(MOMENTS, min_size=1, max_size=10), st.sampled_from([*WRITERS]), st.sampled_from([*TIMES]))
def test_dates_that_anybody_writes_are_those_of_the_calendar(moments, date, time):
    assume("%y" not in date or all(1970 <= one.year < 2069 for one in moments))
    day_is_told = dt.datetime(2024, 12, 31)  # decides between day and month
    words = pl.Series([one.strftime(date + time) for one in [*moments, day_is_told]])
    order = date_order_of(words)
    assert (order.form, order.share) == (WRITERS[date], 1)
    found = np.stack([*date_parts_of(words, order.form).values()], axis=1)
    np.testing.assert_allclose(found[:-1], [known_parts(one, TIMES[time]) for one in moments], atol=1e-5)


@pytest.mark.parametrize(
    ("cells", "form", "other"),
    [
        (["01/02/2024", "03/04/2024"], "month first", "day first"),
        (["01.02.2024", "03.04.2024"], "day first", "month first"),
        (["01/02/2024", "13/04/2024"], "day first", ""),
        (["01/02/2024", "04/13/2024"], "month first", ""),
        (["2024-01-02"], "year first", ""),
        (["00:15", "23:59:59.5"], "time", ""),
    ],
)
def test_the_order_of_day_and_month_is_that_of_all_values_and_told(cells, form, other, caplog):
    caplog.set_level(logging.INFO)
    TableEncoder().fit(pl.DataFrame({"when": [*cells, cells[0].replace("4", "5").replace("00:1", "00:2")]}))
    message = caplog.records[0].getMessage()
    assert f"'when': dates are read as they are written: {form}, as in {cells[0]!r}" in message
    assert ("fits all values too" in message) == bool(other)
    assert other in message


@pytest.mark.parametrize(
    "cell", ["2024-02-30", "30.02.2024", "2024-13-01", "1.2.3", "25:00", "12:60", "10-20", "10:30-11:30", "EUR"]
)
def test_what_is_no_date_makes_no_column_of_dates(cell):
    encoder = TableEncoder()
    encoder.fit(pl.DataFrame({"x": [cell, "2024-01-01", "12:30"]}))
    assert f"x = {cell}" in encoder.names()


def calendar(num_rows=800, seed=0):
    random = np.random.default_rng(seed)
    start = dt.datetime(2023, 1, 1)
    moments = [start + dt.timedelta(minutes=int(one)) for one in random.integers(0, 2 * 365 * 24 * 60, num_rows)]
    return pl.DataFrame({"when": moments, "noise": random.normal(size=num_rows).round(3)})


RULES = {
    "weekend": lambda one: one.isoweekday() > 5,
    "spring": lambda one: one.month in (3, 4, 5),
    "office hours": lambda one: 9 <= one.hour < 17,
    "second year": lambda one: one.year == 2024,
    "after a day": lambda one: one > dt.datetime(2023, 9, 10),
}


def accuracy(frame, rule, tmp_path):
    frame = frame.with_columns(label=pl.Series(["yes" if rule(one) else "no" for one in calendar()["when"]]))
    frame.write_parquet(tmp_path / "a.parquet")
    data = TableData(str(tmp_path / "a.parquet"))
    data.setup()
    (features, target), (new, new_target) = data.splits["train"], data.splits["test"]
    torch.manual_seed(0)
    weights = torch.zeros(features.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    steps = torch.optim.Adam([weights, bias], lr=0.05)
    for _ in range(300):
        steps.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(features @ weights + bias, target.float()).backward()
        steps.step()
    return float(((new @ weights + bias > 0) == new_target.bool()).float().mean())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", ["typed", "written"])
def test_what_depends_on_the_calendar_is_learnt(rule, kind, tmp_path):
    frame = calendar()
    if kind == "written":
        frame = frame.with_columns(pl.col("when").dt.strftime("%d.%m.%Y %H:%M"))
    assert accuracy(frame, RULES[rule], tmp_path) > 0.93


def test_parts_that_do_not_differ_are_left_out_and_others_have_names():
    frame = pl.DataFrame({"day": [dt.date(2024, 5, 1 + i) for i in range(9)], "at": [dt.time(i, 30) for i in range(9)]})
    encoder = TableEncoder(bins=0)
    encoder.fit(frame.with_columns(same=pl.lit("2024-05-01")))
    names = ["day: days since 1970", "day: weekday", "at: hour"]
    assert encoder.names() == [one for name in names for one in (name, f"{name} is missing")]


def test_a_date_that_is_none_or_missing_is_the_mean_and_told_once(caplog):
    encoder = TableEncoder(bins=0)
    encoder.fit(pl.DataFrame({"when": ["2024-05-01", "2023-03-04", "NaT", None]}))
    rows = encoder.encode(pl.DataFrame({"when": ["2024-05-01", "soon", "01.05.2024", "", "-"]}), Columns(), "new")
    missing = rows[:, 1::2] > 0
    assert missing.any(dim=1).tolist() == missing.all(dim=1).tolist() == [False, True, True, True, True]
    (message,) = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert "new: 2 of 4 values in column 'when' are no dates (such as 'soon'); they count as missing." in message


def test_dates_are_kept_in_the_model_folder_and_explained(tmp_path):
    frame = calendar(50).with_columns(pl.col("when").dt.strftime("%m/%d/%Y %H:%M"))
    encoder = TableEncoder(bins=2)
    encoder.fit(frame)
    for make in (None, MLP):
        saved = saved_model(encoder, False, "binary", *([make] if make else []))
        write(saved, tmp_path / "model", "card")
        again = read(tmp_path / "model")
        assert json.dumps(again.encoder.facts()) == json.dumps(encoder.facts())
        new = pl.concat([calendar(20, seed=1).with_columns(pl.col("when").dt.strftime("%m/%d/%Y %H:%M")), frame[:3]])
        np.testing.assert_allclose(again.predict_proba(new), plain_probs(saved, new), atol=2e-6)
        typed = calendar(20, seed=1)
        np.testing.assert_array_equal(
            dense_features(again, typed.select("noise", "when")).shape, (20, len(encoder.names()))
        )
        for row, reasons in zip(new.to_dicts(), again.explain(new), strict=True):
            assert {name for name, _ in reasons} == {f"when = {row['when']}", f"noise = {row['noise']}"}


@pytest.mark.parametrize("form", ["%d-%b-%Y", "%d %B %Y", "%B %d, %Y", "%b %d %Y", "%d-%b-%y", "%d. %b. %Y"])
def test_names_of_months_are_read(form):
    days = [dt.date(2023, 1, 3) + dt.timedelta(days=29 * number) for number in range(30)]
    encoder, plain = TableEncoder(), TableEncoder()
    encoder.fit(pl.DataFrame({"when": [day.strftime(form) for day in days]}))
    plain.fit(pl.DataFrame({"when": [day.isoformat() for day in days]}))
    found = encoder.encode(pl.DataFrame({"when": [day.strftime(form) for day in days]}), Columns(), "new")
    assert (
        found.tolist()
        == plain.encode(pl.DataFrame({"when": [day.isoformat() for day in days]}), Columns(), "new").tolist()
    )


def test_a_date_with_the_year_first_is_read_beside_others():
    encoder = TableEncoder()
    encoder.fit(pl.DataFrame({"when": ["23.06.2023", "01.07.2023", "05.02.2024"] * 10}))
    found = encoder.encode(pl.DataFrame({"when": ["23.06.2023", "2023-06-23"]}), Columns(), "new")
    assert found[0].tolist() == found[1].tolist()


def test_one_date_beside_missing_ones_says_which_are_missing():
    encoder = TableEncoder()
    encoder.fit(pl.DataFrame({"approved": ["2024-01-05", None] * 15}))
    assert "approved: days since 1970 is missing" in encoder.names()
