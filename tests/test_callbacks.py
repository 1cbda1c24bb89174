from __future__ import annotations

import io
import logging
import math
import re
import signal
import sys
import threading
from functools import partial

import lightning.pytorch as pl
import pytest
import torch
from rich.console import Console
from torch import Tensor
from torch.nn import functional as F

from rosenblatt import callbacks as under_test
from rosenblatt.callbacks import StopOnCtrlC, TrainingProgress
from rosenblatt.classifier import Classifier
from rosenblatt.data.batches import Batches
from rosenblatt.errors import UserError
from rosenblatt.losses import ClassificationLoss
from rosenblatt.models import Perceptron
from rosenblatt.spec import DataSpec

pytestmark = [
    # torchmetrics, of a validation split with one class or of NaN
    pytest.mark.filterwarnings("ignore:No (positive|negative) samples (in targets|found in target):UserWarning"),
    # Lightning, where a test does without validation, and where the tests run beside a GPU
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`"),
    pytest.mark.filterwarnings("ignore:GPU available but not used"),
]
NUM_BATCHES = 5


@pytest.fixture
def lines(monkeypatch):
    """What is logged about epochs: names of loggers and messages."""
    found: list[tuple[str, str]] = []
    for name in ("rosenblatt.callbacks", "rosenblatt_file"):
        logger = logging.getLogger(name)
        monkeypatch.setattr(logger, "info", lambda message, name=name: found.append((name, message)))
    return found


def batches(seed: int, num_batches: int = NUM_BATCHES, scale: float = 1.0) -> Batches:
    """Batches of 8 rows, the last of 3."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(8 * num_batches - 5, 2, generator=generator)
    return Batches(features * scale, (features.sum(dim=1) > 0).long(), batch_size=8)


def fit(*callbacks: pl.Callback, lr: float = 0.5, scale: float = 1.0, validate: bool = True, **kwargs) -> pl.Trainer:
    settings = {"max_epochs": 3, "num_sanity_val_steps": 0, "enable_checkpointing": False} | kwargs
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(accelerator="cpu", callbacks=list(callbacks), **quiet, **settings)
    torch.manual_seed(0)
    spec = DataSpec(2, False, "binary", ("no", "yes"), (20, 15), 35)
    classifier = Classifier(Perceptron(2, 1), spec, ClassificationLoss(spec), partial(torch.optim.SGD, lr=lr))
    try:
        trainer.fit(classifier, batches(1, scale=scale), batches(2, num_batches=2) if validate else None)
    except BaseException as error:
        error.trainer = trainer
        raise
    return trainer


class Poison(pl.Callback):
    """Makes the model's bias NaN before an epoch or the sanity check."""

    def __init__(self, when: int | str) -> None:
        self.when = when

    def on_sanity_check_start(self, trainer, pl_module):
        if self.when == "sanity check":
            torch.nn.init.constant_(pl_module.model.linear.bias, math.nan)

    def on_train_epoch_start(self, trainer, pl_module):
        if self.when == trainer.current_epoch:
            torch.nn.init.constant_(pl_module.model.linear.bias, math.nan)


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


def test_a_training_loss_that_is_no_number_ends_the_run_with_the_reason():
    with pytest.raises(UserError, match=r"train/loss became nan in epoch 1 at lr=0\.25\. .*lr=0\.025") as caught:
        fit(lr=0.25, scale=math.nan, validate=False)
    assert caught.value.trainer.global_step == NUM_BATCHES


def test_a_learning_rate_that_is_far_too_high_is_named():
    with pytest.raises(UserError, match=r"val/loss became (nan|inf) in epoch 1 at lr=1e\+30\. .*lr=1e\+29,"):
        fit(lr=1e30, scale=1e10)


def test_the_epoch_in_which_the_loss_broke_is_named_and_none_of_it_is_the_best(tmp_path):
    best = pl.callbacks.ModelCheckpoint(tmp_path, filename="{epoch}", monitor="val/loss")
    with pytest.raises(UserError, match=r"val/loss became nan in epoch 3 at lr=0\.01"):
        fit(Poison(2), best, lr=0.01, max_epochs=5, enable_checkpointing=True)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch=1.ckpt"]


def test_the_sanity_check_before_training_ends_nothing():
    with pytest.raises(UserError, match="epoch 1 ") as caught:
        fit(Poison("sanity check"), num_sanity_val_steps=1)
    assert caught.value.trainer.global_step == NUM_BATCHES


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
