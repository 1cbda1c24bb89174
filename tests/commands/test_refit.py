"""Training anew on train and validation together, once validation has said for how long."""

from __future__ import annotations

import csv
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset

import rosenblatt
from conftest import Outcome
from perceptron.toy import ToyData
from rosenblatt.loop.signals import StopOnCtrlC

Train = Callable[..., Outcome]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Texts of which each has a word of its own beside those of its class, so that it shows which rows were learnt."""
    rng = random.Random(0)
    path = tmp_path / "texts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for number in range(240):
            label = rng.choice(["good", "bad", "so"])
            word = label if rng.random() < 0.6 else rng.choice(["good", "bad", "so"])
            writer.writerow([f"{word} and own{number} own{number}", label])
    return path


SETTINGS = ("data=text", "data.char_ngrams=0", "data.cache=null", "data.ngrams=1")


def test_the_model_has_learnt_the_validation_rows_and_figures_are_of_the_one_before(train: Train, texts: Path):
    anew = train(*SETTINGS, f"data.train={texts}", run="anew")
    once = train(*SETTINGS, f"data.train={texts}", "data.refit=false", run="once")
    assert anew.status == once.status == 0
    assert anew.metrics["rows_refit"] == 216
    assert "rows_refit" not in once.metrics
    assert "Training anew on all 216 rows of train and validation" in anew.out
    assert "), then anew on 216 rows" in " ".join(anew.out.split())
    cards = [(one.run / "model" / "README.md").read_text(encoding="utf-8") for one in (anew, once)]
    assert ["trained anew on train and validation together, 216 rows" in card for card in cards] == [True, False]
    for name in ("val/loss", "val/acc", "train/loss", "temperature", "best_epoch"):
        assert anew.metrics[name] == once.metrics[name]
    weights = [rosenblatt.load(one.run).model.state_dict()["linear.weight"].numpy() for one in (anew, once)]
    assert not np.array_equal(*weights)


@pytest.mark.parametrize(
    "settings",
    [
        ("data.fractions=[0.8,0.2,0]",),
        ("task=multilabel", "threshold=f1"),
        ("trainer.fast_dev_run=2",),
        ("callbacks=weight_averaging",),
    ],
    ids=["there is no test", "a threshold is chosen on validation", "a try", "weights are averaged"],
)
def test_it_is_left_out_where_figures_would_be_of_rows_that_were_learnt(train: Train, texts: Path, settings):
    found = train(*SETTINGS, f"data.train={texts}", *settings)
    assert found.status == 0, found.err
    assert "Training anew" not in found.out


def test_validation_rows_in_a_file_of_their_own_are_left_alone(train: Train, texts: Path):
    found = train(*SETTINGS, f"data.train={texts}", f"data.val={texts}", f"data.test={texts}")
    assert "Training anew" not in found.out


def test_a_run_of_the_same_settings_ends_with_the_same_bits(train: Train, texts: Path):
    runs = [train(*SETTINGS, f"data.train={texts}", run=name) for name in ("first", "second")]
    first, second = ((one.run / "model" / "weights.safetensors").read_bytes() for one in runs)
    assert first == second


def test_data_of_ones_own_may_offer_any_loader(train: Train, monkeypatch: pytest.MonkeyPatch):
    def joined(data: ToyData) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(ConcatDataset([TensorDataset(*data.splits[split]) for split in ("train", "val")]), 50)

    monkeypatch.setattr(ToyData, "refit_dataloader", joined, raising=False)
    found = train("data.num_train=300", "data.num_val=80", "data.num_test=100", "trainer.max_epochs=2", "figures=none")
    assert found.status == 0, found.err
    assert found.metrics["rows_refit"] == 380
    assert "Training anew on all 380 rows of train and validation, epochs: 2" in found.out


def test_ctrl_c_leaves_the_model_before_and_resume_trains_it_anew(train: Train, texts: Path, monkeypatch):
    anew = train(*SETTINGS, f"data.train={texts}", run="anew")
    once = train(*SETTINGS, f"data.train={texts}", "data.refit=false", run="once")
    steps = []

    def press(self: StopOnCtrlC, trainer: Any, *_: Any) -> None:
        steps.append(trainer)
        if self.save is None and len(steps) > 3:  # the callback of the second training saves nothing within an epoch
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(StopOnCtrlC, "on_train_epoch_start", press)
        ended = train(*SETTINGS, f"data.train={texts}")
    assert ended.status == 130
    assert "the model is the one before, of the training rows alone" in ended.out
    assert ended.metrics["interrupted"] is True
    assert ended.metrics["test/loss"] == once.metrics["test/loss"]
    resumed = train("resume=run")
    assert resumed.status == 0, resumed.err
    assert resumed.metrics["test/loss"] == anew.metrics["test/loss"]
    assert resumed.metrics["rows_refit"] == 216
