"""Sweeps that are refused, each with one message."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from conftest import SMALL
from swept import FIRST, GRID, SEARCH, runs, swept_grid


def test_data_that_have_changed_are_refused(sweep, reviews):
    words = ("-m", "data=text", f"data.train={reviews}", "lr=0.1,0.01", "trainer.max_epochs=1", "sweep.name=first")
    assert sweep(*words).status == 0
    reviews.write_text(reviews.read_text() + "a new one,positive\n")
    done = sweep(*words)
    assert done.status == 1
    assert f"the file {reviews} has changed" in done.err


def test_a_configuration_file_that_is_broken_is_told_with_its_place(sweep, configs):
    (configs / "optimizer" / "adam.yaml").write_text("lr: 1\nlr: 2\n")
    done = sweep("-m", f"--config-path={configs}", *SMALL, "lr=0.1,0.2", "sweep.name=first")
    assert done.status == 1
    assert "Traceback" not in done.err
    assert "adam.yaml" in done.out + done.err


def test_another_sweep_under_the_same_name_is_refused_with_the_difference(sweep):
    swept_grid()
    before = {path: path.stat().st_mtime_ns for path in FIRST.rglob("*") if ".locks" not in path.parts}
    for words, message in (
        ((*GRID[:-2], "lr=0.1,0.02", "sweep.name=first"), "lr was 0.1|0.01, and is 0.1|0.02 now"),
        ((*GRID, "seed=3"), "seed was 0, and is 3 now"),
        ((*GRID, "sweep.seeds=2"), "sweep.seeds was 1, and is 2 now"),
        (("-m", *GRID[2:]), "data.num_train was 400, and is "),
        (SEARCH, "was started with other settings"),
    ):
        done = sweep(*words)
        assert done.status == 1
        assert message in done.err
    assert {path: path.stat().st_mtime_ns for path in FIRST.rglob("*") if ".locks" not in path.parts} == before


def test_files_that_were_edited_refuse_the_sweep_where_its_jobs_would_be_others(sweep, configs):
    words = ("-m", f"--config-path={configs}", *GRID[1:])
    sgd = configs / "optimizer" / "sgd.yaml"
    sweep(*words)
    sgd.write_text(sgd.read_text() + "# a comment\n")
    (configs / "optimizer" / "new.yaml").write_text("lr: 1\n")
    assert sweep(*words).status == 0
    sgd.write_text(sgd.read_text().replace("weight_decay: 0.0", "weight_decay: 0.1"))
    done = sweep(*words)
    assert done.status == 1
    assert "optimizer.weight_decay with optimizer=sgd was 0.0, and is 0.1 now" in done.err


def test_a_sweep_of_an_earlier_version_is_told(sweep):
    FIRST.mkdir(parents=True)
    (FIRST / "sweep.json").write_text('{"format": 1, "fixed": [], "varies": []}')
    done = sweep(*GRID)
    assert done.status == 1
    assert "this sweep was begun by an earlier version of this program" in done.err
    assert done.err.count("\n") == 1


BAD = [
    (("-m",), "nothing varies"),
    (("-m", "lr=0.1"), "nothing varies"),
    (("-m", "lr=0.1,0.2", "sweep.seeds=0"), "sweep.seeds: expected a whole number of at least 1; got 0."),
    (("-m", "lr=0.1,0.2", "sweep.name=a/b"), "sweep.name=a/b: expected letters"),
    (("-m", "lr=0.1,0.2", "sweep.objective=val/los"), "Did you mean 'val/loss'?"),
    (("-m", "lr=0.1,0.2", "sweep.objective=val/p_at_1"), "got 'val/p_at_1'"),
    (("-m", "lr=0.1,0.2", "sweep.objective=[]"), "expected a metric, such as val/loss"),
    (("-m", "lr=0.1,0.2", "sweep.max_failures=-1"), "sweep.max_failures: expected null or a whole number"),
    (("-m", "lr=0.1,0.2", "sweep.seeds=1,2"), "settings of the sweep itself do not vary"),
    (("-m", "lr=0.1,0.2", "seed=1,2", "sweep.seeds=2"), "it varies already"),
    (("-m", "sweep=optuna", "lr=tag(log,interval(0,1))"), "with log a range begins above 0"),
    (("-m", "sweep=optuna", "lr=interval(0.1,1)", "sweep.sampler=tep"), "Did you mean 'tpe'?"),
    (("-m", "sweep=optuna", "lr=interval(0.1,1)", "sweep.pruner=medium"), "Did you mean 'median'?"),
    (("-m", "sweep=optuna", "lr=interval(0.1,1)", "sweep.trials=0"), "sweep.trials: expected a whole number"),
    (("-m", "sweep=optuna", "+sweep.space={lr: 0.1}"), "sweep.space.lr=0.1: expected what varies"),
    (("-m", "sweep=optuna", "+sweep.space={lr: intervall(1)}"), "sweep.space"),
    (("-m", "sweep=optuna", "lr=interval(0.1,1)", "sweep.storage=sqlite:////no/x.db", "sweep.name=a"), "can't be"),
    (("-m", "sweep=grid,optuna", "lr=1,2"), "settings of the sweep itself do not vary"),
    (("-m", "lr=1,2", "seed=abc"), "seed: expected a whole number from 0"),
    (("-m", "lr=0.1,0.2", "hydra/launcher=submitit_slurm"), "hydra/launcher: it can't start jobs"),
    (("-m", "sweep=grids", "lr=1,2"), "sweep=grids: no such choice"),
    (("-m", "lr=0.1,0.2", "resume=logs/sweeps/first"), "resume=... goes on with one run"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_wrong_use_is_one_message_before_any_job(sweep, words, message):
    done = sweep(*words)
    assert done.status == 1
    assert message in done.err
    assert done.err.count("\n") == 1, done.err
    assert not list(Path("logs").rglob("metrics.json"))
    assert not list(Path("logs").rglob("failure.json"))


def test_a_name_is_not_spent_on_a_sweep_that_never_began(sweep):
    words = ("-m", *SMALL, "sweep=optuna", "sweep.trials=2", "lr=interval(0.1,1)", "sweep.name=first")
    assert sweep(*words, "sweep.storage=sqlite:////no/such/x.db").status == 1
    done = sweep(*words, "sweep.storage=sqlite:///x.db")
    assert done.status == 0, done.err
    assert len(runs()) == 2


def test_a_job_on_several_devices_is_refused(sweep):
    done = sweep("-m", *SMALL, "lr=0.1,0.2", "trainer.devices=2", "trainer.accelerator=cpu", "sweep.name=first")
    assert done.status == 1
    assert done.out.count("a job of a sweep trains on one device") == 4


def test_settings_of_a_sweep_are_ignored_in_a_run_alone_with_a_word(train):
    done = train(*SMALL, "sweep.seeds=3")
    assert done.status == 0
    assert "sweep.seeds is ignored" in done.out
    assert "sweep" not in yaml.safe_load((done.run / "config.yaml").read_text())
