"""What metrics are called, and what is better."""

from __future__ import annotations

from rosenblatt.tasks.titles import direction


def test_losses_errors_and_costs_are_to_be_low_and_all_others_high():
    names = ("val/loss", "seconds_training", "val/ece", "epochs", "val/acc", "val/p_at_1")
    assert [direction(name) for name in names] == ["min", "min", "min", "min", "max", "max"]


def test_numbers_have_errors_that_are_to_be_low_and_a_share_that_is_to_be_high():
    names = ("val/rmse", "val/mae", "val/r2", "val/huber_loss", "val/own")
    assert [direction(name) for name in names] == ["min", "min", "max", "min", None]
