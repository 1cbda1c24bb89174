"""Searches that go on as if nothing had been, and that several processes share."""

from __future__ import annotations

import itertools

import optuna
import pytest
from optuna.distributions import IntDistribution

from rosenblatt.errors import UserError
from rosenblatt.sweeps.dimensions import Choices, Interval
from rosenblatt.sweeps.folder import SweepFolder
from rosenblatt.sweeps.leaderboard import Row
from rosenblatt.sweeps.plan import Plan
from rosenblatt.sweeps.settings import SAMPLERS, Settings
from rosenblatt.sweeps.study import Study, distribution, storage_of

SPACE = [
    Choices("optimizer", ("adam", "sgd")),
    Interval("lr", 1e-4, 1.0, None, True, False),
    Interval("n", 1, 9, 2, False, True),
    Interval("x", 0.0, 1.0, 0.25, False, False),
]
LOSS = {"val/loss": "min"}


def value_of(setting):
    """A loss with a minimum at lr=0.1, n=5, x=0.5 and adam."""
    away = abs(float(setting["lr"]) - 0.1) + abs(int(setting["n"]) - 5) + abs(float(setting["x"]) - 0.5)
    return away + (setting["optimizer"] == "sgd")


def row(trial, state="done"):
    means = {"val/loss": value_of(trial.setting), "seconds": 1.0}
    return Row(trial, state, means if state == "done" else {}, {}, 1, [str(trial.number)])


def plan(path, num_trials=20, at_once=1, sampler="tpe", place="here", storage=None, seed=0, objectives=LOSS):
    path.mkdir(exist_ok=True)
    settings = Settings("optuna", [seed], objectives, trials=num_trials, sampler=sampler, storage=storage)
    study = Study(storage_of(path, storage), "study", SPACE, settings, place)
    return Plan(SweepFolder(path), settings, SPACE, at_once, study)


def finished(plan):
    """Run a plan to its end, and return all settings by number."""
    found = {}
    while trials := plan.take():
        for trial in trials:
            assert trial.number not in found
            found[trial.number] = trial.setting
            plan.tell(row(trial))
    return found


SOAK = [(sampler, at_once) for sampler in SAMPLERS for at_once in (1, 3) if (sampler, at_once) != ("tpe", 3)]


@pytest.mark.parametrize(
    ("sampler", "at_once"), [("tpe", 3), *(pytest.param(*one, marks=pytest.mark.soak) for one in SOAK)]
)
def test_a_search_that_is_killed_after_any_step_goes_on_to_the_same_trials(tmp_path, sampler, at_once):
    whole = finished(plan(tmp_path / "whole", at_once=at_once, sampler=sampler))
    assert len(whole) == 20
    # Killed after each trial that was asked for, and in some groups after some that were told of.
    found = {}
    for told in itertools.count():
        trials = plan(tmp_path / "killed", at_once=at_once, sampler=sampler).take()
        if not trials:
            break
        again = plan(tmp_path / "killed", at_once=at_once, sampler=sampler)
        trials = again.take()  # those of the process that was killed
        for trial in trials[: 1 + told % len(trials)]:
            found[trial.number] = trial.setting
            again.tell(row(trial))
        del again
    assert found == whole


def test_settings_are_within_the_space_and_another_seed_proposes_others(tmp_path):
    found = finished(plan(tmp_path / "a"))
    for setting in found.values():
        assert setting["optimizer"] in ("adam", "sgd")
        assert 1e-4 <= float(setting["lr"]) <= 1
        assert setting["n"] in {"1", "3", "5", "7", "9"}
        assert float(setting["x"]) in {0, 0.25, 0.5, 0.75, 1}
    assert found != finished(plan(tmp_path / "b", seed=1))


def test_processes_that_share_a_folder_run_no_trial_twice(tmp_path):
    plans = [plan(tmp_path) for _ in range(4)]
    found = []
    while any(taken := [one.take() for one in plans]):
        numbers = [trial.number for trials in taken for trial in trials]
        assert len(set(numbers)) == len(numbers)
        found += numbers
        for one, trials in zip(plans, taken, strict=True):
            for trial in trials:
                one.tell(row(trial))
    assert sorted(found) == list(range(20))


def test_machines_with_folders_of_their_own_leave_each_other_s_trials_alone(tmp_path):
    url = f"sqlite:///{tmp_path}/shared.db"
    here, there = (plan(tmp_path / name, num_trials=6, place=name, storage=url) for name in ("here", "there"))
    (first,) = here.take()
    (second,) = there.take()
    assert (first.number, second.number) == (0, 1)
    again = plan(tmp_path / "here", num_trials=6, place="here", storage=url)
    (third,) = again.take()
    assert third.number == 2  # `here` still holds the first
    again.tell(row(third))
    here.tell(row(first))
    there.tell(row(second))
    numbers = [*finished(here), *finished(there)]
    assert sorted(numbers) == [3, 4, 5]
    assert here.num_left() == there.num_left() == 0


def test_failures_and_pruned_trials_are_told_and_count(tmp_path):
    some = plan(tmp_path, num_trials=3)
    for state in ("failed", "pruned", "done"):
        (trial,) = some.take()
        some.tell(row(trial, state))
    assert some.take() == []
    states = [one.state.name for one in some.study.trials()]
    assert states == ["FAIL", "PRUNED", "COMPLETE"]


def test_what_decides_most_has_the_largest_importance(tmp_path):
    some = plan(tmp_path, num_trials=60, sampler="random")
    finished(some)
    found = some.study.importances()
    assert max(found, key=found.get) == "n"
    assert sum(found.values()) == pytest.approx(1)
    assert plan(tmp_path / "empty").study.importances() == {}


@pytest.mark.parametrize(
    "url", ["sqlite:////no/such/folder/x.db", "nothing", "postgresql://nowhere/x", "/no/such/x.journal"]
)
def test_a_storage_that_cannot_be_reached_is_told(tmp_path, url):
    with pytest.raises(UserError, match=r"sweep\.storage="):
        storage_of(tmp_path, url)


def test_a_study_of_something_else_is_told(tmp_path):
    optuna.create_study(storage=storage_of(tmp_path, None), study_name="study").ask({})
    with pytest.raises(UserError, match=r"has a study of that name with other objectives or another space"):
        plan(tmp_path)
    plan(tmp_path / "ours")
    with pytest.raises(UserError, match=r"other objectives"):
        plan(tmp_path / "ours", objectives={"val/acc": "max"})


@pytest.mark.soak
@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "random"])
def test_each_sampler_learns_from_what_it_is_told(tmp_path, sampler):
    found = finished(plan(tmp_path, num_trials=160, sampler=sampler))
    values = [value_of(setting) for setting in found.values()]
    assert sum(values[-30:]) / 30 < 0.7 * sum(values[:30]) / 30


def test_machines_with_the_same_seed_propose_different_trials(tmp_path):
    url = f"sqlite:///{tmp_path}/shared.db"
    settings = []
    for place in ("here", "there"):
        some = plan(tmp_path / place, num_trials=4, place=place, storage=url)
        (trial,) = some.take()
        settings.append(trial.setting)
    assert settings[0]["lr"] != settings[1]["lr"]


def test_whole_numbers_without_a_step_are_one_apart():
    assert distribution(Interval("n", 1, 6, None, False, True)) == IntDistribution(1, 6, step=1)
    assert distribution(Interval("n", 1, 9, 2, False, True)) == IntDistribution(1, 9, step=2)


def test_optuna_says_nothing_of_its_own():
    assert optuna.logging.get_verbosity() == optuna.logging.ERROR
