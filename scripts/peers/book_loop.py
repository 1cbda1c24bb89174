"""The training loop of the book (chapter 3), plain PyTorch, on points in the plane; prints steps a second as JSON.

    python scripts/peers/book_loop.py train.npy val.npy --epochs 30

The files: (N, 3) numbers: x, y, and the class, 0 or 1. Written from the book's description: a perceptron that ends in
a sigmoid, binary cross-entropy, Adam, a DataLoader that shuffles; the five steps with each batch, and a running loss
and accuracy that are read out with each; a validation pass an epoch.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Perceptron(nn.Module):
    """One linear layer and a sigmoid: from (N, 2) to probabilities (N,)."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, points: Tensor) -> Tensor:
        """Return the probability of class 1."""
        probs: Tensor = torch.sigmoid(self.linear(points))[:, 0]
        return probs


def points_of(path: str, batch_size: int, shuffle: bool) -> DataLoader[tuple[Tensor, ...]]:
    """Return batches of points (batch_size, 2) and classes (batch_size,)."""
    table = torch.from_numpy(np.load(path)).float()
    return DataLoader(TensorDataset(table[:, :2], table[:, 2]), batch_size=batch_size, shuffle=shuffle)


def accuracy_of(probs: Tensor, target: Tensor) -> float:
    """Return the share of right predictions."""
    return ((probs > 0.5).float() == target).float().mean().item()


def main() -> None:
    """Train, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("val")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=100)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    train = points_of(arguments.train, arguments.batch_size, shuffle=True)
    val = points_of(arguments.val, arguments.batch_size, shuffle=False)
    perceptron, loss_function = Perceptron(), nn.BCELoss()
    optimizer = torch.optim.Adam(perceptron.parameters())
    start, steps, val_accuracy = time.perf_counter(), 0, 0.0
    for _ in range(arguments.epochs):
        perceptron.train()
        running_loss = running_accuracy = 0.0
        for number, (points, target) in enumerate(train, 1):
            optimizer.zero_grad()
            probs = perceptron(points)
            loss = loss_function(probs, target)
            loss.backward()
            optimizer.step()
            running_loss += (loss.item() - running_loss) / number
            running_accuracy += (accuracy_of(probs, target) - running_accuracy) / number
            steps += 1
        perceptron.eval()
        val_loss = val_accuracy = 0.0
        with torch.no_grad():
            for number, (points, target) in enumerate(val, 1):
                probs = perceptron(points)
                val_loss += (loss_function(probs, target).item() - val_loss) / number
                val_accuracy += (accuracy_of(probs, target) - val_accuracy) / number
    seconds = time.perf_counter() - start
    result = {"accuracy": val_accuracy, "steps": steps, "epochs": arguments.epochs, "seconds_training": seconds}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
