"""Whole runs of ``python train.py``: what they reach, what they leave behind, and that they repeat."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from conftest import SMALL, Outcome

Train = Callable[..., Outcome]
TIMES = ("seconds", "seconds_training", "seconds_encoding")


@pytest.mark.parametrize(
    "settings",
    ["", "optimizer=adam lr=0.01", "optimizer=sgd lr=0.1", "lr=0.1 optimizer=adagrad", "optimizer=adamw"],
)
def test_the_toy_perceptron_comes_near_the_best_possible_accuracy(train: Train, settings: str) -> None:
    done = train(*settings.split())
    assert done.status == 0, done.err
    assert 0.985 <= done.metrics["test/acc"] <= 0.9965  # Bayes 0.99379, and three standard errors of 10,000 rows
    assert done.metrics["test/baseline_acc"] == 0.5


def test_only_a_hidden_layer_learns_xor(train: Train) -> None:
    assert train("data=xor", run="straight").metrics["test/acc"] <= 0.78
    assert train("data=xor", "model=mlp", run="bent").metrics["test/acc"] >= 0.97


def test_a_small_model_is_computed_with_one_thread_unless_told(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rosenblatt.loop.threads.ALL_THREADS", 3)
    for i, (settings, small_model, threads) in enumerate([("", 1e6, 1), ("threads=2", 1e6, 2), ("", 3, 3)]):
        monkeypatch.setattr("rosenblatt.loop.threads.SMALL_MODEL", small_model)
        assert train(*SMALL, settings, run=f"run{i}").status == 0
        assert torch.get_num_threads() == threads


def test_short_epochs_are_not_saved_each_but_the_end_is(train: Train) -> None:
    done = train(*SMALL, "checkpoint.min_seconds=1000")
    assert not (done.run / "checkpoints" / "previous.ckpt").exists()
    last = torch.load(done.run / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == done.metrics["steps"]


def test_a_run_folder_holds_all_that_is_kept(train: Train) -> None:
    done = train("lr=0.02", "seed=3", *SMALL, "checkpoint.min_seconds=0")
    names = {path.relative_to(done.run).as_posix() for path in done.run.rglob("*") if path.is_file()}
    assert {
        "config.yaml",
        "overrides.yaml",
        "environment.json",
        "data.json",
        "train.log",
        "metrics.json",
        "test.parquet",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "checkpoints/previous.ckpt",
        "model/model.json",
        "model/weights.safetensors",
    } <= names
    assert not any("=" in name or name.endswith(".tmp") for name in names)
    assert set(TIMES) <= done.metrics.keys()
    config = yaml.safe_load((done.run / "config.yaml").read_text())
    assert (config["optimizer"]["lr"], config["data"]["seed"]) == (0.02, 3)  # resolved
    assert "lr=0.02" in yaml.safe_load((done.run / "overrides.yaml").read_text())
    environment = json.loads((done.run / "environment.json").read_text())
    assert environment["packages"]["torch"] == torch.__version__
    log = (done.run / "train.log").read_text()
    assert "epoch 2/2" in log
    assert "run folder" in log
    for name in ("best", "last", "previous"):
        checkpoint = torch.load(done.run / "checkpoints" / f"{name}.ckpt", weights_only=True)  # no pickled objects
        assert set(checkpoint["state_dict"]) == {"model.linear.weight", "model.linear.bias"}


def test_the_end_of_a_run_says_what_came_out_and_what_to_type_next(trained: Train) -> None:
    done = trained(*SMALL)
    for word in (
        "majority",
        "95 %",
        "validation",
        "accuracy",
        "AUROC",
        "best epoch",
        "run folder",
        "python scripts/predict.py run=run input=FILE output=FILE",
        "tensorboard --logdir",
    ):
        assert word in done.out
    assert f"{done.metrics['test/acc']:.4f}" in done.out
    for noise in ("Tip", "GPU available", "Warning", "litlogger"):
        assert noise not in done.out + done.err


def test_tensorboard_has_every_scalar_and_the_settings_with_the_final_metrics(trained: Train) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    done = trained(*SMALL)
    events = EventAccumulator(str(done.run / "tensorboard")).Reload()
    tags = set(events.Tags()["scalars"])
    assert {"train/loss", "train/acc", "val/loss", "val/acc", "val/f1", "val/auroc", "wrap_up/test/acc"} <= tags
    assert "hp_metric" not in tags
    assert [event.step for event in events.Scalars("val/loss")] == [3, 7]  # an epoch has 4 steps
    assert events.Scalars("wrap_up/test/acc")[-1].value == pytest.approx(done.metrics["test/acc"])
    assert any("_hparams_" in tag for tag in events.Tags().get("tensors", []) + list(events.summary_metadata))


def test_the_same_seed_gives_the_same_metrics_and_another_seed_others(train: Train) -> None:
    def metrics(seed: int, run: str) -> dict[str, float]:
        found = train(f"seed={seed}", "model=mlp", "model.dropout=0.2", *SMALL, run=run).metrics
        return {name: value for name, value in found.items() if name not in TIMES}

    first = metrics(0, "a")
    assert first == metrics(0, "b")
    assert first != metrics(1, "c")


def test_the_same_seed_gives_the_same_metrics_on_texts(train: Train, reviews: Path) -> None:
    runs = [train("data=text", f"data.train={reviews}", "model=mlp", run=run).metrics for run in ("a", "b")]
    first, second = ({name: value for name, value in one.items() if name not in TIMES} for one in runs)
    assert first == second


@pytest.mark.parametrize(("name", "least"), [("book_toy", 0.985), ("book_xor", 0.97)])
def test_the_experiments_of_the_book_reach_what_its_page_says(train: Train, name: str, least: float) -> None:
    done = train(f"experiment={name}")
    assert done.status == 0, done.err
    assert done.metrics["test/acc"] >= least


def test_the_books_experiments_on_texts_run(train: Train, reviews: Path) -> None:
    reviews.with_name("names.csv").write_text("surname,nationality\n" + "Rossi,Italian\nNowak,Polish\n" * 30)
    for experiment, file in (("book_yelp", "reviews.csv"), ("book_surnames", "names.csv")):
        few = ["data.min_count=1", "trainer.max_epochs=3"]
        done = train(f"experiment={experiment}", f"data.train={file}", *few, run=experiment)
        assert done.status == 0, done.err


def test_the_best_epoch_is_what_is_evaluated(train: Train) -> None:
    # At this rate the loss first falls and then swings.
    done = train("optimizer=sgd", "lr=9", *SMALL, "data.spread=3", "trainer.max_epochs=8", "early_stopping.patience=8")
    best = torch.load(done.run / "checkpoints" / "best.ckpt", weights_only=True)
    assert done.metrics["best_epoch"] == best["epoch"] + 1
    scores = [line for line in (done.run / "train.log").read_text().splitlines() if "val/loss" in line]
    losses = [float(line.split("val/loss ")[1].split()[0]) for line in scores]
    assert done.metrics["best_epoch"] == losses.index(min(losses)) + 1
    assert done.metrics["val/loss"] == pytest.approx(min(losses), abs=1e-4)


def test_training_stops_when_validation_no_longer_improves(train: Train) -> None:
    done = train("lr=0.5", "data.num_train=400", "trainer.max_epochs=200", "early_stopping.patience=2")
    assert done.metrics["epochs"] < 200
    assert done.metrics["epochs"] == done.metrics["best_epoch"] + 2
    assert "no better since" in done.out


def test_text_and_table_runs_work_from_a_file(train: Train, reviews: Path) -> None:
    done = train("data=text", f"data.train={reviews}", "data.char_ngrams=3", run="text")
    assert done.status == 0, done.err
    assert done.metrics["test/acc"] >= 0.9
    table = reviews.with_name("table.csv")
    table.write_text("x,color,label\n" + "".join(f"{i % 7},{'red' if i % 2 else ''},{i % 2}\n" for i in range(200)))
    done = train("data=table", f"data.train={table}", "model=mlp", "lr=0.01", run="table")
    assert done.status == 0, done.err
    assert done.metrics["test/acc"] == 1.0


def test_the_plateau_schedule_halves_the_rate_after_two_epochs_without_progress(train: Train) -> None:
    # At a rate of next to nothing the loss is what float32 makes of it: it hardly ever falls.
    done = train(*SMALL, "scheduler=plateau", "lr=1e-30", "trainer.max_epochs=4", "early_stopping.patience=null")
    last = torch.load(done.run / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(0.5e-30)


def test_the_cosine_schedule_ends_at_zero(train: Train) -> None:
    done = train(*SMALL, "scheduler=cosine")
    last = torch.load(done.run / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["lr_schedulers"][0]["_last_lr"] == [pytest.approx(0, abs=1e-9)]


@pytest.mark.parametrize(
    ("flags", "ended_by"),
    [
        ("trainer.max_steps=2", "trainer.max_steps"),
        ("trainer.max_epochs=3 trainer.check_val_every_n_epoch=5", "trainer.max_epochs"),
        ("trainer.max_epochs=3 trainer.check_val_every_n_epoch=2 scheduler=plateau", "trainer.max_epochs"),
        ("trainer.limit_val_batches=0", "trainer.max_epochs"),
        ("trainer.max_epochs=-1 trainer.max_time=00:00:00:01 early_stopping.patience=null", "trainer.max_time"),
        ("trainer=debug", "trainer.max_epochs"),
    ],
)
def test_a_run_says_what_ended_it_and_keeps_what_it_evaluates(train: Train, flags: str, ended_by: str) -> None:
    done = train(*SMALL, *flags.split())
    assert done.status == 0, done.err
    assert f"ended by: {ended_by})" in done.out
    assert (done.run / "checkpoints" / "best.ckpt").exists()
    assert set(done.metrics) >= {"train/acc", "val/acc", "test/acc"}


def test_a_split_is_evaluated_whole_whatever_the_limits_of_training(train: Train, trained: Train) -> None:
    full = trained(*SMALL, run="full").metrics
    limited = train(*SMALL, "trainer.limit_test_batches=1", "data.batch_size=100", run="limited")
    assert limited.metrics["test/acc"] == full["test/acc"]
    assert "limit_test_batches is ignored" in limited.out


def test_a_metric_that_grows_is_followed_upwards(train: Train) -> None:
    done = train("early_stopping.monitor=val/acc", *SMALL, "lr=0.02", "trainer.max_epochs=5")
    assert done.metrics["val/acc"] > 0.5
    assert done.metrics["best_epoch"] > 1


def test_any_flag_of_the_trainer_can_be_passed(train: Train) -> None:
    done = train(*SMALL, "trainer.gradient_clip_val=0.5", "trainer.limit_train_batches=1")
    assert done.status == 0, done.err
    assert done.metrics["steps"] == 2


def test_several_classes_and_labels_have_a_table_of_their_own(train: Train, tmp_path: Path) -> None:
    lines = [f"__label__{'abc'[i % 3]}{' __label__x' if i % 2 else ''} word{i % 3} word{i % 2}x\n" for i in range(90)]
    (tmp_path / "data.txt").write_text("".join(lines))
    done = train("data=text", "data.train=data.txt", "lr=0.1")
    assert done.status == 0, done.err
    assert done.metrics["test/p_at_1"] == 1.0
    rows = (done.run / "per_class.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["class", "a", "b", "c", "x"]
