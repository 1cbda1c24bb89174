"""What is taken out of a training to make small steps quick."""

from __future__ import annotations

import lightning.pytorch as pl
import torch

from fitting import QUIET, batches, make_trainer, perceptron
from perceptron.classifier import Classifier
from rosenblatt.loop.lean import make_lean

pytestmark = QUIET


class Counting(pl.Callback):
    seen = 0

    def on_after_backward(self, trainer, pl_module):
        self.seen += 1


def test_hooks_of_a_step_that_do_nothing_are_taken_out_and_others_stay():
    class Own(Classifier):
        def on_train_batch_start(self, batch, batch_idx):
            return -1 if batch_idx == 3 else None  # which ends the epoch

    counting, idle = Counting(), pl.callbacks.EarlyStopping("train/loss")
    classifier = perceptron()
    classifier.__class__ = Own
    trainer = make_trainer(counting, idle, max_epochs=2)
    make_lean(trainer, classifier)
    assert (idle.on_train_batch_end, counting.on_before_zero_grad) == (None, None)
    assert callable(idle.on_train_epoch_end)
    trainer.fit(classifier, batches(1), batches(2, num_batches=2))
    assert counting.seen == 2 * 3


def test_training_is_the_same_without_the_hooks_that_do_nothing():
    one, other = perceptron(), perceptron()
    for classifier, lean in ((one, False), (other, True)):
        trainer = make_trainer(Counting())
        if lean:
            make_lean(trainer, classifier)
        trainer.fit(classifier, batches(1), batches(2, num_batches=2))
    for theirs, ours in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(theirs, ours)
