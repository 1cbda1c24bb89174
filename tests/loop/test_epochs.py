"""What counts is what an epoch has measured, and a run that measures nothing of use ends with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from rosenblatt.errors import UserError
from rosenblatt.loop.checkpoints import Checkpoints, read
from rosenblatt.loop.epochs import Measures, StopEarly
from rosenblatt.run.folder import RunFolder

pytestmark = pytest.mark.filterwarnings("ignore:.*(does not have many workers|smaller than the logging interval)")


class Told(pl.LightningModule):
    """Logs the values that it is told, one an epoch."""

    def __init__(self, train: dict[str, list[float]], val: dict[str, list[float]], **more: Any) -> None:
        super().__init__()
        self.values, self.more = {"train": train, "val": val}, more
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def _log(self, split: str, epoch: int) -> None:
        for name, values in self.values[split].items():
            self.log(name, values[epoch], on_step=False, on_epoch=True, batch_size=2)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self._log("train", self.current_epoch)
        return (self.weight - 1) ** 2

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._log("val", self.current_epoch)

    def on_train_epoch_end(self) -> None:
        self.log_dict(self.more)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD([self.weight], lr=0.1)


def train(
    folder: Path,
    module: pl.LightningModule,
    monitor: str,
    mode: Any = "min",
    validate: bool = True,
    patience: int = 1,
    **settings: Any,
) -> tuple[pl.Trainer, Checkpoints, StopEarly]:
    loader = DataLoader(TensorDataset(torch.zeros(4, 1)), 2)
    checkpoints, stop = (
        Checkpoints(RunFolder(folder), monitor, mode),
        StopEarly(monitor, mode=mode, patience=patience, check_finite=False),
    )
    trainer = pl.Trainer(
        accelerator="cpu", callbacks=[stop, Measures(monitor, mode), checkpoints], logger=False, max_epochs=4,
        num_sanity_val_steps=0, enable_progress_bar=False, enable_model_summary=False, **settings,
    )  # fmt: skip
    trainer.fit(module, loader, loader if validate else None)
    return trainer, checkpoints, stop


def best_epoch(folder: Path) -> int:
    return read(folder / "checkpoints" / "best.ckpt")["epoch"]


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.filterwarnings("ignore:You defined a `validation_step`")
def test_a_value_of_training_chooses_the_best_epoch_at_its_end(tmp_path, validate):
    module = Told({"train_loss": [3.0, 1.0, 2.0, 0.5]}, {"val_loss": [1.0, 2.0, 3.0, 4.0]})
    trainer, checkpoints, stop = train(tmp_path, module, "train_loss", validate=validate)
    assert (checkpoints.best_score, best_epoch(tmp_path), stop.wait_count) == (1.0, 1, 1)
    assert trainer.current_epoch == 3  # patience of one epoch


@pytest.mark.parametrize("monitor", ["val_loss", "train_loss"])
def test_an_epoch_without_validation_counts_nothing_twice(tmp_path, monitor):
    module = Told({"train_loss": [4.0, 3.0, 2.0, 1.0]}, {"val_loss": [9.0, 2.0, 9.0, 1.0]})
    trainer, checkpoints, stop = train(tmp_path, module, monitor, check_val_every_n_epoch=2)
    assert (checkpoints.best_score, trainer.current_epoch, stop.wait_count) == (1.0, 4, 0)


@pytest.mark.parametrize(
    ("train_values", "val_values", "monitor", "mode", "named"),
    [
        ({"train/loss": [1.0, float("nan")]}, {"val/loss": [1.0, 1.0]}, "val/loss", "min", "train/loss became nan"),
        ({"train_loss": [1.0, float("inf")]}, {"val_loss": [1.0, 1.0]}, "val_loss", "min", "train_loss became inf"),
        ({}, {"mae": [1.0, float("nan")]}, "mae", "min", "mae became nan"),
    ],
)
def test_a_loss_that_is_no_number_ends_the_run(tmp_path, train_values, val_values, monitor, mode, named):
    with pytest.raises(UserError, match=rf"{named} in epoch 2 at lr=0\.1\. Try a smaller lr, such as lr=0\.01, or"):
        train(tmp_path, Told(train_values, val_values), monitor, mode)
    assert best_epoch(tmp_path) == 0


def test_an_auroc_of_one_class_alone_ends_nothing(tmp_path):
    nan = float("nan")
    _, checkpoints, _ = train(tmp_path, Told({}, {"auroc": [nan, 0.6, nan, 0.5]}), "auroc", "max", patience=9)
    assert (checkpoints.best_score, best_epoch(tmp_path)) == (pytest.approx(0.6), 1)


@pytest.mark.filterwarnings("ignore:You defined a `validation_step`")
def test_a_monitor_that_nobody_logs_is_named_with_what_was_logged(tmp_path):
    module = Told({"train_loss": [1.0] * 4}, {"val_loss": [1.0] * 4})
    with pytest.raises(UserError) as caught:
        train(tmp_path, module, "val/loss")
    assert str(caught.value).startswith("early_stopping.monitor=val/loss: expected a metric that is logged")
    assert str(caught.value).endswith("logged were 'train_loss', 'val_loss'. Did you mean 'val_loss'?")
    with pytest.raises(UserError, match="There is no validation: the data have no val_dataloader"):
        train(tmp_path, module, "val_loss", validate=False)
    with pytest.raises(UserError, match=r"nothing was logged\. Call self\.log"):
        train(tmp_path, Told({}, {}), "val_loss")


def test_one_that_validation_brings_later_is_waited_for(tmp_path):
    _, checkpoints, _ = train(tmp_path, Told({}, {"val_loss": [9.0] * 4}), "val_loss", check_val_every_n_epoch=3)
    assert checkpoints.best_score == 9.0


@pytest.mark.parametrize(("more", "expected"), [({}, 0.1), ({"lr": 7.0}, 7.0)])
def test_the_learning_rate_is_logged_unless_the_module_does(tmp_path, more, expected):
    trainer, _, _ = train(tmp_path, Told({}, {"val_loss": [1.0] * 4}, **more), "val_loss")
    assert float(trainer.callback_metrics["lr"]) == pytest.approx(expected)
