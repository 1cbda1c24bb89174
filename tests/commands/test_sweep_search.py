"""Searches: Optuna proposes what is tried."""

from __future__ import annotations

import polars as pl

from conftest import SMALL
from swept import FIRST, SEARCH, board, metrics, runs


def test_a_search_tries_as_many_trials_as_wanted_and_more_when_more_are_wanted(sweep):
    done = sweep(*SEARCH)
    assert done.status == 0, done.err
    assert len(runs()) == 6
    assert board()["rank"].to_list() == list(range(1, 7))
    before = {run.name: metrics(run) for run in runs()}
    more = sweep(*[word.replace("trials=6", "trials=8") for word in SEARCH])
    assert "8 jobs, 6 of them done before" in more.out
    assert len(runs()) == 8
    assert {name: metrics(FIRST / name) for name in before} == before


def test_a_space_can_stand_in_a_file_and_another_seed_tries_other_settings(sweep):
    words = ("-m", *SMALL, "sweep=optuna", "sweep.trials=3", '+sweep.space={lr: "interval(0.01, 0.1)"}')
    sweep(*words, "sweep.name=first")
    sweep(*words, "sweep.name=second", "seed=1")
    first, second = (pl.read_csv(f"logs/sweeps/{name}/leaderboard.csv")["lr"].to_list() for name in ("first", "second"))
    assert len(set(first)) == 3
    assert not set(first) & set(second)
    assert all(0.01 <= lr <= 0.1 for lr in first + second)


def test_what_varies_can_be_typed_as_a_space_too(sweep):
    words = ("-m", *SMALL, "sweep=optuna", "sweep.trials=2", "optimizer=sgd", "sweep.space.lr=interval(0.1,1)")
    more = "+sweep.space={optimizer.momentum: 'choice(0.1,0.2)'}"  # which sgd.yaml does not name
    done = sweep(*words, more, "sweep.name=first")
    assert done.status == 0, done.err
    assert board().columns[1:3] == ["lr", "optimizer.momentum"]


def test_several_objectives_have_a_front(sweep):
    done = sweep(*SEARCH, "sweep.objective=[val/acc,epochs]")
    assert done.status == 0, done.err
    assert board().columns[3:5] == ["val/acc", "epochs"]


def test_bad_trials_are_stopped_early(sweep):
    words = (
        "-m", *SMALL[:3], "trainer.max_epochs=6", "sweep=optuna", "sweep.trials=9", "sweep.name=first",
        "sweep.pruner=median", "lr=tag(log,interval(1e-5,1))", "early_stopping.patience=null",
    )  # fmt: skip
    done = sweep(*words)
    assert done.status == 0, done.err
    pruned = [run for run in runs() if metrics(run).get("pruned")]
    assert pruned
    assert all(metrics(run)["epochs"] < 6 for run in pruned)
    assert all(metrics(run)["epochs"] == 6 for run in runs() if run not in pruned)
    assert board().filter(pl.col("state") == "pruned").height == len(pruned)
    assert "stopped early" in done.out
