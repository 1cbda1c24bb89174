"""Other people's Lightning code runs from a folder of its own, with nothing but YAML beside it."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import polars
import pytest
import torch
from safetensors.torch import load_file

from conftest import ROOT, Outcome, make_project, run_program
from rosenblatt.loop.checkpoints import Checkpoints

outcome_of: Callable[[Path], dict[str, Any]] = runpy.run_path(str(ROOT / "scripts" / "crash_test.py"))["outcome"]

YAML = {
    "data/pictures": "_target_: foreign.Pictures\nbatch_size: 20\n",
    "data/unvalidated": "_target_: foreign.WithoutValidation\n",
    "data/broken": "_target_: foreign.Broken\nnum_workers: 1\n",
    "data/dying": "_target_: foreign.Dying\nnum_workers: 1\n",
    "data/odd": "_target_: foreign.Odd\n",
    "data/drawn": "_target_: foreign.Drawn\n",
    "data/line": "_target_: foreign.Line\n",
    "data/stream": "_target_: foreign.Stream\n",
    "model/net": "_target_: foreign.Net\nchannels: 4\n",
    "model/straight": "_target_: foreign.Straight\n",
    "module/squeeze": "_target_: foreign.Squeeze\nsize: 6\n",
    "module/remembering": "_target_: foreign.Remembering\n",
    "module/silent": "_target_: foreign.Silent\n",
    "module/by_hand": "_target_: foreign.ByHand\n",
    "loss/absolute": "_target_: torch.nn.L1Loss\n",
    "loss/soft": "_target_: foreign.Soft\npower: 1.0\n",
    "metrics/mcc": "mcc:\n  _target_: torchmetrics.MatthewsCorrCoef\n",
    "callbacks/count": "count:\n  _target_: foreign.Count\n  path: epochs.txt\n",
}
PICTURES = ("data=pictures", "model=net", "lr=0.01", "trainer.max_epochs=4")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has copied train.py, scripts/ and configs/, and brings its own code and YAML."""
    return make_project(tmp_path_factory.mktemp("project"), [Path(__file__).with_name("foreign.py")], YAML)


@pytest.fixture
def run(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """``python train.py ...`` of that project, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(project))

    def run_words(*words: str, file: str = "train.py", folder: str = "run") -> Outcome:
        if file == "train.py" and not any(word.startswith(("hydra.run.dir", "resume=", "-m")) for word in words):
            words = (*words, f"hydra.run.dir={folder}")
        if file == "train.py" and not any(word.startswith(("figures", "resume=")) for word in words):
            words = ("figures=none", *words) if words[0] != "-m" else ("-m", "figures=none", *words[1:])
        return run_program(project / file, words, tmp_path / folder, capsys)

    return run_words


def test_a_network_on_ordinary_loaders_gets_all_that_a_classifier_gets(run: Callable[..., Outcome]) -> None:
    done = run(*PICTURES, "data.num_workers=1", "figures.every_n_epochs=2", "metrics=mcc", "callbacks=count")
    assert done.status == 0, done.err
    assert done.metrics["test/acc"] > 0.9
    assert 0.9 < done.metrics["test/acc_low"] < done.metrics["test/acc"] <= done.metrics["test/acc_high"]
    assert {"test/mcc", "val/mcc", "test/baseline_acc", "test/ece", "test/f1"} <= done.metrics.keys()
    assert "train/loss" in done.metrics
    assert Path("epochs.txt").read_text() == str(done.metrics["epochs"]) == "4"
    assert {"confusion.png", "roc.png", "learning_curves.png"} <= {one.name for one in (done.run / "figures").iterdir()}
    assert (done.run / "report.html").exists()
    assert (done.run / "per_class.csv").read_text().startswith("class,rows,")
    again = run("run=run", file="scripts/evaluate.py")
    assert again.status == 0, again.err
    found = json.loads((done.run / "evaluation.json").read_text())
    assert {key: found[key] for key in done.metrics if key.startswith("test/")} == {
        key: value for key, value in done.metrics.items() if key.startswith("test/")
    }
    predicted = run("run=run", "split=test", "output=rows.parquet", file="scripts/predict.py")
    assert predicted.status == 0, predicted.err
    rows = polars.read_parquet("rows.parquet")
    assert rows.columns == ["prediction", "probability"]
    right = rows["prediction"].cast(int) == polars.Series([row % 3 for row in range(101)])
    assert right.mean() == pytest.approx(done.metrics["test/acc"])


def test_the_weights_are_those_of_a_bare_trainer(run: Callable[..., Outcome], project: Path) -> None:
    done = run(*PICTURES, "early_stopping.patience=null", "data.num_workers=1")
    assert done.status == 0, done.err
    import foreign
    from perceptron.classifier import Classifier
    from rosenblatt.tasks.multiclass import Multiclass

    pl.seed_everything(0, verbose=False)
    data, model, task = foreign.Pictures(20, num_workers=1), foreign.Net(4), Multiclass(("0", "1", "2"))
    module = Classifier(model, task, task.loss(), lambda parameters: torch.optim.Adam(parameters, lr=0.01, fused=True))
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    trainer = pl.Trainer(max_epochs=4, accelerator="cpu", logger=False, num_sanity_val_steps=0, **quiet)
    trainer.fit(module, datamodule=data)
    last = torch.load(done.run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    for name, value in module.state_dict().items():
        assert torch.equal(value, last[name]), name


def test_a_module_of_its_own_kind_is_measured_by_its_own_steps(run: Callable[..., Outcome]) -> None:
    done = run("data=pictures", "module=squeeze", "lr=0.01", "trainer.max_epochs=6", "figures.every_n_epochs=1")
    assert done.status == 0, done.err
    assert {"test/loss", "val/loss", "train/loss"} <= done.metrics.keys()
    assert done.metrics["test/loss"] < 0.35
    assert (done.run / "figures" / "learning_curves.png").exists()
    again = run("run=run", file="scripts/evaluate.py")
    assert again.status == 0, again.err
    assert json.loads((done.run / "evaluation.json").read_text())["test/loss"] == done.metrics["test/loss"]
    predicted = run("run=run", "split=test", "output=rows.parquet", file="scripts/predict.py")
    assert predicted.status == 0, predicted.err
    rows = polars.read_parquet("rows.parquet")
    assert rows.columns == [f"output_{number}" for number in range(6)]
    assert rows.height == 101
    assert len(load_file(next((done.run / "model").glob("*.safetensors")))) == 4


def test_a_run_that_was_killed_within_an_epoch_goes_on_to_the_same_result(
    run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Checkpoints.save_last

    def save_last(checkpoints: Checkpoints, trainer: pl.Trainer) -> None:
        saved(checkpoints, trainer)
        if trainer.global_step == 40:  # of 15 an epoch; what a killed process would leave is what there is now
            shutil.copytree("run", "killed")

    words = (
        *PICTURES,
        "data.num_workers=1",
        "callbacks=count",
        "logger=[tensorboard,csv]",
        "early_stopping.patience=null",
    )
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save_last", save_last)
        whole = run(*words, "checkpoint.every_n_steps=5", "checkpoint.min_seconds=0")
    assert whole.status == 0, whole.err
    Path("epochs.txt").unlink()
    resumed = run("resume=killed", folder="killed")
    assert resumed.status == 0, resumed.err
    assert "Going on with" in resumed.out
    assert Path("epochs.txt").read_text() == "4"
    expected, found = outcome_of(whole.run), outcome_of(resumed.run)
    assert {name: one for name, one in found.items() if one != expected.get(name)} == {}
    assert found.keys() == expected.keys()
    assert "tensorboard (csv) train/loss" in found


def test_outputs_that_are_too_many_to_keep_are_measured_all_the_same(
    run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rosenblatt.commands.results.MAX_KEPT", 10)
    done = run(*PICTURES[:-1], "trainer.max_epochs=2")
    assert done.status == 0, done.err
    assert done.metrics["test/acc"] > 0.8
    assert "test/acc_low" not in done.metrics


def test_two_processes_train_one_model_though_each_measures_its_own_rows(project: Path, tmp_path: Path) -> None:
    words = ("data=pictures", "module=squeeze", "lr=0.2", "trainer.max_epochs=15", "early_stopping.patience=null")
    two = ("trainer.devices=2", "trainer.accelerator=cpu", "hydra.run.dir=run", "figures=none")
    command = [sys.executable, str(project / "train.py"), *words, *two]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["epochs"] == 15


def test_code_of_many_kinds_runs(run: Callable[..., Outcome]) -> None:
    kept = run(*PICTURES, "module=remembering", "scheduler=cosine", folder="kept")
    assert kept.status == 0, kept.err
    assert "scheduler is ignored: foreign.Remembering takes none" in kept.out + kept.err
    assert kept.metrics["test/acc"] > 0.8
    done = run("data=stream", "module=by_hand", "early_stopping.monitor=val_loss", "lr=0.01", "trainer.max_epochs=2")
    assert done.status == 0, done.err
    assert {"test_loss", "val_loss", "val_acc", "train_loss"} <= done.metrics.keys()
    again = run("data=pictures", "data.num_workers=1", "data.persistent=true", *PICTURES[1:], folder="again")
    assert again.status == 0, again.err


def test_numbers_are_told_by_their_type(run: Callable[..., Outcome]) -> None:
    done = run("data=line", "model=straight", "model.num_in=2", "lr=0.05", "trainer.max_epochs=20")
    assert done.status == 0, done.err
    assert done.metrics["test/rmse"] < 40  # the noise is 20, and the numbers are some 5,000
    assert done.metrics["test/rmse_low"] < done.metrics["test/rmse"] < done.metrics["test/rmse_high"]
    assert done.metrics["test/baseline_rmse"] > 200
    assert 0.8 < done.metrics["test/inside"] < 0.99


def test_splits_that_setup_draws_at_random_stay_what_they_were(run: Callable[..., Outcome]) -> None:
    done = run("data=drawn", "model=straight", "lr=0.05", "trainer.max_epochs=3")
    assert done.status == 0, done.err
    again = run("run=run", file="scripts/evaluate.py")
    assert again.status == 0, again.err
    found = json.loads((done.run / "evaluation.json").read_text())
    assert found["test/loss"] == done.metrics["test/loss"]


def test_a_loss_of_its_own_is_minimized(run: Callable[..., Outcome]) -> None:
    done = run(*PICTURES, "loss=soft", "loss.power=2")
    assert done.status == 0, done.err
    assert done.metrics["test/acc"] > 0.9
    assert done.metrics["test/loss"] < 0.3


@pytest.mark.parametrize(
    ("loggers", "there"),
    [
        ("[tensorboard,csv]", {"tensorboard", "csv"}),
        ("csv", {"csv"}),
        ("none", set()),
        ("tensorboard", {"tensorboard"}),
    ],
)
def test_loggers_are_chosen(run: Callable[..., Outcome], loggers: str, there: set[str]) -> None:
    done = run(*PICTURES[:-1], "trainer.max_epochs=1", f"logger={loggers}")
    assert done.status == 0, done.err
    assert {"tensorboard", "csv"} & {one.name for one in done.run.iterdir()} == there
    if "csv" in there:
        names = (done.run / "csv" / "metrics.csv").read_text().splitlines()[0].split(",")
        assert {"val/loss", "train/loss"} <= set(names)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["data=picture"], "'pictures'"),
        (["module=squeeze", "module.siez=3", "data=pictures"], "'size'"),
        (["data._target_=foreign.Picture"], "Did you mean 'foreign.Pictures'"),
        (["data=unvalidated", "model=net"], "no val_dataloader"),
        (["data=pictures", "module=silent", "trainer.max_epochs=2"], "val/error"),
        (["data=pictures", "model=net", "early_stopping.monitor=val/acuracy"], "'val/acc"),
        (["data=broken", "model=net"], "picture 250 is cut off"),
        (["data=dying", "model=net"], "a worker of a DataLoader has died"),
        (["data=odd", "model=net", "trainer.max_epochs=1"], "a batch has the class 9"),
        (["data=odd", "data.split=2", "model=net", "trainer.max_epochs=1"], "row 18 of a batch has 9"),
        (["data=odd", "data.label=-100", "model=net", "trainer.max_epochs=1"], "Number classes from 0"),
        (["data=pictures", "model=net", "loss=absolute"], "L1Loss is for numbers"),
        (
            ["data=unvalidated", "model=net", "early_stopping.monitor=train/loss", "calibration=temperature"],
            "no val_data",
        ),
        (["data=pictures", "model=net", "+callbacks.mine._target_=torch.nn.ReLU"], "expected a Callback"),
        (["data._target_=Pictures"], "plain.Pictures"),
        (["data=pictures", "model=straight"], "can't take the first batch"),
        (["data=line", "model=net"], "can't take the first batch"),
        (["data=drawn", "model=straight", "model.num_outputs=2"], "outputs (N, 1)"),
        (["data=pictures", "model=net", "model.num_classes=2"], "from 0 to 1"),
        (["data=pictures", "model=net", "logger=wandb"], "pip install wandb"),
        (["data=pictures", "model=net", "callbacks=cuont"], "'count'"),
        (["data=pictures", "model=net", "callbacks.count._target_=foreign.Cuont", "callbacks=count"], "foreign.Count"),
        (["data=pictures", "model=net", "+trainer.logger=false"], "logger="),
        (["data=pictures", "model=perceptron"], "model.num_features is not set"),
    ],
)
def test_a_mistake_is_one_message(run: Callable[..., Outcome], words: list[str], told: str) -> None:
    done = run(*words)
    assert done.status == 1
    assert told in done.err
    assert done.err.count("error: ") == 1
    assert "Traceback" not in done.err
    assert not (done.run / "metrics.json").exists()


def test_without_validation_a_run_goes_by_its_training(run: Callable[..., Outcome]) -> None:
    done = run("data=unvalidated", *PICTURES[1:], "early_stopping.monitor=train/loss")
    assert done.status == 0, done.err
    assert done.metrics["test/acc"] > 0.8


def test_jobs_side_by_side_have_loaders_with_workers(run: Callable[..., Outcome]) -> None:
    done = run(
        "-m", *PICTURES[:2], "data.num_workers=1", "trainer.max_epochs=1", "lr=0.1,0.01", "sweep.name=two",
        "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "metrics=mcc", "early_stopping.monitor=val/mcc",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert "failed" not in done.out, done.out
    assert "winner" not in done.err, done.err
    winner = json.loads(Path("logs/sweeps/two/winner.json").read_text())  # of a data module without a digest
    assert {"test/acc", "test/mcc", "test/loss"} <= winner["test"].keys()
