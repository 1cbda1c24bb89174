"""How a run ends whose loss is no number any more."""

from __future__ import annotations

import math

import lightning.pytorch as pl
import pytest
import torch

from fitting import NUM_BATCHES, QUIET, Poison, fit, perceptron
from rosenblatt.errors import UserError

pytestmark = QUIET


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


def test_the_rate_that_is_named_is_that_of_the_epoch_not_of_the_next_one():
    classifier = perceptron(lr=1e30)
    classifier.make_scheduler = lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, [1.0, 0.0].__getitem__)
    with pytest.raises(UserError, match=r"epoch 1 at lr=1e\+30\. "):
        fit(classifier=classifier, scale=1e10, max_epochs=1)
