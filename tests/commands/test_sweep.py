"""Sweeps, run in this process as a user runs them from the shell."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import statistics
from pathlib import Path

import polars as pl
import pytest
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from conftest import SMALL
from rosenblatt.commands import job, messages, sweep_identity

GRID = ("-m", *SMALL, "optimizer=adam,sgd", "lr=0.1,0.01", "sweep.name=first")
SEARCH = (
    "-m", *SMALL, "sweep=optuna", "sweep.trials=6", "sweep.name=first", "optimizer=adam,sgd",
    "lr=tag(log,interval(1e-3,1))",
)  # fmt: skip
FIRST = Path("logs/sweeps/first")


@pytest.fixture
def sweep(program):
    def run(*words):
        return program("train.py", *words)

    return run


@pytest.fixture
def configs(tmp_path, monkeypatch):
    """A copy of configs/ that may be edited."""
    copy = tmp_path / "configs"
    shutil.copytree(messages.CONFIGS, copy)
    monkeypatch.setattr(sweep_identity, "CONFIGS", copy)
    return copy


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def without_times(content):
    return {key: value for key, value in content.items() if not key.startswith("seconds")}


def runs():
    return sorted(path.parent for path in FIRST.glob("*/metrics.json"))


def board():
    return pl.read_csv(FIRST / "leaderboard.csv")


def test_a_grid_runs_every_combination_and_its_winner_is_measured_on_test(sweep, train):
    done = sweep(*GRID, "figures=default")
    assert done.status == 0, done.err
    assert [run.name for run in runs()] == [
        "000_optimizer-adam_lr-0.1", "001_optimizer-adam_lr-0.01", "002_optimizer-sgd_lr-0.1",
        "003_optimizer-sgd_lr-0.01",
    ]  # fmt: skip
    found = board()
    losses = {run.name: metrics(run)["val/loss"] for run in runs()}
    assert found["folder"].to_list() == sorted(losses, key=losses.get)
    assert found["val/loss"].to_list() == sorted(losses.values())
    assert not any(key.startswith("test/") for run in runs() for key in metrics(run))
    assert [path.parent.name for path in FIRST.glob("*/evaluation.json")] == [found["folder"][0]]
    winner = json.loads((FIRST / "winner.json").read_text())
    words = shlex.split(winner["command"])[2:]
    alone = train(*words).metrics
    assert alone["test/acc"] == winner["test"]["test/acc"] == found["test/acc"][0]
    assert {key: alone[key] for key in winner["validation"] if key in ("val/loss", "val/acc")} == {
        key: winner["validation"][key] for key in ("val/loss", "val/acc")
    }
    assert found["test/acc"][1:].null_count() == 3
    for said in ("4/4", "Leaderboard of 4", winner["command"], "report.html, leaderboard.csv, overview.png"):
        assert said in done.out
    page = (FIRST / "report.html").read_text()
    assert winner["command"] in page
    assert all(f"<td>{loss:.4f}</td>" in page for loss in losses.values())
    assert all((FIRST / f"overview.{suffix}").stat().st_size > 5000 for suffix in ("png", "svg"))


def test_a_job_is_the_run_that_it_would_be_alone(sweep, train):
    sweep(*GRID)
    alone = train(*SMALL, "optimizer=sgd", "lr=0.1", "hydra.run.dir=alone", run="alone").metrics
    found = metrics(FIRST / "002_optimizer-sgd_lr-0.1")
    same = [name for name in found if name.split("/")[0] in ("train", "epochs", "best_epoch", "steps")]
    assert len(same) > 5
    assert {name: found[name] for name in same} == {name: alone[name] for name in same}
    assert found["val/loss"] == alone["val/loss"]


def test_the_same_command_again_does_nothing_and_one_that_was_cut_off_only_what_is_left(sweep):
    sweep(*GRID)
    times = {path: path.stat().st_mtime_ns for path in FIRST.glob("*/metrics.json")}
    done = sweep(*GRID)
    assert "4 jobs, 4 of them done before" in done.out
    assert "1/4" not in done.out
    assert {path: path.stat().st_mtime_ns for path in FIRST.glob("*/metrics.json")} == times
    cut = FIRST / "001_optimizer-adam_lr-0.01"
    whole = metrics(cut)
    for name in ("metrics.json", "winner.json", "leaderboard.csv"):
        (cut / name if name == "metrics.json" else FIRST / name).unlink()
    shutil.rmtree(FIRST / "003_optimizer-sgd_lr-0.01")
    before = {path: number for path, number in times.items() if path.exists()}
    done = sweep(*GRID)
    assert done.status == 0, done.err
    assert "2 of them done before" in done.out
    assert without_times(metrics(cut)) == without_times(whole)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert board()["rank"].to_list() == [1, 2, 3, 4]


def test_words_may_come_in_another_order(sweep):
    sweep(*GRID)
    before = board()
    done = sweep("-m", "sweep.name=first", "lr=0.1,0.01", *SMALL[::-1], "optimizer=adam,sgd")
    assert done.status == 0, done.err
    assert "1/4" not in done.out
    assert board().equals(before)
    assert len(runs()) == 4


def test_data_that_have_changed_are_refused(sweep, reviews):
    words = ("-m", "data=text", f"data.train={reviews}", "lr=0.1,0.01", "trainer.max_epochs=1", "sweep.name=first")
    assert sweep(*words).status == 0
    reviews.write_text(reviews.read_text() + "a new one,positive\n")
    done = sweep(*words)
    assert done.status == 1
    assert f"the file {reviews} has changed" in done.err


def test_a_configuration_file_that_is_broken_is_told_with_its_place(sweep, configs, monkeypatch):
    (configs / "optimizer" / "adam.yaml").write_text("lr: 1\nlr: 2\n")
    sweep("-m", *SMALL, "lr=0.1,0.2", "sweep.name=other")  # makes the copy, of which jobs are composed
    done = sweep("-m", *SMALL, "lr=0.1,0.2", "sweep.name=first")
    assert done.status == 1
    assert "Traceback" not in done.err
    assert "adam.yaml" in done.out + done.err


def test_a_range_leaves_out_its_end(sweep):
    sweep("-m", *SMALL, "lr=range(0.1,0.4,0.1)", "sweep.name=first")
    assert sorted(board()["lr"].to_list()) == pytest.approx([0.1, 0.2, 0.3])


def test_another_sweep_under_the_same_name_is_refused_with_the_difference(sweep):
    sweep(*GRID)
    before = {path: path.stat().st_mtime_ns for path in FIRST.rglob("*") if ".locks" not in path.parts}
    for words, message in (
        ((*GRID[:-2], "lr=0.1,0.02", "sweep.name=first"), "lr was 0.1|0.01, and is 0.1|0.02 now"),
        ((*GRID, "seed=3"), "seed was not given, and is 3 now"),
        ((*GRID, "sweep.seeds=2"), "sweep.seeds was not given, and is 2 now"),
        (("-m", *GRID[2:]), "data.num_train was 400, and is not given now"),
        (SEARCH, "was started with other settings"),
    ):
        done = sweep(*words)
        assert done.status == 1
        assert message in done.err
    assert {path: path.stat().st_mtime_ns for path in FIRST.rglob("*") if ".locks" not in path.parts} == before


def test_files_that_are_edited_while_a_sweep_runs_change_no_job_and_later_refuse_it(sweep, configs):
    plateau = configs / "scheduler" / "plateau.yaml"
    sweep(*GRID)
    plateau.write_text(plateau.read_text() + "# a comment\n")
    (configs / "optimizer" / "new.yaml").write_text("lr: 1\n")
    assert sweep(*GRID).status == 0
    plateau.write_text(plateau.read_text().replace("patience: ", "patience: 1"))
    done = sweep(*GRID)
    assert done.status == 1
    assert "patience in configs/scheduler/plateau.yaml was" in done.err


def test_jobs_are_composed_from_the_files_as_they_were(sweep, configs, monkeypatch):
    adam = configs / "optimizer" / "adam.yaml"
    adam.write_text(adam.read_text().replace("weight_decay: 0.0", "weight_decay: 0.5"))
    sweep("-m", *SMALL, "lr=0.1,0.01", "sweep.name=first")
    for run in runs():
        assert "weight_decay: 0.5" in (run / "config.yaml").read_text()  # of the copy, not of the project


def test_with_several_seeds_settings_are_judged_by_their_mean(sweep):
    done = sweep("-m", *SMALL, "optimizer=adam,sgd", "lr=0.05", "sweep.name=first", "sweep.seeds=3", "seed=4")
    assert done.status == 0, done.err
    assert len(runs()) == 6
    found = board()
    for line in found.iter_rows(named=True):
        values = [metrics(FIRST / name)["val/loss"] for name in line["folder"].split()]
        assert line["val/loss"] == pytest.approx(statistics.fmean(values))
        assert line["val/loss spread"] == pytest.approx(statistics.stdev(values))
        assert [name[-1] for name in line["folder"].split()] == ["4", "5", "6"]
    winner = json.loads((FIRST / "winner.json").read_text())
    evaluated = [json.loads((FIRST / name / "evaluation.json").read_text()) for name in winner["folders"]]
    assert winner["test"]["test/acc"] == pytest.approx(statistics.fmean(one["test/acc"] for one in evaluated))
    assert "± " in done.out
    alone = sweep("-m", *SMALL, "sweep.seeds=2", "sweep.name=alone")
    assert alone.status == 0, alone.err
    assert "Leaderboard of 1" in alone.out


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


def test_several_objectives_have_a_front(sweep):
    done = sweep(*SEARCH, "sweep.objective=[val/acc,epochs]")
    assert done.status == 0, done.err
    assert board().columns[3:5] == ["val/acc", "epochs"]


def test_bad_trials_are_stopped_early(sweep):
    words = (
        "-m", *SMALL[:3], "trainer.max_epochs=6", "sweep=optuna", "sweep.trials=14", "sweep.name=first",
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


def test_tensorboard_compares_what_varies(sweep):
    sweep(*GRID)
    sessions = {}
    for run in runs():
        events = EventAccumulator(str(run / "tensorboard"))
        events.Reload()
        content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        started = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
        sessions[run.name] = {key: value.string_value or value.number_value for key, value in started.items()}
        assert events.Scalars("best/val/loss")[0].value == pytest.approx(metrics(run)["val/loss"])
    assert sessions["001_optimizer-adam_lr-0.01"] == {"optimizer": "adam", "lr": 0.01, "seed": 0}


BAD = [
    (("-m",), "nothing varies"),
    (("-m", "lr=0.1"), "nothing varies"),
    (("-m", "lr=0.1,0.2", "sweep.seeds=0"), "sweep.seeds: expected at least 1; got 0."),
    (("-m", "lr=0.1,0.2", "sweep.name=a/b"), "sweep.name=a/b: expected letters"),
    (("-m", "lr=0.1,0.2", "sweep.objective=val/los"), "Did you mean 'val/loss'?"),
    (("-m", "lr=0.1,0.2", "sweep.objective=val/p_at_1"), "got 'val/p_at_1'"),
    (("-m", "lr=0.1,0.2", "sweep.objective=test/acc"), "The winner is, once. Take val/acc."),
    (("-m", "lr=0.1,0.2", "sweep.objective=[]"), "expected a metric, such as val/loss"),
    (("-m", "lr=0.1,0.2", "sweep.max_failures=-1"), "sweep.max_failures: expected null or at least 0"),
    (("-m", "lr=0.1,0.2", "sweep.seeds=1,2"), "settings of the sweep itself do not vary"),
    (("-m", "lr=interval(0.1,1)"), "an interval has no end of values"),
    (("-m", "lr=0.1,0.2", "seed=1,2", "sweep.seeds=2"), "it varies already"),
    (("-m", "lrr=0.1,0.2"), "lrr: no such setting. Did you mean 'lr'?"),
    (("-m", "optimizer=adam,sdg"), "optimizer=sdg: no such choice. Did you mean 'sgd'?"),
    (("-m", "sweep=optuna", "lr=interval(1,1)"), "expected a range from a number to a larger one"),
    (("-m", "sweep=optuna", "lr=tag(log,interval(0,1))"), "with log a range begins above 0"),
    (("-m", "sweep=optuna", "lr=interval(0.1,1)", "sweep.sampler=tep"), "Did you mean 'tpe'?"),
    (("-m", "sweep=optuna", "lr=interval(0.1,1)", "sweep.pruner=medium"), "Did you mean 'median'?"),
    (("-m", "sweep=optuna", "lr=interval(0.1,1)", "sweep.trials=0"), "sweep.trials: expected at least 1; got 0."),
    (("-m", "sweep=optuna", "+sweep.space={lr: 0.1}"), "sweep.space.lr=0.1: expected what varies"),
    (("-m", "sweep=optuna", "+sweep.space={lr: intervall(1)}"), "sweep.space"),
    (("-m", "sweep=optuna", "lr=interval(0.1,1)", "sweep.storage=sqlite:////no/x.db"), "give that, too"),
    (("-m", "sweep=optuna", "lr=interval(0.1,1)", "sweep.storage=sqlite:////no/x.db", "sweep.name=a"), "can't be"),
    (("-m", "sweep=grid,optuna", "lr=1,2"), "settings of the sweep itself do not vary"),
    (("-m", "lr=1,2", "seed=abc"), "seed: expected a whole number from 0"),
    (("-m", "sweep=optuna", "lr=interval(0.1,1)", "sweep.pruner=median", "sweep.objective=epochs"), "of each epoch"),
    (("-m", "sweep=optuna", "lr=interval(0.1,1)", "sweep.retry_failed=true"), "Give it more sweep.trials"),
    (("-m", "lr=0.1,0.2", "hydra/launcher=submitit_slurm"), "hydra/launcher: it can't start jobs"),
    (("-m", "sweep=grids", "lr=1,2"), "sweep=grids: no such choice"),
    (("-m", "lr=0.1,0.2", "sweep.trials=3"), "sweep.trials: no such setting here; sweep=optuna has it."),
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


def test_what_varies_can_be_typed_as_a_space_too(sweep):
    words = ("-m", *SMALL, "sweep=optuna", "sweep.trials=2", "optimizer=sgd", "sweep.space.lr=interval(0.1,1)")
    more = "+sweep.space={optimizer.momentum: 'choice(0.1,0.2)'}"  # which sgd.yaml does not name
    done = sweep(*words, more, "sweep.name=first")
    assert done.status == 0, done.err
    assert board().columns[1:3] == ["lr", "optimizer.momentum"]


def test_the_command_that_repeats_several_seeds_is_a_sweep(sweep):
    sweep("-m", *SMALL, "lr=0.1,0.2", "sweep.seeds=2", "sweep.name=first")
    words = shlex.split(json.loads((FIRST / "winner.json").read_text())["command"])[2:]
    assert (words[0], words[-1]) == ("-m", "sweep.seeds=2")
    assert sweep(*words, "sweep.name=again").status == 0


def test_texts_with_several_labels_and_no_test_split_can_be_swept(sweep, tmp_path):
    lines = [
        f"__label__{'ab'[i % 2]} __label__{'cd'[i % 3 % 2]} {'good kind' if i % 2 else 'bad rude'} w{i % 7}"
        for i in range(90)
    ]
    (tmp_path / "train.txt").write_text("\n".join(lines) + "\n")
    done = sweep(
        "-m", "data=text", "data.train=train.txt", "data.fractions=[0.8,0.2,0]", "data.ngrams=1,2",
        "trainer.max_epochs=2", "sweep.objective=val/p_at_1", "sweep.name=first",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert board()["val/p_at_1"].is_sorted(descending=True)
    assert json.loads((FIRST / "winner.json").read_text())["test"] == {}


def test_a_third_of_the_jobs_may_fail(sweep, train):
    words = ("-m", *SMALL, "optimizer=sgd", "lr=0.1,0.2,0.05,0.01,1e38,-1", "data.spread=1e18", "sweep.name=first")
    done = sweep(*words)
    assert done.status == 0, done.err
    assert board()["state"].to_list() == ["done"] * 4 + ["failed"] * 2
    assert "val/loss became" in done.out
    assert "expected a number above 0" in done.out


def test_jobs_take_turns_on_gpus(monkeypatch):
    number = iter(range(4))

    class Hydra:
        class job:
            pass

    def get():
        Hydra.job.num = next(number)
        return Hydra

    monkeypatch.setattr(job.torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(job.HydraConfig, "get", get)
    trainer = OmegaConf.create({"devices": 1, "accelerator": "auto"})
    assert [job.devices_of(trainer)["devices"] for _ in range(4)] == [[0], [1], [2], [0]]
    assert job.devices_of(OmegaConf.create({"devices": 1, "accelerator": "cpu"})) == {}
    monkeypatch.setattr(job.torch.cuda, "device_count", lambda: 1)
    assert job.devices_of(trainer) == {}


def test_a_job_on_several_devices_is_refused(sweep):
    done = sweep("-m", *SMALL, "lr=0.1,0.2", "trainer.devices=2", "trainer.accelerator=cpu", "sweep.name=first")
    assert done.status == 1
    assert done.out.count("a job of a sweep trains on one device") == 4


def test_the_leaderboard_of_several_sweeps_is_one(sweep, program, capsys):
    sweep(*GRID)
    sweep("-m", *SMALL, "lr=0.3,0.4", "sweep.name=second")
    done = program("scripts/leaderboard.py", "logs/sweeps/first", "logs/sweeps/second", "--format", "csv")
    found = pl.read_csv(io.StringIO(done.out))
    assert found.height == 6
    assert found["val/loss"].is_sorted()
    assert set(found["sweep"]) == {"first", "second"}
    assert (
        program("scripts/leaderboard.py", "logs/sweeps/first", "--format", "csv").out
        == (FIRST / "leaderboard.csv").read_text()
    )
    program("scripts/leaderboard.py", "logs/sweeps/first", "--output", "board.md")
    assert Path("board.md").read_text().startswith("| rank | optimizer | lr |")
    assert "Leaderboard of 4" in program("scripts/leaderboard.py", "logs/sweeps/first").out
    assert program("scripts/leaderboard.py", "logs").status == 1
    sweep("-m", *SMALL, "lr=0.3,0.4", "sweep.name=third", "sweep.objective=val/acc")
    assert program("scripts/leaderboard.py", "logs/sweeps/first", "logs/sweeps/third").status == 1


def test_settings_of_a_sweep_are_ignored_in_a_run_alone_with_a_word(train):
    done = train(*SMALL, "sweep.seeds=3")
    assert done.status == 0
    assert "sweep.seeds is ignored" in done.out
    assert "sweep" not in (done.run / "config.yaml").read_text()


def test_the_flag_may_come_last(program):
    done = program("train.py", *SMALL, "lr=0.1,0.2", "figures=none", "sweep.name=first", "-m")
    assert done.status == 0, done.err
    assert "Leaderboard of 2" in done.out
