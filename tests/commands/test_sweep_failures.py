"""Jobs of a sweep that fail, each with its reason, and no other job for it."""

from __future__ import annotations

from conftest import SMALL
from swept import FIRST, board, runs


def test_failures_are_recorded_with_their_reason_and_the_others_go_on(sweep):
    words = ("-m", *SMALL, "lr=0.1,-1,0.01", "model=perceptron,mlp", "sweep.name=first")
    done = sweep(*words)
    assert done.status == 0
    assert len(runs()) == 4
    assert board()["state"].to_list() == ["done"] * 4 + ["failed"] * 2
    assert done.out.count("failed: lr=-1 ") == 2
    assert "lr: expected a number above 0" in done.out
    assert "lr: expected a number above 0" in (FIRST / "002_lr--1_model-perceptron" / "train.log").read_text()
    assert "Traceback" not in done.out + done.err
    assert "6 of them done before" in sweep(*words).out
    assert sweep(*words, "sweep.max_failures=2").status == 0
    assert sweep(*words, "sweep.max_failures=1").status == 1
    assert "5/6  lr=-1 " in sweep(*words, "sweep.retry_failed=true").out


def test_a_sweep_of_which_all_jobs_fail_is_a_failure(sweep):
    done = sweep("-m", *SMALL, "lr=-1,-2", "sweep.name=first")
    assert done.status == 1
    assert not (FIRST / "winner.json").exists()


def test_a_job_that_runs_to_nan_has_failed(sweep):
    done = sweep("-m", *SMALL, "optimizer=sgd", "lr=1e38,0.1", "data.spread=1e18,1", "sweep.name=first")
    assert done.status == 0, done.err
    failed = [line for line in board().iter_rows(named=True) if line["state"] == "failed"]
    assert failed
    assert all("val/loss became" in line["reason"] for line in failed)


def test_a_third_of_the_jobs_may_fail(sweep, train):
    words = ("-m", *SMALL, "optimizer=sgd", "lr=0.1,0.2,0.05,0.01,1e38,-1", "data.spread=1e18", "sweep.name=first")
    done = sweep(*words)
    assert done.status == 0, done.err
    assert board()["state"].to_list() == ["done"] * 4 + ["failed"] * 2
    assert "val/loss became" in done.out
    assert "expected a number above 0" in done.out
