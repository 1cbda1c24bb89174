"""Thresholds and temperatures that runs choose, and intervals, against scikit-learn and SciPy on the same rows."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest
from sklearn import metrics as sk

import rosenblatt
from conftest import SMALL, Outcome

Train = Callable[..., Outcome]
QUICK = ("lr=0.05", "trainer.max_epochs=3", "data.cache=null")


def write(path: Path, header: list[str], rows: list[list[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def table(tmp_path: Path) -> tuple[str, ...]:
    """Files of points, of which a third are of class b, and the arguments for a run on them."""
    rng = random.Random(1)

    def row() -> list[Any]:
        x, y = rng.gauss(0, 1), rng.gauss(0, 1)
        return [round(x, 4), round(y, 4), "b" if x + 0.5 * y + rng.gauss(0, 0.8) > 0.6 else "a"]

    for split, number in (("train", 400), ("val", 203), ("test", 211)):
        write(tmp_path / f"{split}.csv", ["x", "y", "label"], [row() for _ in range(number)])
    paths = [f"data.{split}={split}.csv" for split in ("train", "val", "test")]
    return ("data=table", "model=perceptron", *paths, "data.bins=0", *QUICK)


def probs_and_truth(run: Path, file: Path) -> tuple[np.ndarray, np.ndarray]:
    """What the saved model says of a file of two classes."""
    model, frame = rosenblatt.load(run), pl.read_csv(file)
    return model.predict_proba(frame)[:, 1], (frame["label"] == model.classes[1]).to_numpy().astype(int)


def assert_metrics(metrics: dict[str, Any], truth: np.ndarray, probs: np.ndarray) -> None:
    """Those of the test split are scikit-learn's."""
    preds = probs > np.float32(metrics["threshold"])
    assert metrics["test/acc"] == pytest.approx(sk.accuracy_score(truth, preds), abs=1e-6)
    for name, score in (("f1", sk.f1_score), ("precision", sk.precision_score), ("recall", sk.recall_score)):
        assert metrics[f"test/{name}"] == pytest.approx(score(truth, preds, zero_division=0), abs=1e-6)
    assert metrics["test/auroc"] == pytest.approx(sk.roc_auc_score(truth, probs), abs=1e-6)
    assert metrics["test/ap"] == pytest.approx(sk.average_precision_score(truth, probs), abs=1e-5)
    assert metrics["test/loss"] == pytest.approx(sk.log_loss(truth, probs.astype(float)), abs=1e-5)


def recall_at(at_least: float) -> Callable[..., float]:
    def score(truth: np.ndarray, preds: np.ndarray) -> float:
        good = preds.any() and sk.precision_score(truth, preds) >= at_least
        return sk.recall_score(truth, preds) if good else -1.0

    return score


GOALS: dict[str, tuple[Callable[..., float], str]] = {
    "threshold=f1": (lambda truth, preds: sk.f1_score(truth, preds, zero_division=0), "the largest F1"),
    "threshold=accuracy": (sk.accuracy_score, "the most rows right"),
    "threshold=youden": (sk.balanced_accuracy_score, "the largest Youden index"),
    "threshold=precision threshold.at_least=0.9": (recall_at(0.9), "the most recall at a precision of 0.9"),
    "threshold=f1 calibration=temperature": (lambda truth, preds: sk.f1_score(truth, preds), "the largest F1"),
}


@pytest.mark.parametrize("arguments", GOALS)
def test_the_threshold_does_best_on_validation_and_decides_the_test_rows(
    trained: Train, table: tuple[str, ...], tmp_path: Path, arguments: str
) -> None:
    score, described = GOALS[arguments]
    done = trained(*table, *arguments.split())
    threshold = done.metrics["threshold"]
    assert threshold == rosenblatt.load(done.run).task.threshold != 0.5
    probs, truth = probs_and_truth(done.run, tmp_path / "val.csv")
    best = max(score(truth, probs > cut) for cut in np.append(probs, np.float32(0)))
    assert score(truth, probs > np.float32(threshold)) == pytest.approx(best, abs=1e-9)
    assert best > -1
    probs, truth = probs_and_truth(done.run, tmp_path / "test.csv")
    assert_metrics(done.metrics, truth, probs)
    assert f"{threshold:.4f}: {described} on validation" in done.out
    predicted = rosenblatt.load(done.run).predict(pl.read_csv(tmp_path / "test.csv"))
    assert (predicted == "b").mean() == pytest.approx((probs > np.float32(threshold)).mean())


def test_a_threshold_that_is_given_decides(
    train: Train, trained: Train, table: tuple[str, ...], tmp_path: Path
) -> None:
    plain, strict = trained(*table, run="plain"), train(*table, "threshold=fixed", "threshold.value=0.7")
    assert (plain.metrics["threshold"], strict.metrics["threshold"]) == (0.5, 0.7)
    assert_metrics(strict.metrics, *reversed(probs_and_truth(strict.run, tmp_path / "test.csv")))
    assert strict.metrics["test/recall"] < plain.metrics["test/recall"]
    assert strict.metrics["test/auroc"] == plain.metrics["test/auroc"]
    assert [line.split() for line in strict.out.splitlines() if line.startswith("threshold")] == [["threshold", "0.7"]]
    assert "threshold" not in plain.out


def test_the_temperature_makes_validation_the_most_likely(
    train: Train, trained: Train, table: tuple[str, ...], tmp_path: Path
) -> None:
    plain, done = trained(*table, run="plain"), train(*table, "calibration=temperature")
    temperature = done.metrics["temperature"]
    assert temperature == rosenblatt.load(done.run).task.temperature != 1
    assert plain.metrics["temperature"] == 1
    probs, truth = probs_and_truth(done.run, tmp_path / "val.csv")
    logits = np.log(probs / (1 - probs)).astype(float) * temperature
    losses = [
        sk.log_loss(truth, 1 / (1 + np.exp(-logits / (temperature * factor))))
        for factor in (0.97, 1, 1.03, 1 / temperature)
    ]
    assert losses[1] == min(losses)
    assert_metrics(done.metrics, *reversed(probs_and_truth(done.run, tmp_path / "test.csv")))
    for name in ("acc", "f1", "auroc"):
        assert done.metrics[f"test/{name}"] == plain.metrics[f"test/{name}"]  # none of these changes
    assert done.metrics["test/ece_uncalibrated"] == pytest.approx(plain.metrics["test/ece"], abs=1e-6)
    before, now = done.metrics["test/ece_uncalibrated"], done.metrics["test/ece"]
    assert f"error {before:.4f} before, {now:.4f} with temperature {temperature:.3f}" in done.out
    assert "calibration " not in plain.out.replace("calib. error", "")


@pytest.fixture
def labelled(tmp_path: Path) -> str:
    """A fastText file with up to two labels a row, of words that tell them only now and then."""
    rng = random.Random(2)
    lines = []
    for _ in range(300):
        labels = [name for name, share in (("a", 0.5), ("b", 0.2), ("c", 0.1)) if rng.random() < share]
        words = [f"word{name}" for name in labels if rng.random() < 0.8] + rng.choices(
            ["worda", "wordb", "x", "y"], k=3
        )
        lines.append(" ".join([*(f"__label__{name}" for name in labels), *words]))
    (tmp_path / "labelled.txt").write_text("\n".join(lines) + "\n")
    return "data.train=labelled.txt"


def test_each_label_has_a_threshold_of_its_own(train: Train, labelled: str) -> None:
    done = train("data=text", labelled, "task=multilabel", "threshold=f1", *QUICK)
    assert done.status == 0, done.err
    thresholds = done.metrics["threshold"]
    model, frame = rosenblatt.load(done.run), pl.read_parquet(done.run / "test.parquet")
    assert model.classes == ("a", "b", "c")
    assert list(model.task.threshold) == thresholds
    assert len(set(thresholds)) == 3
    truth = np.array([[name in labels for name in model.classes] for labels in frame["label"]]).astype(int)
    preds = model.predict_proba(frame) > np.array(thresholds, dtype=np.float32)
    for name, score in (("f1", sk.f1_score), ("precision", sk.precision_score), ("recall", sk.recall_score)):
        expected = score(truth, preds, average="macro", zero_division=0)
        assert done.metrics[f"test/{name}"] == pytest.approx(expected, abs=1e-6)
    assert done.metrics["test/f1_micro"] == pytest.approx(sk.f1_score(truth, preds, average="micro"), abs=1e-6)
    assert done.metrics["test/acc"] == pytest.approx(sk.accuracy_score(truth, preds), abs=1e-6)
    assert f"{min(thresholds):.4f} to {max(thresholds):.4f}, by label: the largest F1 on validation" in done.out


def test_a_precision_out_of_reach_is_one_clear_error_and_the_training_is_kept(
    train: Train, table: tuple[str, ...], tmp_path: Path
) -> None:
    with (tmp_path / "val.csv").open("a") as file:
        file.writelines("9,9,a\n" for _ in range(3))  # the model is surest of these, and wrong
    done = train(*table, "threshold=precision", "threshold.at_least=0.99", "checkpoint.min_seconds=0")
    assert done.status == 1
    assert done.err.startswith("error: threshold.at_least=0.99: no threshold reaches this precision on the 206 validat")
    assert done.err.count("\n") == 1
    assert not (done.run / "metrics.json").exists()
    assert {path.name for path in (done.run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt", "previous.ckpt"}
    less = train("resume=run", "threshold.at_least=0.6", "resume_anyway=true")
    assert less.status == 0, less.err
    assert less.metrics["val/precision"] >= 0.6


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("calibration=nonsense", "calibration: expected null or temperature; got 'nonsense'"),
        ("calibration=temprature", "Did you mean 'temperature'?"),
        ("calibration=true", "calibration: expected null or temperature; got True"),
        ("threshold.value=2", "threshold.value: expected a probability from 0 to 1; got 2."),
        ("threshold.value=-0.1", "threshold.value: expected a probability from 0 to 1; got -0.1."),
        ("threshold.value=nan", "threshold.value: expected a probability from 0 to 1; got nan."),
        ("threshold.value=a", "threshold.value: expected a number; got 'a'"),
        ("threshold=0.7", "threshold=0.7: no such choice. There are accuracy, f1, fixed, precision, youden"),
        ("threshold=F1", "Did you mean 'f1'?"),
        ("threshold.at_least=0.9", "threshold.at_least: no such setting here; threshold=precision has it."),
        ("threshold=f1 +threshold.at_least=0.9", "it goes with threshold=precision, and no other"),
        ("threshold=f1 threshold.value=0.7", "threshold.value: no such setting here; threshold=fixed has it."),
        ("threshold=precision threshold.at_least=null", "it goes with threshold=precision, and no other"),
        ("threshold=precision threshold.at_least=2", "threshold.at_least: expected a precision above 0 and up to 1"),
        ("threshold=f1 threshold.goal=f2", "threshold.goal: expected one of 'accuracy', 'f1', 'youden', 'precision'"),
        ("data=text data.train=three.csv data.min_count=1 threshold=f1", "so there is no threshold to choose"),
    ],
)
def test_a_slip_is_explained(train: Train, arguments: str, says: str) -> None:
    Path("three.csv").write_text("text,label\n" + "one,a\ntwo,b\nthree,c\n" * 20)
    done = train(*arguments.split())
    assert done.status == 1
    assert done.err.startswith("error: ")
    assert says in done.err
    assert "Traceback" not in done.err
    assert not (done.run / "checkpoints").exists()


def test_intervals_hold_their_values_and_that_of_accuracy_is_scipys(trained: Train, table: tuple[str, ...]) -> None:
    for arguments in ((*SMALL, "lr=0.5"), (*table, "threshold=f1")):
        found = trained(*arguments, run=f"run{len(arguments)}").metrics
        num_rows = 200 if "lr=0.5" in arguments else 211
        interval = binomtest(round(found["test/acc"] * num_rows), num_rows).proportion_ci(method="wilson")
        assert (found["test/acc_low"], found["test/acc_high"]) == pytest.approx(interval, abs=1e-9)
        names = [name.removesuffix("_low") for name in found if name.endswith("_low")]
        assert names == [f"test/{name}" for name in ("acc", "f1", "precision", "recall", "auroc", "ap")]
        for name in names:
            assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]
            assert 0 < found[f"{name}_high"] - found[f"{name}_low"] < 0.3 or math.isclose(found[name], 1, abs_tol=1e-3)


def test_rows_that_are_in_train_too_are_counted_and_told(
    train: Train, trained: Train, table: tuple[str, ...], reviews: Path
) -> None:
    assert "test/repeated" not in trained(*SMALL, run="toy").metrics
    lines = Path("train.csv").read_text().splitlines()[1:8]
    with Path("test.csv").open("a") as file:
        file.writelines(f"{line.rsplit(',', 1)[0]},{label}\n" for line in lines for label in "ab")  # whatever the label
    done = train(*table)
    assert (done.metrics["test/repeated"], done.metrics["val/repeated"]) == (14, 0)
    assert "test: 14 of 225 rows are in train too" in (done.run / "train.log").read_text()
    assert "14 rows of test are in train too" in done.out
    assert "val:" not in done.out
    texts = train("data=text", f"data.train={reviews}", f"data.test={reviews}", *QUICK, run="texts")
    assert texts.metrics["test/repeated"] > 100
