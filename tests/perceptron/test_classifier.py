"""The LightningModule: what a pass counts, and numbers in place of classes."""

from __future__ import annotations

from functools import partial

import lightning.pytorch as pl
import pytest
import torch
from torch.nn import functional as F

from fitting import NUM_BATCHES, QUIET, batches, fit, make_trainer, perceptron
from perceptron.classifier import Classifier
from perceptron.models import Perceptron
from rosenblatt.data.batches import Batches
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.tasks.regression import Regression

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


@torch.no_grad()
def mean_loss(classifier: Classifier, seed: int, num_batches: int) -> float:
    """By plain torch, over all rows at once."""
    features, target = (torch.cat(parts) for parts in zip(*batches(seed, num_batches), strict=True))
    return float(F.binary_cross_entropy_with_logits(classifier.model(features)[:, 0], target.float()))


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


@pytest.mark.parametrize(("num_classes", "ranked"), [(50, True), (51, False)])
def test_rows_are_ranked_after_each_epoch_for_few_classes_and_never_in_training(num_classes, ranked):
    task = Multiclass(tuple(f"c{i}" for i in range(num_classes)))
    classifier = Classifier(Perceptron(2, num_classes), task, task.loss(), torch.optim.SGD)
    assert ("auroc" in classifier.val_metrics.names) == ranked
    assert "auroc" not in classifier.train_metrics.names


def test_gradients_begin_from_nothing_at_each_step():
    classifier = perceptron()
    optimizer = torch.optim.SGD(classifier.parameters(), lr=0.1)
    for parameter in classifier.parameters():
        parameter.grad = torch.ones_like(parameter)
    classifier.optimizer_zero_grad(0, 0, optimizer)
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_outputs_of_numbers_are_learnt_in_standard_deviations_and_logged_in_the_targets_units():
    features = torch.randn(400, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    target = 3e6 + 1e4 * features[:, 0]
    task = Regression().counted(target)
    classifier = Classifier(Perceptron(2, 1), task, task.loss(), partial(torch.optim.SGD, lr=0.1))
    rows = Batches(features.float(), target, batch_size=40)
    trainer = make_trainer(max_epochs=10)
    trainer.fit(classifier, rows, rows)
    with torch.no_grad():
        scores = classifier(features.float()).flatten().double() * target.std(correction=0) + target.mean()
    errors = scores - target
    assert float(trainer.callback_metrics["val/rmse"]) == pytest.approx(float(errors.square().mean().sqrt()), rel=1e-6)
    assert float(trainer.callback_metrics["val/rmse"]) < 100
    assert float(trainer.callback_metrics["val/loss"]) == pytest.approx(
        float((errors / target.std(correction=0)).square().mean()), rel=1e-3
    )
    outputs = torch.cat(trainer.predict(classifier, rows))
    torch.testing.assert_close(task.scores(outputs), scores)


def test_the_schedule_of_a_plateau_watches_what_it_is_told_to():
    classifier = perceptron(lr=0.5)
    classifier.make_scheduler = partial(torch.optim.lr_scheduler.ReduceLROnPlateau, mode="max", patience=0)
    classifier.monitor = "val/acc"
    trainer = fit(classifier=classifier, max_epochs=8)
    assert trainer.optimizers[0].param_groups[0]["lr"] < 0.5  # accuracy can't rise each time
