"""Plain Lightning code of other people's, and a training of it that can be cut off and goes on.

python tests/any_code.py CASE FOLDER [STEP]     in a process of its own, which ends at once after that step
"""

from __future__ import annotations

import json
import os
import random
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, WeightedRandomSampler
from torchmetrics import MaxMetric, MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassRecall

from rosenblatt.loop.checkpoints import Checkpoints, newest
from rosenblatt.loop.epochs import Measures, StopEarly
from rosenblatt.loop.history import cut_history
from rosenblatt.loop.internals import after_steps
from rosenblatt.loop.lean import make_lean
from rosenblatt.run.folder import RunFolder

NUM_ROWS, BATCH = 60, 8  # eight batches, the last of four rows


class Noisy(Dataset):
    """Rows that torch, NumPy, Python and a generator of their own all change at each look."""

    def __init__(self, own: bool = False) -> None:
        generator = torch.Generator().manual_seed(0)
        self.rows = torch.randn(NUM_ROWS, 4, generator=generator)
        self.target = torch.randint(0, 3, (NUM_ROWS,), generator=generator)
        self.own = np.random.default_rng(5) if own else None

    def __len__(self) -> int:
        return NUM_ROWS

    @property
    def rows_and_target(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.rows, self.target

    def __getitem__(self, index: Any) -> tuple[torch.Tensor, torch.Tensor]:
        row = self.rows[index] + 0.1 * torch.randn(4) + 0.1 * random.random() + 0.1 * float(np.random.rand())
        if self.own is not None:
            row = row + 0.1 * float(self.own.standard_normal())
        return row, self.target[index]


class Stream(IterableDataset):
    """The same rows in an order of their own, without a length."""

    def __iter__(self) -> Any:
        rows = Noisy()
        order = torch.randperm(NUM_ROWS, generator=torch.Generator().manual_seed(3)).tolist()
        return (rows[index] for index in order)


class Bare(pl.LightningModule):
    """Dropout, a metric that is no state of the module, noise before the transfer, running averages after each step."""

    def __init__(self, every_step: bool = False, plateau: bool = False) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
        self.acc = MulticlassAccuracy(3)
        self.both = MetricCollection({"a": MulticlassAccuracy(3, average="micro"), "r": MulticlassRecall(3)})
        self.mean = MeanMetric()
        self.best = MaxMetric()
        self.register_buffer("average", torch.zeros(3, 8))
        self.every_step, self.plateau = every_step, plateau

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        rows, target = batch["a"] if isinstance(batch, dict) else batch
        if isinstance(batch, dict):
            rows = rows + 0.1 * batch["b"][0][: len(rows)].mean()
        return (rows + 0.01 * torch.randn_like(rows) if self.training else rows), target

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        rows, target = batch
        logits = self.net(rows)
        loss = nn.functional.cross_entropy(logits, target)
        self.acc(logits, target)
        self.both.update(logits, target)
        self.mean.update(loss)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        self.log("train_max", loss, on_step=False, on_epoch=True, reduce_fx="max")
        self.log("train_acc", self.acc, on_step=False, on_epoch=True)
        if batch_idx == 0:
            self.log("first", loss, on_step=False, on_epoch=True)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.average.mul_(0.9).add_(0.1 * self.net[3].weight.detach())

    def on_train_start(self) -> None:
        self.best.reset()

    def on_train_epoch_end(self) -> None:
        self.log_dict({f"train_{name}": value for name, value in self.both.compute().items()})
        self.both.reset()
        self.log("mean", self.mean.compute())
        self.mean.reset()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        logits = self.net(batch[0])
        self.log("val_loss", nn.functional.cross_entropy(logits, batch[1]), batch_size=len(batch[1]))

    def on_validation_epoch_end(self) -> None:
        if not self.trainer.sanity_checking:
            self.best(-self.trainer.callback_metrics["val_loss"])
            self.log("val_best", self.best.compute())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=0.02)
        if self.plateau:
            schedule: Any = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=0.2)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "monitor": "val_loss"}}
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.97)
        interval = "step" if self.every_step else "epoch"
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": interval}}


class Manual(Bare):
    """Two optimizers, one of which steps with every third batch, by hand; gradients are added up across batches."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        first, second = self.optimizers()
        loss = super().training_step(batch, batch_idx)
        self.manual_backward(loss)
        first.step()
        first.zero_grad()
        if batch_idx % 3 == 2:
            second.step()
            second.zero_grad()

    def configure_optimizers(self) -> Any:
        return [torch.optim.Adam(self.net[3].parameters(), 0.02), torch.optim.SGD(self.net[0].parameters(), 0.1)]


class Counter(pl.Callback):
    """Counts hooks and draws a number in one of them."""

    def __init__(self) -> None:
        self.counts = {"epochs": 0, "steps": 0, "starts": 0, "drawn": 0.0, "array": np.zeros(2)}

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self.counts["starts"] += 1
        self.counts["drawn"] += random.random()

    def on_train_batch_end(self, *_: Any) -> None:
        self.counts["steps"] += 1
        self.counts["array"] = self.counts["array"] + 1

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self.counts["epochs"] += 1

    def state_dict(self) -> dict[str, Any]:
        return dict(self.counts)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.counts = dict(state_dict)


class Rows:
    """No DataLoader: batches by slices, in an order that NumPy draws anew for each pass."""

    def __len__(self) -> int:
        return 8

    def __iter__(self) -> Any:
        data, order = Noisy(), np.random.permutation(NUM_ROWS)
        return (data[order[start : start + BATCH]] for start in range(0, NUM_ROWS, BATCH))


def plain(**arguments: Any) -> DataLoader:
    return DataLoader(Noisy(), BATCH, shuffle=True, **arguments)


def two() -> dict[str, DataLoader]:
    """The second is shorter, and starts again, in a new order, within the epoch of the first."""
    other = TensorDataset(torch.arange(20.0).unsqueeze(1))
    return {"a": plain(), "b": DataLoader(other, 7, shuffle=True)}


def collate(rows: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.stack([row for row, _ in rows]) + 0.1 * torch.randn(1), torch.stack([label for _, label in rows])


Case = tuple[Callable[[], Any], Callable[[], pl.LightningModule], dict[str, Any]]
CASES: dict[str, Case] = {
    "shuffled": (plain, Bare, {}),
    "two workers": (lambda: plain(num_workers=2), Bare, {"max_epochs": 2}),
    "own generator": (lambda: plain(generator=torch.Generator().manual_seed(9)), Bare, {}),
    "own generator, two workers": (
        lambda: plain(generator=torch.Generator().manual_seed(9), num_workers=2), Bare, {"max_epochs": 2},
    ),
    "a data set with a generator": (lambda: DataLoader(Noisy(own=True), BATCH, shuffle=True), Bare, {}),
    "weighted sampler": (
        lambda: DataLoader(Noisy(), BATCH, sampler=WeightedRandomSampler(torch.arange(60.0), 60)), Bare, {},
    ),
    "collate_fn": (lambda: plain(collate_fn=collate), Bare, {}),
    "two loaders": (two, Bare, {}),
    "no DataLoader": (Rows, Bare, {}),
    "stream": (lambda: DataLoader(Stream(), BATCH), Bare, {}),
    "stream, counted in steps": (lambda: DataLoader(Stream(), BATCH), Bare, {"max_steps": 22, "max_epochs": -1}),
    "stream, workers, in steps": (
        lambda: DataLoader(Stream(), BATCH, num_workers=1), Bare, {"max_steps": 22, "max_epochs": -1},
    ),
    "spawn": (lambda: plain(num_workers=1, multiprocessing_context="spawn"), Bare, {"max_epochs": 1}),
    "gradients of three": (plain, Bare, {"accumulate_grad_batches": 3}),
    "schedule by step": (plain, lambda: Bare(every_step=True), {}),
    "plateau": (plain, lambda: Bare(plateau=True), {}),
    "manual": (plain, Manual, {}),
    "validation now and then": (plain, Bare, {"check_val_every_n_epoch": 2}),
    "sanity check": (plain, Bare, {"num_sanity_val_steps": 2}),
    "workers of validation that live on": (plain, Bare, {"val_workers": 1, "max_epochs": 2}),
    "workers that live on": (
        lambda: DataLoader(TensorDataset(*Noisy().rows_and_target), BATCH, shuffle=True, num_workers=1,
                           persistent_workers=True), Bare, {"max_epochs": 2},
    ),
    "reloaded": (plain, Bare, {"reloads": 2}),
    "part of an epoch": (plain, Bare, {"limit_train_batches": 5}),
}  # fmt: skip


class Data(pl.LightningDataModule):
    """The loaders of a case."""

    def __init__(self, loader: Callable[[], Any], workers: int) -> None:
        super().__init__()
        self.loader, self.workers = loader, workers

    def train_dataloader(self) -> Any:
        return self.loader()

    def val_dataloader(self) -> Any:
        data = Noisy()
        lasting = {"num_workers": self.workers, "persistent_workers": self.workers > 0}
        return DataLoader(TensorDataset(data.rows[:20], data.target[:20]), 8, **lasting)


class Training:
    """A training of a case, bare or with what stands around the Trainer, from its start or its last checkpoint."""

    def __init__(self, case: str, folder: Path, bare: bool = False, stop_at: int | None = None, every: int = 3) -> None:
        warnings.filterwarnings("ignore")
        loader, module, settings = CASES[case]
        pl.seed_everything(7 if bare or newest(folder / "checkpoints") is None else 8, verbose=False)
        reloads = {"reload_dataloaders_every_n_epochs": settings.get("reloads", 0)}
        settings = {"max_epochs": 3, "num_sanity_val_steps": 0} | settings
        settings.pop("reloads", None)
        data = Data(loader, settings.pop("val_workers", 0))
        self.module = module()
        self.counter = Counter()
        self.run = RunFolder(folder)
        self.checkpoints = Checkpoints(self.run, "val_loss", "min", every_n_steps=every)
        loggers = [TensorBoardLogger(folder, "", "tensorboard"), CSVLogger(folder, "", "csv")]
        around = [StopEarly("val_loss", patience=9), Measures("val_loss"), self.checkpoints]
        self.trainer = pl.Trainer(
            accelerator="cpu", devices=1, callbacks=[self.counter, *([] if bare else around)], logger=loggers,
            default_root_dir=folder, enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1,
            enable_checkpointing=not bare, **settings, **reloads,
        )  # fmt: skip
        checkpoint = None
        if not bare:
            checkpoint = newest(self.run.checkpoints)
            if checkpoint is not None:
                state = torch.load(checkpoint, weights_only=True)["callbacks"]["Checkpoints"]
                cut_history(loggers, folder, state["history"])
            make_lean(self.trainer, self.module)
            if stop_at is not None:
                self.counter.setup = lambda trainer, pl_module, stage: after_steps(trainer, self._stop(stop_at))
        self.trainer.fit(self.module, datamodule=data, ckpt_path=checkpoint, weights_only=True)

    def _stop(self, step: int) -> Callable[[], None]:
        def stop() -> None:
            if self.trainer.fit_loop.epoch_loop.total_batch_idx + 1 == step:
                os._exit(3)

        return stop

    def outcome(self) -> dict[str, Any]:
        """All that has to be the same in the end, whether or not anything stands around the Trainer."""
        return {
            "weights": self.module.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.trainer.optimizers],
            "schedules": [config.scheduler.state_dict() for config in self.trainer.lr_scheduler_configs],
            "counter": {name: np.asarray(value).tolist() for name, value in self.counter.counts.items()},
            "metrics": {k: float(v) for k, v in self.trainer.callback_metrics.items() if k != "lr"},
            "position": (self.trainer.global_step, self.trainer.current_epoch),
            "next number": torch.rand(1).item(),
        }


if __name__ == "__main__":
    case, name, *step = sys.argv[1:]
    training = Training(case, Path(name), stop_at=int(step[0]) if step else None)
    torch.save(training.outcome(), Path(name) / "outcome")
    print(json.dumps(training.trainer.global_step))
