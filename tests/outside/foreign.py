"""Plain Lightning code of people who have never heard of this project; tests copy it into a project of its own.

Nothing here imports rosenblatt or perceptron, and each class does what the tests of `test_outside` say of it.
"""

from __future__ import annotations

import os
import signal

import lightning.pytorch as pl
import torch
import torchmetrics
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, random_split


class Blobs(Dataset):
    """Pictures (1, 6, 6) that are bright in one of three corners; those to train on get new noise at each look."""

    def __init__(self, num: int, seed: int, noisy: bool) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.target = torch.arange(num) % 3
        self.pictures = 0.5 * torch.randn(num, 1, 6, 6, generator=generator)
        for row, kind in enumerate(self.target.tolist()):
            self.pictures[row, 0, 3 * (kind // 2) : 3 * (kind // 2) + 3, 3 * (kind % 2) : 3 * (kind % 2) + 3] += 1.0
        self.noisy = noisy

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, row: int):
        picture = self.pictures[row]
        return (picture + 0.1 * torch.randn(picture.shape) if self.noisy else picture), self.target[row]


class Pictures(pl.LightningDataModule):
    """Ordinary loaders, with workers and shuffling."""

    def __init__(self, batch_size: int = 20, num_workers: int = 0, persistent: bool = False) -> None:
        super().__init__()
        self.batch_size, self.num_workers, self.persistent = batch_size, num_workers, persistent
        # Names that the engine's own data modules use for other things.
        self.columns, self.encoder, self.eval_batch_size = ["pixel"], len, None
        self.num_repeated, self.batches = "none", 7

    def setup(self, stage: str) -> None:
        self.parts = [Blobs(300, 0, True), Blobs(90, 1, False), Blobs(101, 2, False)]
        self.splits = dict(zip(("train", "valid", "test"), self.parts, strict=True))

    def train_dataloader(self):
        workers = {"num_workers": self.num_workers, "persistent_workers": self.persistent}
        return DataLoader(self.parts[0], self.batch_size, shuffle=True, **workers)

    def val_dataloader(self):
        return DataLoader(self.parts[1], self.batch_size)

    def test_dataloader(self):
        return DataLoader(self.parts[2], self.batch_size)


class WithoutValidation(Pictures):
    """The same, but nothing to choose on."""

    val_dataloader = pl.LightningDataModule.val_dataloader


class BrokenBlobs(Blobs):
    """One row is broken."""

    def __getitem__(self, row: int):
        if row == 250:
            raise OSError("picture 250 is cut off")
        return super().__getitem__(row)


class Broken(Pictures):
    """A file among the rows can't be read, as a worker finds out."""

    rows = BrokenBlobs

    def setup(self, stage: str) -> None:
        super().setup(stage)
        self.parts[0].__class__ = self.rows


class DyingBlobs(Blobs):
    """One row is too much."""

    def __getitem__(self, row: int):
        if row == 250:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(row)


class Dying(Broken):
    """A worker that the system kills, as where the memory is full."""

    rows = DyingBlobs


class Odd(Pictures):
    """A class that nobody has told of, in one row of a split that is not looked at."""

    def __init__(self, split: int = 0, label: int = 9) -> None:
        super().__init__()
        self.split, self.label = split, label

    def setup(self, stage: str) -> None:
        super().setup(stage)
        self.parts[self.split].target[77] = self.label


class Drawn(pl.LightningDataModule):
    """Splits drawn at random in setup, by nobody's generator; the task is said, with names."""

    task = "binary"

    def setup(self, stage: str) -> None:
        points = torch.randn(400, 3)
        every = TensorDataset(points, (points.sum(dim=1) > 0).long())
        self.train, self.val, self.test = random_split(every, [240, 80, 80])

    def train_dataloader(self):
        return DataLoader(self.train, 20, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val, 40)

    def test_dataloader(self):
        return DataLoader(self.test, 40)


class Line(pl.LightningDataModule):
    """Numbers to numbers, far from 0."""

    def setup(self, stage: str) -> None:
        x = torch.randn(600, 2, generator=torch.Generator().manual_seed(0))
        y = 5000 + 300 * x[:, 0] - 100 * x[:, 1] + 20 * torch.randn(600, generator=torch.Generator().manual_seed(1))
        self.parts = [TensorDataset(x[a:b], y[a:b]) for a, b in ((0, 300), (300, 450), (450, 600))]

    def train_dataloader(self):
        return DataLoader(self.parts[0], 20, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.parts[1], 50)

    def test_dataloader(self):
        return DataLoader(self.parts[2], 50)


class Streamed(IterableDataset):
    """Rows without a length."""

    def __init__(self, num: int) -> None:
        self.num = num

    def __iter__(self):
        generator = torch.Generator().manual_seed(self.num)
        for _ in range(self.num):
            picture = torch.randn(1, 6, 6, generator=generator)
            yield picture, (picture.mean() > 0).long()


class Stream(pl.LightningDataModule):
    """A loader that nobody knows the length of, and two of validation, with batches that are dicts."""

    def train_dataloader(self):
        return DataLoader(Streamed(200), 20, collate_fn=as_dict)

    def val_dataloader(self):
        return [DataLoader(Streamed(61), 20, collate_fn=as_dict), DataLoader(Streamed(40), 20, collate_fn=as_dict)]

    def test_dataloader(self):
        return DataLoader(Streamed(50), 20, collate_fn=as_dict)


def as_dict(rows):
    """Collate rows to a dict."""
    return {"picture": torch.stack([one for one, _ in rows]), "label": torch.stack([label for _, label in rows])}


class Net(nn.Module):
    """A small convolutional network: pictures to three logits."""

    def __init__(self, channels: int = 4, num_classes: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(), nn.Flatten(), nn.Dropout(0.1),
            nn.Linear(36 * channels, num_classes),
        )  # fmt: skip

    def forward(self, pictures):
        return self.layers(pictures)


class Straight(nn.Module):
    """A linear layer, for points."""

    def __init__(self, num_in: int = 3, num_outputs: int = 1) -> None:
        super().__init__()
        self.linear = nn.Linear(num_in, num_outputs)

    def forward(self, points):
        return self.linear(points)


class Squeeze(pl.LightningModule):
    """A LightningModule of its own kind: it learns to give back what it sees, and logs a loss."""

    def __init__(self, optimizer, size: int = 6) -> None:
        super().__init__()
        self.optimizer = optimizer
        self.down, self.up = nn.Linear(36, size), nn.Linear(size, 36)

    def _loss(self, batch):
        rows = batch[0].flatten(1)
        return F.mse_loss(self.up(self.down(rows)), rows)

    def training_step(self, batch, batch_idx):
        loss = self._loss(batch)
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self._loss(batch), batch_size=len(batch[0]))

    def test_step(self, batch, batch_idx):
        self.log("test/loss", self._loss(batch), batch_size=len(batch[0]))

    def predict_step(self, batch, batch_idx):
        return self.down(batch[0].flatten(1))

    def configure_optimizers(self):
        return self.optimizer(self.parameters())


class Remembering(pl.LightningModule):
    """Keeps what it was made of, as Lightning's examples do."""

    def __init__(self, model, task, loss, optimizer) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["model", "loss"])
        self.model, self.loss = model, loss

    def training_step(self, batch, batch_idx):
        return self.loss(self.model(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.loss(self.model(batch[0]), batch[1]))

    def predict_step(self, batch, batch_idx):
        return self.model(batch[0])

    def configure_optimizers(self):
        return self.hparams.optimizer(self.parameters())


class Silent(Squeeze):
    """Logs nothing that anybody could watch."""

    def validation_step(self, batch, batch_idx):
        self.log("val/error", self._loss(batch), batch_size=len(batch[0]))


class ByHand(pl.LightningModule):
    """Manual optimization, hyperparameters that are saved, torchmetrics as attributes, names without a slash."""

    def __init__(self, optimizer, width: int = 8) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.make = optimizer
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(36, width), nn.ReLU(), nn.Linear(width, 2))
        self.train_acc = torchmetrics.Accuracy(task="multiclass", num_classes=2)
        self.val_acc = torchmetrics.Accuracy(task="multiclass", num_classes=2)

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        logits = self.net(batch["picture"])
        loss = F.cross_entropy(logits, batch["label"])
        self.manual_backward(loss)
        optimizer.step()
        self.train_acc(logits, batch["label"])
        self.log("train_acc", self.train_acc, on_step=False, on_epoch=True)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=20)

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        logits = self.net(batch["picture"])
        if dataloader_idx == 0:
            self.val_acc(logits, batch["label"])
            self.log("val_acc", self.val_acc, on_epoch=True, add_dataloader_idx=False)
            loss = F.cross_entropy(logits, batch["label"])
            self.log("val_loss", loss, add_dataloader_idx=False, batch_size=len(logits))

    def test_step(self, batch, batch_idx):
        self.log(
            "test_loss", F.cross_entropy(self.net(batch["picture"]), batch["label"]), batch_size=len(batch["label"])
        )

    def configure_optimizers(self):
        return self.make(self.parameters())


class Count(pl.Callback):
    """Writes how many epochs it has seen, and keeps the number in checkpoints."""

    def __init__(self, path: str) -> None:
        self.path, self.epochs = path, 0

    def on_train_epoch_end(self, trainer, pl_module):
        self.epochs += 1
        with open(self.path, "w") as file:
            file.write(str(self.epochs))

    def state_dict(self):
        return {"epochs": self.epochs}

    def load_state_dict(self, state_dict):
        self.epochs = state_dict["epochs"]


class Soft(nn.Module):
    """A loss of its own: logits (N, C) and classes (N,) to a scalar."""

    def __init__(self, power: float = 1.0) -> None:
        super().__init__()
        self.power = power

    def forward(self, logits, target):
        return (1 - logits.softmax(dim=1).gather(1, target.unsqueeze(1))).pow(self.power).mean()
