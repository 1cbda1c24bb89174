from __future__ import annotations

import io
import logging
import re
import signal
import sys
import threading
from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch
from rich.console import Console
from torch import Tensor
from torch.nn import functional as F

from fitting import NUM_BATCHES, QUIET, Poison, batches, fit
from rosenblatt import callbacks as under_test
from rosenblatt.callbacks import NoProfiler, StopOnCtrlC, TrainingProgress
from rosenblatt.errors import UserError

pytestmark = QUIET


@pytest.fixture
def lines(monkeypatch):
    """What is logged about epochs: names of loggers and messages."""
    found: list[tuple[str, str]] = []
    for name in ("rosenblatt.callbacks", "rosenblatt_file"):
        logger = logging.getLogger(name)
        monkeypatch.setattr(logger, "info", lambda message, name=name: found.append((name, message)))
    return found


class Figures(pl.Callback):
    """Loss and accuracy of each epoch by plain torch: train before each step, val after the last."""

    def __init__(self) -> None:
        self.rows: list[Tensor] = []
        self.epochs: list[list[float]] = []

    @torch.no_grad()
    def _of(self, pl_module, features, target) -> Tensor:
        logits = pl_module.model(features)[:, 0]
        loss = F.binary_cross_entropy_with_logits(logits, target.float(), reduction="none")
        return torch.stack([loss, ((logits > 0) == (target == 1)).float()])  # (2, N)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.rows.append(self._of(pl_module, *batch))

    def on_train_epoch_end(self, trainer, pl_module):
        val = [self._of(pl_module, *batch) for batch in batches(2, num_batches=2)]
        self.epochs.append(
            [value for rows in (self.rows, val) for value in torch.cat(rows, dim=1).mean(dim=1).tolist()]
        )
        self.rows = []


class Press(pl.Callback):
    """Sends Ctrl-C to this process in the given steps or in validation, and notes where validation ended."""

    def __init__(self, *when: int | str) -> None:
        self.when = when
        self.validated_at: list[int] = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        for _ in range(self.when.count(trainer.global_step)):
            signal.raise_signal(signal.SIGINT)

    def on_validation_start(self, trainer, pl_module):
        if "validation" in self.when:
            signal.raise_signal(signal.SIGINT)

    def on_validation_end(self, trainer, pl_module):
        self.validated_at.append(trainer.global_step)


@pytest.fixture
def before():
    """A handler that was there before; Ctrl-C must come back to it."""

    def handler(signum, frame):
        raise AssertionError("Ctrl-C reached the handler from before training")

    original = signal.signal(signal.SIGINT, handler)
    yield handler
    signal.signal(signal.SIGINT, original)


def test_without_a_terminal_each_epoch_is_a_line_with_its_figures(lines):
    figures, file = Figures(), io.StringIO()
    fit(figures, TrainingProgress(Console(file=file)), max_epochs=11)
    assert {name for name, _ in lines} == {"rosenblatt.callbacks"}
    for (_, message), epoch, expected in zip(lines, range(1, 12), figures.epochs, strict=True):
        pattern = rf"epoch {epoch:>2}/11  train/loss (\S+)  train/acc (\S+)  val/loss (\S+)  val/acc (\S+)"
        found = [float(value) for value in re.fullmatch(pattern, message).groups()]
        assert found == pytest.approx(expected, abs=6e-5)
    assert len({message[12:] for _, message in lines}) == 11  # a line of another epoch would show
    assert file.getvalue() == ""


def test_validation_and_a_last_epoch_are_left_out_where_there_are_none(lines):
    progress = TrainingProgress(Console(file=io.StringIO()))
    fit(progress, validate=False, max_epochs=-1, max_steps=2 * NUM_BATCHES)
    found = [re.sub(r"[01]\.\d{4}", "#", message) for _, message in lines]
    assert found == [f"epoch {epoch}  train/loss #  train/acc #" for epoch in (1, 2)]


def test_on_a_terminal_a_bar_is_drawn_and_the_lines_go_to_the_file_alone(lines, monkeypatch):
    monkeypatch.setattr(under_test, "REFRESH", -1.0)
    file, stdout = io.StringIO(), sys.stdout
    fit(TrainingProgress(Console(force_terminal=True, file=file, width=80)))
    drawn = file.getvalue()
    for pattern in (r"\d steps/s", f"{3 * NUM_BATCHES}/{3 * NUM_BATCHES}", "epoch 3", r"val/loss \d"):
        assert re.search(pattern, drawn), pattern
    assert "Traceback" not in drawn
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h") == 1  # the cursor is back
    assert sys.stdout is stdout
    assert [name for name, _ in lines] == ["rosenblatt_file"] * 3


class Clock(pl.Callback):
    """Time as the bar sees it: a sixteenth of a second a step, which floats add up without error."""

    def __init__(self) -> None:
        self.now = 100.0

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.now += 1 / 16


def test_the_bar_moves_when_a_quarter_of_a_second_has_gone_by(monkeypatch):
    clock, progress, looks = Clock(), TrainingProgress(Console(force_terminal=True, file=io.StringIO())), []

    def look(bar):
        if bar.tasks and bar.tasks[0].fields["rate"]:
            looks.append((bar.tasks[0].completed, bar.tasks[0].fields["rate"]))

    monkeypatch.setattr(under_test, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(under_test.Progress, "refresh", look)
    monkeypatch.setattr(under_test.Progress, "stop", lambda bar: None)  # it refreshes once more
    monkeypatch.setattr(under_test.Progress, "start", lambda bar: None)
    fit(clock, progress)
    # Four steps are a quarter of a second, and no more than that.
    assert looks == [(5, "16 steps/s"), (10, "16 steps/s"), (15, "16 steps/s")]


def test_an_exception_takes_the_bar_away():
    file = io.StringIO()
    progress = TrainingProgress(Console(force_terminal=True, file=file, width=80))
    with pytest.raises(UserError):
        fit(progress, Poison(1))
    assert progress.bar is None
    assert file.getvalue().count("\x1b[?25l") == file.getvalue().count("\x1b[?25h") == 1


def test_ctrl_c_ends_training_after_the_step_with_validation(before, capfd):
    stop, press = StopOnCtrlC(), Press(7)
    assert fit(stop, press).global_step == 8
    assert stop.pressed
    assert press.validated_at == [NUM_BATCHES, 8]
    assert signal.getsignal(signal.SIGINT) is before
    assert "Ctrl-C: ending in order" in capfd.readouterr().err


def test_ctrl_c_counts_more_than_the_least_epochs_and_steps(before):
    press = Press(1)
    assert fit(StopOnCtrlC(), press, min_epochs=3, min_steps=12).global_step == 2
    assert press.validated_at == [2]


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
    assert signal.getsignal(signal.SIGINT) is before


def test_the_signal_is_given_back_after_training_and_after_a_failure(before):
    stop = StopOnCtrlC()
    assert (fit(stop).global_step, stop.pressed) == (3 * NUM_BATCHES, False)
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(UserError):
        fit(StopOnCtrlC(), Poison(0))
    assert signal.getsignal(signal.SIGINT) is before


def test_training_in_another_thread_leaves_the_signal_alone(before):
    trainers: list[pl.Trainer] = []
    thread = threading.Thread(target=lambda: trainers.append(fit(StopOnCtrlC(), max_epochs=1)))
    thread.start()
    thread.join()
    assert trainers[0].global_step == NUM_BATCHES
    assert signal.getsignal(signal.SIGINT) is before


def test_no_profiler_takes_no_times_and_lets_errors_through(monkeypatch):
    def unexpected(profiler, action_name):
        raise AssertionError("a time was taken")

    monkeypatch.setattr(under_test.PassThroughProfiler, "start", unexpected)
    monkeypatch.setattr(under_test.PassThroughProfiler, "stop", unexpected)
    profiler = NoProfiler()
    done = []
    with profiler.profile("outer"), profiler.profile("inner"), profiler.profile("inner"):
        done.append("body")
    with pytest.raises(ZeroDivisionError), profiler.profile("outer"):
        done.append(1 / 0)
    assert done == ["body"]


def test_training_is_the_same_with_and_without_a_profiler_of_our_own():
    figures = [Figures(), Figures()]
    for figure, profiler in zip(figures, (NoProfiler(), None), strict=True):
        assert fit(figure, profiler=profiler).global_step == 3 * NUM_BATCHES
    assert figures[0].epochs == figures[1].epochs
