"""Learning curves, and the names of what is learnt."""

from __future__ import annotations

import pytest

from rosenblatt.show.figures.kinds import learning_curves
from rosenblatt.show.metrics import metric_rows, parted, splits_of
from rosenblatt.show.words import short_name


def shown(epochs, **more):
    return [(title, [one.name for one in curves]) for title, curves in learning_curves(epochs, **more).panels]


def test_loss_and_what_is_monitored_come_first_and_then_what_both_splits_have():
    names = ("loss", "acc", "f1", "recall", "precision", "psnr")
    epochs = {k: {f"{split}/{name}": 1 / k for split in ("train", "val") for name in names} for k in (1, 2)}
    epochs[2] |= {"val/auroc": 0.9, "val/ap": 0.8, "lr": 0.1}
    both = ["training", "validation"]
    assert shown(epochs, monitor="val/auroc") == [
        ("loss", both), ("AUROC", ["validation"]), ("accuracy", both), ("F1", both),
    ]  # fmt: skip


def test_names_of_anybody_are_drawn_too():
    epochs = {1: {"train_loss": 0.5, "val_loss": 0.6, "val_psnr": 30.0}, 2: {"train_loss": 0.4}}
    assert shown(epochs, monitor="val_psnr") == [("loss", ["training", "validation"]), ("psnr", ["validation"])]
    (_, (train, val)), _ = learning_curves(epochs, "val_psnr").panels
    assert (train.x, train.y, val.x, val.y) == ([1, 2], [0.5, 0.4], [1], [0.6])


@pytest.mark.parametrize("epochs", [{}, {1: {}}, {1: {"lr": 0.1, "train/own": 3.0}}])
def test_without_a_loss_and_a_metric_of_both_splits_there_is_a_reason(epochs):
    assert learning_curves(epochs) == "no epoch has logged a loss, or a metric of both splits"


def test_a_metric_is_a_split_and_a_name():
    assert parted("val/loss") == parted("val_loss") == ("val", "loss")
    assert parted("test/class_f1") == ("test", "class_f1")
    assert parted("valuable") == ("", "valuable")
    assert parted("seconds_training") == ("", "seconds_training")


def test_rows_of_the_table_are_those_that_the_last_split_has():
    metrics = {
        "train/loss": 0.5, "val/loss": 0.6, "val/own": 1.0, "val/acc": 0.75, "val/acc_low": 0.7, "val/acc_high": 0.8,
        "val/baseline_acc": 0.5, "val/ece_uncalibrated": 0.2, "val/repeated": 3, "epochs": 7, "interrupted": False,
    }  # fmt: skip
    assert splits_of(metrics) == ["train", "val"]
    assert [tuple(row) for row in metric_rows(metrics)] == [
        ("loss", "loss", ["0.5000", "0.6000"], "", "-"),
        ("acc", "accuracy", ["-", "0.7500"], "0.7000-0.8000", "0.5000"),
        ("own", "own", ["-", "1.0000"], "", "-"),
    ]
    assert splits_of({"epochs": 7}) == metric_rows({"epochs": 7}) == []


def test_names_are_one_printable_line():
    assert short_name("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert short_name("") == "(empty)"
    assert short_name("abcdefghijklmnop", 10) == "abcdef…nop"
    assert short_name("\ud800\ufffe") == "\\ud800\\ufffe"
