from __future__ import annotations

import signal
import threading

import lightning.pytorch as pl
import pytest

from fitting import NUM_BATCHES, QUIET, Poison, fit
from rosenblatt.errors import UserError
from rosenblatt.loop.signals import StopOnCtrlC

pytestmark = QUIET


class Press(pl.Callback):
    """Sends Ctrl-C to this process in the given batches or in validation, and notes where validation ended."""

    def __init__(self, *when: int | str) -> None:
        self.when = when
        self.validated_at: list[int] = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        for _ in range(self.when.count(trainer.fit_loop.epoch_loop.total_batch_idx)):
            signal.raise_signal(signal.SIGINT)

    def on_validation_start(self, trainer, pl_module):
        if "validation" in self.when:
            signal.raise_signal(signal.SIGINT)

    def on_validation_end(self, trainer, pl_module):
        self.validated_at.append(trainer.global_step)


class Before:
    """A handler that was there before, which both signals must come back to."""

    def __call__(self, signum, frame):
        raise AssertionError("a signal reached the handler from before training")

    @property
    def is_back(self) -> bool:
        return signal.getsignal(signal.SIGINT) is signal.getsignal(signal.SIGTERM) is self


@pytest.fixture
def before():
    handler = Before()
    original = {signum: signal.signal(signum, handler) for signum in (signal.SIGINT, signal.SIGTERM)}
    yield handler
    for signum, one in original.items():
        signal.signal(signum, one)


def test_ctrl_c_ends_training_after_the_step_without_a_validation_of_half_an_epoch(before, capfd):
    saved_at = []
    stop, press = StopOnCtrlC(lambda trainer: saved_at.append(trainer.global_step)), Press(7)
    assert fit(stop, press).global_step == 8
    assert stop.pressed
    assert press.validated_at == [NUM_BATCHES]
    assert saved_at == [8]
    assert before.is_back
    assert "Ctrl-C: ending in order" in capfd.readouterr().err


def test_ctrl_c_counts_more_than_the_least_epochs_and_steps(before):
    press = Press(1)
    assert fit(StopOnCtrlC(), press, min_epochs=3, min_steps=12).global_step == 2
    assert press.validated_at == []


def test_ctrl_c_in_the_last_step_of_an_epoch_lets_the_epoch_end(before):
    saved_at, press = [], Press(NUM_BATCHES - 1)
    assert fit(StopOnCtrlC(lambda trainer: saved_at.append(trainer.global_step)), press).global_step == NUM_BATCHES
    assert (saved_at, press.validated_at) == ([], [NUM_BATCHES])


def test_ctrl_c_waits_for_gradients_that_are_still_added_up(before):
    saved_at = []
    stop = StopOnCtrlC(lambda trainer: saved_at.append((trainer.global_step, trainer.fit_loop.epoch_loop.batch_idx)))
    fit(stop, Press(0), accumulate_grad_batches=2)
    assert saved_at == [(1, 1)]  # one step, of the batches 0 and 1


def test_ctrl_c_in_validation_lets_it_end(before):
    press = Press("validation")
    assert fit(StopOnCtrlC(), press).global_step == NUM_BATCHES
    assert press.validated_at == [NUM_BATCHES]


def test_a_second_press_leaves_at_once(before):
    press = Press(3, 3)
    with pytest.raises(SystemExit) as caught:
        fit(StopOnCtrlC(), press)
    assert caught.value.trainer.global_step == 3
    assert press.validated_at == []
    assert before.is_back


def test_the_signal_is_given_back_after_training_and_after_a_failure(before):
    stop = StopOnCtrlC()
    assert (fit(stop).global_step, stop.pressed) == (3 * NUM_BATCHES, False)
    assert before.is_back
    with pytest.raises(UserError):
        fit(StopOnCtrlC(), Poison(0))
    assert before.is_back


def test_training_in_another_thread_leaves_the_signal_alone(before):
    trainers: list[pl.Trainer] = []
    thread = threading.Thread(target=lambda: trainers.append(fit(StopOnCtrlC(), max_epochs=1)))
    thread.start()
    thread.join()
    assert trainers[0].global_step == NUM_BATCHES
    assert before.is_back
