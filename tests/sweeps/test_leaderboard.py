"""Means, ranks and tables of trials."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rosenblatt.sweeps.dimensions import Trial
from rosenblatt.sweeps.jobs import Job
from rosenblatt.sweeps.leaderboard import (
    as_csv,
    as_markdown,
    cell,
    leaderboard_table,
    ranked,
    row_of,
    table_of,
)

LOSS = {"val/loss": "min"}


def row(number, *values, state="done", name="val/loss", **more):
    trial = Trial(number, {"lr": f"0.{number + 1}", "optimizer": "adam"})
    folders = [Path(f"{number}_seed-{seed}") for seed in range(max(len(values), 1))]
    if not values:
        return row_of([Job(trial, 0, folders[0], state, reason="why")])
    found = [{name: value, "seconds": 1.5} | more for value in values]
    return row_of([Job(trial, seed, folders[seed], state, metrics) for seed, metrics in enumerate(found)])


@given(st.lists(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3), min_size=1, max_size=20))
def test_trials_are_ranked_by_the_mean_over_their_seeds(values):
    rows = [row(i, *some) for i, some in enumerate(values)]
    found = ranked(rows, LOSS)
    means = [one.means["val/loss"] for one in found]
    assert means == sorted(means)
    assert [one.rank for one in found] == list(range(1, len(values) + 1))
    for one in rows:
        some = values[one.trial.number]
        assert one.means["val/loss"] == pytest.approx(np.mean(some), abs=1e-9)
        assert one.spreads["val/loss"] == pytest.approx(np.std(some, ddof=1), abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_with_two_objectives_no_trial_stands_before_one_that_beats_it(values):
    rows = [row(i, loss, name="val/loss", **{"val/acc": float(acc)}) for i, (loss, acc) in enumerate(values)]
    found = ranked(rows, {**LOSS, "val/acc": "max"})
    pairs = [(one.means["val/loss"], -one.means["val/acc"]) for one in found]
    for i, late in enumerate(pairs):
        beaten_by_later = [p for p in pairs[i + 1 :] if p != late and p[0] <= late[0] and p[1] <= late[1]]
        assert not beaten_by_later


def test_trials_without_a_result_come_last_and_have_no_rank():
    rows = [row(0, state="failed"), row(1, 0.5, state="pruned"), row(2, 0.9), row(3, state="open"), row(4, 0.7)]
    found = ranked(rows, LOSS)
    assert [one.trial.number for one in found] == [4, 2, 1, 3, 0]
    assert [one.rank for one in found] == [1, 2, 3, None, None]


def test_a_trial_of_which_one_seed_failed_has_failed():
    jobs = [Job(Trial(0, {}), seed, Path(str(seed)), "done", {"val/loss": 0.1}) for seed in range(2)]
    jobs.append(Job(Trial(0, {}), 2, Path("2"), "failed", reason="out of memory"))
    found = row_of(jobs)
    assert (found.state, found.reason) == ("failed", "out of memory")
    assert ranked([found], LOSS)[0].rank is None


def test_csv_and_markdown_hold_what_is_ranked():
    rows = [row(0, 0.25, 0.75), row(1, 0.125, 0.125), row(2, state="failed")]
    table = table_of(ranked(rows, LOSS), LOSS)
    found = pl.read_csv(io.StringIO(as_csv(table)))
    assert found["rank"].to_list() == [1, 2, None]
    assert found["val/loss"].to_list() == [0.125, 0.5, None]
    assert found["val/loss spread"].to_list() == [0.0, pytest.approx(0.353553, abs=1e-6), None]
    assert found["state"].to_list() == ["done", "done", "failed"]
    assert found["reason"].to_list()[2] == "why"
    lines = as_markdown(table).splitlines()
    assert lines[0].startswith("| rank | lr | optimizer | val/loss |")
    assert lines[2].startswith("| 1 | 0.2 | adam | 0.1250 |")
    assert len(lines) == 5


@pytest.mark.parametrize("width", [80, 200])
def test_the_table_fits_a_terminal_and_shows_no_figure_in_two_lines(width):
    rows = ranked([row(i, 0.1 * i, 0.1, **{"val/acc": 0.9, "epochs": 3}) for i in range(30)], LOSS)
    console = Console(width=width, file=io.StringIO())
    console.print(leaderboard_table(rows, LOSS))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0].strip() == "Leaderboard of 30, the first 20"
    assert len([line for line in lines if "adam" in line]) == 20


def test_what_varies_is_shown_even_where_there_is_little_room():
    rows = ranked([row(i, 0.1, 0.1 + i, **{"val/acc": 0.9, "seconds_training": 1.0}) for i in range(3)], LOSS)
    console = Console(width=40, file=io.StringIO())
    console.print(leaderboard_table(rows, LOSS, 40))
    heading = console.file.getvalue().splitlines()[2].split()
    assert heading == ["rank", "lr", "optimizer", "val/loss"]
    assert all(len(line) <= 40 for line in console.file.getvalue().splitlines())


def test_a_huge_figure_does_not_blow_up_the_table():
    assert cell(7.98372427e27) == "7.984e+27"
    assert (cell(0.5), cell(3.0), cell(None), cell("x")) == ("0.5000", "3", "", "x")


def test_the_columns_are_what_varies_the_objective_and_what_is_known_besides():
    found = table_of(ranked([row(0, 0.5, **{"val/acc": 0.9, "val/f1": 0.8})], LOSS), LOSS)
    names = [
        "rank",
        "lr",
        "optimizer",
        "val/loss",
        "val/acc",
        "val/f1",
        "epochs",
        "seconds",
        "state",
        "reason",
        "folder",
    ]
    assert list(found[0]) == names


def test_failures_are_shown_where_there_is_nothing_else():
    def shown(rows):
        console = Console(width=120, file=io.StringIO())
        console.print(leaderboard_table(ranked(rows, LOSS), LOSS))
        return console.file.getvalue().count("failed")

    assert shown([row(0, 0.5), row(1, state="failed")]) == 0
    assert shown([row(0, state="failed"), row(1, state="failed")]) == 2


def test_no_trial_is_no_table():
    assert (as_csv([]), as_markdown([])) == ("", "")
