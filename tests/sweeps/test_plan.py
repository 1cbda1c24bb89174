"""Which trials of a grid are next, where several processes work on one sweep."""

from __future__ import annotations

from pathlib import Path

from rosenblatt.sweeps.dimensions import Choices
from rosenblatt.sweeps.folder import SweepFolder
from rosenblatt.sweeps.jobs import jobs_of
from rosenblatt.sweeps.leaderboard import row_of
from rosenblatt.sweeps.plan import Plan
from rosenblatt.sweeps.settings import Settings

SETTINGS = Settings("grid", [0], {"val/loss": "min"})


def plan_of(path: Path, at_once: int) -> Plan:
    return Plan(SweepFolder(path), SETTINGS, [Choices("lr", ["1", "2", "3"])], at_once)


def end(plan: Plan, number: int) -> None:
    """End a trial with a result, as a job does."""
    trial = plan._grid[number]
    (job,) = jobs_of(plan.folder.path, trial, SETTINGS.seeds)
    job.write()
    job.run.write_json("metrics.json", {"val/loss": 0.5})
    plan.tell(row_of([job.look(SETTINGS.objectives)]))


def test_a_trial_is_taken_once_however_many_are_given_at_a_time(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, at_once=8)
    assert [trial.number for trial in plan.take()] == [0, 1, 2]


def test_a_trial_of_a_process_that_died_is_taken_by_the_one_that_is_left(tmp_path: Path) -> None:
    first, second = plan_of(tmp_path, at_once=1), plan_of(tmp_path, at_once=1)
    assert [trial.number for trial in first.take()] == [0]
    for number in (1, 2):
        assert [trial.number for trial in second.take()] == [number]
        end(second, number)
    assert second.take() == []  # the first one is at work on what is left
    first.folder.let_go(0)  # as the system does with the lock of a process that ends
    assert [trial.number for trial in second.take()] == [0]
    end(second, 0)
    assert second.take() == []
    assert second.num_left() == 0
