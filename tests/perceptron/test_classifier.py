"""The LightningModule: how a loss that is no number ends, and what a pass counts."""

from __future__ import annotations

import math

import lightning.pytorch as pl
import pytest
import torch
from torch.nn import functional as F

from fitting import NUM_BATCHES, QUIET, Poison, batches, fit, make_trainer, perceptron
from perceptron.classifier import Classifier
from perceptron.models import Perceptron
from rosenblatt.data.features import DataSpec
from rosenblatt.errors import UserError
from rosenblatt.tasks.losses import ClassificationLoss

pytestmark = QUIET


class CutOff(pl.Callback):
    """Raises after the first batch of a kind, with some rows counted and some not."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def _end(self, kind: str, batch_idx: int) -> None:
        if (kind, batch_idx) == (self.kind, 0):
            raise RuntimeError("cut off")

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self._end("train", batch_idx)

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self._end("val", batch_idx)

    def on_test_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        self._end("test", batch_idx)


@torch.no_grad()
def mean_loss(classifier: Classifier, seed: int, num_batches: int) -> float:
    """By plain torch, over all rows at once."""
    features, target = (torch.cat(parts) for parts in zip(*batches(seed, num_batches), strict=True))
    return float(F.binary_cross_entropy_with_logits(classifier.model(features)[:, 0], target.float()))


def test_a_training_loss_that_is_no_number_ends_the_run_with_the_reason():
    with pytest.raises(UserError, match=r"train/loss became nan in epoch 1 at lr=0\.25\. .*lr=0\.025") as caught:
        fit(lr=0.25, scale=math.nan, validate=False)
    assert caught.value.trainer.global_step == NUM_BATCHES


def test_an_infinite_training_loss_ends_the_run_too():
    with pytest.raises(UserError, match=r"train/loss became inf in epoch 2 at lr=0\.25\. .*gradient_clip_val=1\.$"):
        fit(Poison(1, math.inf), lr=0.25, validate=False)


def test_a_learning_rate_that_is_far_too_high_is_named():
    with pytest.raises(UserError, match=r"val/loss became (nan|inf) in epoch 1 at lr=1e\+30\. .*lr=1e\+29,"):
        fit(lr=1e30, scale=1e10)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_epoch_in_which_the_loss_broke_is_named_and_none_of_it_is_the_best(tmp_path, value):
    best = pl.callbacks.ModelCheckpoint(tmp_path, filename="{epoch}", monitor="val/loss")
    with pytest.raises(UserError, match=rf"val/loss became {value} in epoch 3 at lr=0\.01"):
        fit(Poison(2, value), best, lr=0.01, max_epochs=5, enable_checkpointing=True)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch=1.ckpt"]


def test_the_sanity_check_before_training_ends_nothing():
    with pytest.raises(UserError, match="epoch 1 ") as caught:
        fit(Poison("sanity check"), num_sanity_val_steps=1)
    assert caught.value.trainer.global_step == NUM_BATCHES


@pytest.mark.parametrize("kind", ["train", "val"])
def test_what_a_pass_that_was_cut_off_had_counted_is_forgotten(kind):
    # The first pass moves the model, so that its rows have losses of their own; the second leaves it where it is.
    classifier = perceptron(lr=30.0)
    with pytest.raises(RuntimeError, match="cut off"):
        fit(CutOff(kind), classifier=classifier)
    classifier.make_optimizer = lambda parameters: torch.optim.SGD(parameters, lr=0.0)
    classifier.train()  # where validation was cut off, it still is in eval mode
    metrics = fit(classifier=classifier, max_epochs=1).callback_metrics
    assert float(metrics["train/loss"]) == pytest.approx(mean_loss(classifier, 1, NUM_BATCHES), abs=1e-6)
    assert float(metrics["val/loss"]) == pytest.approx(mean_loss(classifier, 2, 2), abs=1e-6)


def test_an_evaluation_that_was_cut_off_counts_for_nothing_in_the_next():
    classifier = perceptron()
    with pytest.raises(RuntimeError, match="cut off"):
        make_trainer(CutOff("test")).test(classifier, batches(1, scale=50.0), verbose=False)
    make_trainer().test(classifier, batches(2, num_batches=2), verbose=False)
    assert classifier.test_result.values["loss"] == pytest.approx(mean_loss(classifier, 2, 2), abs=1e-6)


@pytest.mark.parametrize(("num_classes", "asked", "ranked"), [(50, False, True), (51, False, False), (51, True, True)])
def test_rows_are_ranked_for_few_classes_or_where_it_is_asked_for(num_classes, asked, ranked):
    names = tuple(f"c{i}" for i in range(num_classes))
    spec = DataSpec(2, False, "multiclass", names, (2,) * num_classes, 2 * num_classes)
    classifier = Classifier(Perceptron(2, num_classes), spec, ClassificationLoss(spec), torch.optim.SGD)
    assert ("auroc" in classifier.val_metrics.names) == (num_classes <= 50)
    classifier.start_test(ranking=asked)
    assert ("auroc" in classifier.test_metrics.names) == ranked


def test_the_rate_that_is_named_is_that_of_the_epoch_not_of_the_next_one():
    classifier = perceptron(lr=1e30)
    classifier.make_scheduler = lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, [1.0, 0.0].__getitem__)
    with pytest.raises(UserError, match=r"epoch 1 at lr=1e\+30\. "):
        fit(classifier=classifier, scale=1e10, max_epochs=1)
