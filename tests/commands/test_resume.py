"""Runs that were cut off and go on with ``python train.py resume=RUN``, against the ones that nobody disturbed."""

from __future__ import annotations

import json
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from conftest import ROOT, SMALL, Outcome
from rosenblatt.loop import checkpoints
from rosenblatt.loop.signals import StopOnCtrlC

Train = Callable[..., Outcome]
outcome_of: Callable[[Path], dict[str, Any]] = runpy.run_path(str(ROOT / "scripts" / "crash_test.py"))["outcome"]

TOY = (
    "data=xor", "model=mlp", "model.hidden=[8]", "model.dropout=0.2", "data.num_train=200", "data.num_val=60",
    "data.num_test=90", "data.batch_size=50", "lr=0.05", "scheduler=plateau", "scheduler.patience=0",
    "scheduler.threshold=0.9", "trainer.max_epochs=4", "checkpoint.every_n_steps=2",
)  # fmt: skip
TEXT = (
    "data=text", "data.train=reviews.csv", "data.cache=null", "model=mlp", "model.hidden=[4]", "model.dropout=0.2",
    "data.batch_size=20", "trainer.max_epochs=3", "scheduler=cosine", "lr=0.003", "threshold=f1",
    "calibration=temperature", "checkpoint.every_n_steps=1",
)  # fmt: skip


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, Callable[[], None]]]:
    """What is to be done before a step, by its number."""
    todo: dict[int, Callable[[], None]] = {}

    def look(self: StopOnCtrlC, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        todo.pop(trainer.global_step, lambda: None)()

    monkeypatch.setattr(StopOnCtrlC, "on_train_batch_start", look)
    yield todo
    assert not todo  # all of it was done


def files_of(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def assert_equal(run: Path, undisturbed: Path) -> None:
    """Weights, figures and every point of the history are the same, to the bit."""
    ours, theirs = outcome_of(run), outcome_of(undisturbed)
    assert ours.keys() == theirs.keys()
    assert {name: value for name, value in ours.items() if value != theirs[name]} == {}
    for name in ("config.yaml", "overrides.yaml", "data.json", "model/model.json", "test.parquet"):
        assert (run / name).read_bytes() == (undisturbed / name).read_bytes(), name
    points = {name: series for name, series in ours.items() if name.startswith("tensorboard ")}
    assert {"tensorboard train/loss", "tensorboard val/loss", "tensorboard wrap_up/test/acc"} <= points.keys()
    assert all(len({step for step, _ in series}) == len(series) for series in points.values())


@pytest.mark.parametrize(("settings", "steps"), [(TOY, (1, 4, 11)), (TEXT, (0, 7, 14))], ids=["toy", "text"])
def test_a_run_that_was_killed_goes_on_to_the_same_result(
    train: Train, at_step: dict[int, Any], reviews: Path, settings: tuple[str, ...], steps: tuple[int, ...]
) -> None:
    for step in steps:  # what a killed process would leave is what there is at that moment
        at_step[step] = lambda step=step: shutil.copytree("run", f"killed at {step}")
    whole = train(*settings)
    assert whole.status == 0, whole.err
    assert "resume=" not in (whole.run / "config.yaml").read_text()
    for step in steps:
        run = f"killed at {step}"
        assert not Path(run, "metrics.json").exists()
        resumed = train(f"resume={run}", run=run)
        assert resumed.status == 0, resumed.err
        assert_equal(resumed.run, whole.run)
        assert ("starts from the beginning" in resumed.out) == (step == steps[0])  # before the first checkpoint
        assert ("Going on with" in resumed.out) == (step != steps[0])


def test_a_run_that_was_killed_while_it_saved_goes_on_from_the_checkpoint_before(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments: list[str] = []

    def replace(temporary: Path, path: Path) -> None:  # the new one is there, the old one is previous.ckpt by now
        if path.name == "last.ckpt":
            moments.append(f"killed {len(moments)}")
            shutil.copytree("run", moments[-1])
        original(temporary, path)

    original = checkpoints.replace
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "replace", replace)
        whole = train(*TOY)
    for moment in (moments[0], moments[5]):
        resumed = train(f"resume={moment}", run=moment)
        assert resumed.status == 0, resumed.err
        assert_equal(resumed.run, whole.run)
        warned = "last.ckpt: it is not there" in resumed.out
        assert warned == (moment != moments[0])  # at the first there is none before it


@pytest.mark.parametrize(
    ("step", "signum", "status"), [(5, signal.SIGINT, 130), (7, signal.SIGINT, 130), (8, signal.SIGTERM, 143)]
)
def test_a_run_that_a_signal_has_ended_goes_on_to_the_same_result(
    train: Train, trained: Train, at_step: dict[int, Any], step: int, signum: int, status: int
) -> None:
    whole = trained(*TOY, run="whole")
    at_step[step] = lambda: signal.raise_signal(signum)
    ended = train(*TOY)
    assert ended.status == status
    assert f"ended by: {'Ctrl-C' if status == 130 else 'a signal'}" in ended.out
    before = ended.metrics
    assert before["interrupted"] is True
    assert 0 < before["steps"] < whole.metrics["steps"]
    resumed = train("resume=run")
    assert resumed.status == 0, resumed.err
    assert resumed.metrics["interrupted"] is False
    assert resumed.metrics["seconds_training"] > before["seconds_training"]
    assert_equal(resumed.run, whole.run)


def test_a_run_can_be_cut_off_and_go_on_many_times(train: Train, trained: Train, at_step: dict[int, Any]) -> None:
    def press() -> None:
        assert not Path("run/metrics.json").exists()  # what was evaluated so far is no result any more
        signal.raise_signal(signal.SIGINT)

    whole = trained(*TOY, run="whole")
    for number, step in enumerate((3, 6, 11)):
        at_step[step] = press
        done = train("resume=run") if number else train(*TOY)
        assert done.status == 130
    assert train("resume=run/").status == 0
    assert_equal(done.run, whole.run)


def test_a_finished_run_says_so_and_stays_as_it_is(train: Train, trained: Train) -> None:
    done = trained(*SMALL)
    before = files_of(done.run)
    again = train("resume=run")
    assert again.status == 0, again.err
    assert f"run is finished: 2 epochs, test/acc {done.metrics['test/acc']:.4f}" in again.out
    assert files_of(done.run) == before


def test_a_finished_run_is_trained_longer_as_if_it_had_not_ended(train: Train, trained: Train) -> None:
    long = train(*TOY, "trainer.max_epochs=6", run="long")
    trained(*TOY)
    refused = train("resume=run", "trainer.max_epochs=6")
    assert refused.status == 1
    assert "trainer.max_epochs was 4, and is 6 now" in refused.err
    more = train("resume=run", "trainer.max_epochs=6", "resume_anyway=true")
    assert more.status == 0, more.err
    assert_equal(more.run, long.run)
    again = train("resume=run")  # from now on, these are its settings
    assert (again.status, again.out.count("is finished: 6 epochs")) == (0, 1)


def test_a_run_of_an_experiment_goes_on_with_its_settings(train: Train, at_step: dict[int, Any]) -> None:
    few = ("experiment=book_xor", "data.num_train=2000", "trainer.max_epochs=4", "checkpoint.every_n_steps=3")
    at_step[5] = lambda: shutil.copytree("run", "killed")
    whole = train(*few)
    resumed = train("resume=killed", run="killed")
    assert resumed.status == 0, resumed.err
    assert_equal(resumed.run, whole.run)


def test_a_run_in_a_folder_with_blanks_and_quotes_goes_on_from_another_folder(
    train: Train, trained: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = 'it\'s a run, (1) "here"'
    done = trained(*SMALL)
    (done.run / "metrics.json").unlink()
    done.run.rename(tmp_path / name)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    resumed = train(f"resume=../{name}", run=name)
    assert resumed.status == 0, resumed.err
    assert resumed.metrics["epochs"] == 2
    assert list((tmp_path / "elsewhere").iterdir()) == []


def group_of(run: Path) -> dict[str, Any]:
    """Settings of the optimizer at the end of a run."""
    last = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    return last["optimizer_states"][0]["param_groups"][0]


def test_what_is_changed_anyway_counts_from_there_on(train: Train, trained: Train) -> None:
    before = group_of(trained(*TOY).run)
    assert before["lr"] < 0.05  # the schedule has halved it
    more = train("resume=run", "lr=0.5", "optimizer.weight_decay=0.1", "trainer.max_epochs=5", "resume_anyway=true")
    assert more.status == 0, more.err
    assert "lr was 0.05, and is 0.5 now" in more.out
    after = group_of(more.run)
    assert any(after["lr"] == pytest.approx(10 * before["lr"] / halved) for halved in (1, 2))
    assert after == before | {"weight_decay": 0.1, "lr": after["lr"]}
    config = yaml.safe_load((more.run / "config.yaml").read_text())
    assert (config["lr"], config["resume"], config["resume_anyway"]) == (0.5, None, False)
    overrides = yaml.safe_load((more.run / "overrides.yaml").read_text())
    assert overrides == ["figures=none", *TOY, "lr=0.5", "optimizer.weight_decay=0.1", "trainer.max_epochs=5"]


def test_more_patience_lets_a_run_that_stopped_early_go_on(train: Train) -> None:
    stopped = train(*TOY, "early_stopping.patience=1", "early_stopping.min_delta=9", "trainer.max_epochs=20")
    assert stopped.metrics["epochs"] == 2
    more = train("resume=run", "early_stopping.patience=4", "resume_anyway=true")
    assert more.status == 0, more.err
    assert more.metrics["epochs"] == 5
    assert json.loads((more.run / "metrics.json").read_text())["interrupted"] is False


def test_a_checkpoint_is_read_by_torch_alone(train: Train) -> None:
    assert train(*TOY).status == 0
    code = "import sys, torch; print(sorted(torch.load(sys.argv[1], weights_only=True))[0])"
    done = subprocess.run(
        [sys.executable, "-c", code, "run/checkpoints/last.ckpt"], capture_output=True, text=True, check=False
    )
    assert done.stdout == "callbacks\n", done.stderr
