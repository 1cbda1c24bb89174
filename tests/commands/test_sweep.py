"""Sweeps over a grid, run in this process as a user runs them from the shell."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import statistics
from pathlib import Path

import polars as pl
import pytest
import torch
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from conftest import SMALL
from rosenblatt.commands import job
from rosenblatt.commands import sweep as commands
from swept import FIRST, GRID, board, metrics, runs, swept_grid, without_times


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


def test_a_job_is_the_run_that_it_would_be_alone(train):
    swept_grid()
    alone = train(*SMALL, "optimizer=sgd", "lr=0.1", "hydra.run.dir=alone", run="alone").metrics
    found = metrics(FIRST / "002_optimizer-sgd_lr-0.1")
    same = [name for name in found if name.split("/")[0] in ("train", "epochs", "best_epoch", "steps")]
    assert len(same) > 5
    assert {name: found[name] for name in same} == {name: alone[name] for name in same}
    assert found["val/loss"] == alone["val/loss"]


def test_the_same_command_again_does_nothing_and_one_that_was_cut_off_only_what_is_left(sweep):
    swept_grid()
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
    swept_grid()
    before = board()
    done = sweep("-m", "sweep.name=first", "lr=0.1,0.01", *SMALL[::-1], "optimizer=adam,sgd")
    assert done.status == 0, done.err
    assert "1/4" not in done.out
    assert board().equals(before)
    assert len(runs()) == 4


def test_a_range_leaves_out_its_end(sweep):
    sweep("-m", *SMALL, "lr=range(0.1,0.4,0.1)", "sweep.name=first")
    assert sorted(board()["lr"].to_list()) == pytest.approx([0.1, 0.2, 0.3])


def test_files_that_are_edited_while_a_sweep_runs_change_no_job(sweep, configs, monkeypatch):
    adam = configs / "optimizer" / "adam.yaml"
    launch = commands._launch

    def edited(*arguments):
        adam.write_text(adam.read_text().replace("weight_decay: 0.0", "weight_decay: 0.5"))
        return launch(*arguments)

    monkeypatch.setattr(commands, "_launch", edited)
    done = sweep("-m", f"--config-path={configs}", *SMALL, "lr=0.1,0.01", "sweep.name=first")
    assert done.status == 0, done.err
    assert "weight_decay: 0.5" in adam.read_text()
    for run in runs():
        assert "weight_decay: 0.0" in (run / "config.yaml").read_text()  # of the copy, not of the project


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
    words = shlex.split(winner["command"])[2:]
    assert (words[0], words[-1]) == ("-m", "sweep.seeds=3")
    alone = sweep(*words, "sweep.name=alone")
    assert alone.status == 0, alone.err
    assert "Leaderboard of 1" in alone.out


def test_tensorboard_compares_what_varies(program):
    swept_grid()
    sessions = {}
    for run in runs():
        events = EventAccumulator(str(run / "tensorboard"))
        events.Reload()
        content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        started = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
        sessions[run.name] = {key: value.string_value or value.number_value for key, value in started.items()}
        assert events.Scalars("wrap_up/val/loss")[0].value == pytest.approx(metrics(run)["val/loss"])
    assert sessions["001_optimizer-adam_lr-0.01"] == {"optimizer": "adam", "lr": 0.01, "seed": 0}


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


def test_jobs_take_turns_on_gpus(monkeypatch):
    number = iter(range(4))

    class Hydra:
        class job:
            pass

    def get():
        Hydra.job.num = next(number)
        return Hydra

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(job.HydraConfig, "get", get)
    trainer = OmegaConf.create({"devices": 1, "accelerator": "auto"})
    assert [job.devices_of(trainer)["devices"] for _ in range(4)] == [[0], [1], [2], [0]]
    assert job.devices_of(OmegaConf.create({"devices": 1, "accelerator": "cpu"})) == {}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert job.devices_of(trainer) == {}


@pytest.mark.parametrize(
    ("launcher", "width"),
    [
        ({}, 1),
        ({"n_jobs": 3}, 3),
        ({"n_jobs": -1}, 8),
        ({"n_jobs": -3}, 6),
        ({"n_jobs": -20}, 1),
        ({"submitit_folder": "x"}, 8),
        ({"submitit_folder": "x", "array_parallelism": 5}, 5),
    ],
)
def test_as_many_jobs_run_side_by_side_as_the_launcher_says(monkeypatch, launcher, width):
    monkeypatch.setattr(commands, "num_cores", lambda: 8)
    assert commands._width(OmegaConf.create(launcher)) == width


@pytest.mark.parametrize(
    ("launcher", "width", "share"),
    [({"n_jobs": 3}, 3, "2"), ({"n_jobs": 9}, 9, "1"), ({"n_jobs": 1}, 1, None), ({"array_parallelism": 3}, 3, None)],
)
def test_jobs_side_by_side_share_the_cores_of_this_machine(monkeypatch, launcher, width, share):
    monkeypatch.setattr(commands, "num_cores", lambda: 8)
    monkeypatch.setattr(commands.os, "environ", {"MKL_NUM_THREADS": "4"})
    commands._share_cores(width, OmegaConf.create(launcher))
    shares = {} if share is None else {"OMP_NUM_THREADS": share, "POLARS_MAX_THREADS": share}
    assert commands.os.environ == {"MKL_NUM_THREADS": "4"} | shares  # what somebody has set stays


def test_the_leaderboard_of_several_sweeps_is_one(sweep, program, capsys):
    swept_grid()
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


def test_the_flag_may_come_last(program):
    done = program("train.py", *SMALL, "lr=0.1,0.2", "figures=none", "sweep.name=first", "-m")
    assert done.status == 0, done.err
    assert "Leaderboard of 2" in done.out
