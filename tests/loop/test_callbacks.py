from __future__ import annotations

import io
import logging
import re
import sys
from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch
from rich.console import Console
from torch import Tensor
from torch.nn import functional as F

from fitting import NUM_BATCHES, QUIET, Poison, batches, fit
from rosenblatt.errors import UserError
from rosenblatt.loop import epochs as under_test
from rosenblatt.loop.epochs import Measures, TrainingProgress

pytestmark = QUIET


@pytest.fixture
def lines(monkeypatch):
    """What is logged about epochs: names of loggers and messages."""
    found: list[tuple[str, str]] = []
    for name in ("rosenblatt.loop.epochs", "rosenblatt_file"):
        logger = logging.getLogger(name)
        monkeypatch.setattr(logger, "info", lambda message, name=name: found.append((name, message)))
    return found


def progress_on(console):
    progress = TrainingProgress(Measures("val/loss"))
    progress.console = console
    return progress


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


def test_without_a_terminal_each_epoch_is_a_line_with_its_figures(lines):
    figures, file = Figures(), io.StringIO()
    fit(figures, progress_on(Console(file=file)), max_epochs=11)
    assert {name for name, _ in lines} == {"rosenblatt.loop.epochs"}
    for (_, message), epoch, expected in zip(lines, range(1, 12), figures.epochs, strict=True):
        pattern = rf"epoch {epoch:>2}/11  train/loss (\S+)  train/acc (\S+)  val/loss (\S+)  val/acc (\S+)"
        found = [float(value) for value in re.fullmatch(pattern, message).groups()]
        assert found == pytest.approx(expected, abs=6e-5)
    assert len({message[12:] for _, message in lines}) == 11  # a line of another epoch would show
    assert file.getvalue() == ""


def test_validation_and_a_last_epoch_are_left_out_where_there_are_none(lines):
    progress = progress_on(Console(file=io.StringIO()))
    fit(progress, validate=False, max_epochs=-1, max_steps=2 * NUM_BATCHES)
    found = [re.sub(r"[01]\.\d{4}", "#", message) for _, message in lines]
    assert found == [f"epoch {epoch}  train/loss #  train/acc #" for epoch in (1, 2)]


def test_on_a_terminal_a_bar_is_drawn_and_the_lines_go_to_the_file_alone(lines, monkeypatch):
    monkeypatch.setattr(under_test, "REFRESH", -1.0)
    file, stdout = io.StringIO(), sys.stdout
    fit(progress_on(Console(force_terminal=True, file=file, width=80)))
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
    clock, progress, looks = Clock(), progress_on(Console(force_terminal=True, file=io.StringIO())), []

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
    progress = progress_on(Console(force_terminal=True, file=file, width=80))
    with pytest.raises(UserError):
        fit(progress, Poison(1))
    assert progress.bar is None
    assert file.getvalue().count("\x1b[?25l") == file.getvalue().count("\x1b[?25h") == 1
