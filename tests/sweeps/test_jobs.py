"""What has become of a job, as its folder tells."""

from __future__ import annotations

import json

import pytest

from rosenblatt.run.folder import RunFolder
from rosenblatt.sweeps.dimensions import Trial
from rosenblatt.sweeps.jobs import Job, finish, jobs_in, jobs_of


@pytest.fixture
def job(tmp_path):
    made = Job(Trial(3, {"lr": "0.1"}), 5, tmp_path / "003_lr-0.1")
    made.write(sweep={"objectives": ["val/loss"]})
    return made


def test_a_job_is_read_back_from_its_folder(job, tmp_path):
    assert Job.read(job.folder) == job
    assert jobs_in(tmp_path) == [job]
    assert Job.read(tmp_path) is None


def test_a_job_goes_from_open_to_done(job):
    assert job.look(["val/loss"]).state == "open"
    (job.folder / "config.yaml").write_text("")
    assert job.look(["val/loss"]).state == "cut off"
    run = RunFolder(job.folder)
    run.lock()
    assert job.look(["val/loss"]).state == "running"
    run.unlock()
    assert job.look(["val/loss"]).state == "cut off"
    (job.folder / "metrics.json").write_text(json.dumps({"val/loss": 0.5, "interrupted": True}))
    assert job.look(["val/loss"]).state == "cut off"
    (job.folder / "metrics.json").write_text(json.dumps({"val/loss": 0.5, "interrupted": False}))
    assert job.look(["val/loss"]).state == "done"
    (job.folder / "metrics.json").write_text(json.dumps({"val/loss": 0.5, "pruned": True}))
    assert job.look(["val/loss"]).state == "pruned"


def test_a_job_that_does_not_report_the_objective_says_what_there_is(job):
    (job.folder / "metrics.json").write_text(json.dumps({"valid/mae": 0.5, "epochs": 3, "interrupted": False}))
    found = job.look(["valid/mea"])
    assert found.state == "failed"
    assert "got 'valid/mea'; a run reports 'valid/mae', 'epochs'. Did you mean 'valid/mae'?" in found.reason


@pytest.mark.parametrize("value", [None, "high", float("nan")])
def test_a_job_whose_objective_is_no_number_has_failed(job, value):
    (job.folder / "metrics.json").write_text(json.dumps({"val/loss": value}))
    found = job.look(["val/loss"])
    assert found.state == "failed"
    assert found.reason.startswith("val/loss is no number")


def test_a_failure_has_its_reason_until_it_is_forgotten(job):
    job.fail("out of memory")
    assert job.look(["val/loss"]).reason == "out of memory"
    job.forget_failure()
    assert job.look(["val/loss"]).state == "open"


def test_to_look_at_a_run_keeps_nobody_from_training_there(job):
    run = RunFolder(job.folder)
    for _ in range(20):
        assert not job.run.locked
        run.lock()
        run.unlock()


def test_each_seed_has_a_folder_of_its_own(tmp_path):
    trial = Trial(0, {"lr": "1"})
    assert [job.folder.name for job in jobs_of(tmp_path, trial, [7])] == ["000_lr-1"]
    several = jobs_of(tmp_path, trial, [7, 8])
    assert [job.folder.name for job in several] == ["000_lr-1_seed-7", "000_lr-1_seed-8"]
    assert [job.words for job in several] == ["lr=1 seed=7", "lr=1 seed=8"]


def test_seeds_that_vary_are_named_once(tmp_path):
    (job,) = jobs_of(tmp_path, Trial(0, {"seed": "0"}), [0])
    assert (job.folder.name, job.words) == ("000_seed-0", "seed=0")


def test_a_job_whose_process_dies_is_started_three_times(tmp_path):
    launched = []

    def dies(jobs):
        for one in jobs:
            one.write()
            (one.folder / "config.yaml").touch()
        launched.append(len(jobs))
        return "", False

    jobs = jobs_of(tmp_path, Trial(0, {"lr": "1"}), [0])
    finish(jobs, tmp_path, ["val/loss"], dies)
    found = jobs[0].look(["val/loss"])
    assert (launched, found.state) == ([1, 1, 1], "failed")
    assert found.reason == "its process died 3 times: it left no result"
