"""Time training steps of a linear layer on bags, with made-up labels; prints nanoseconds for each pair as JSON.

    python scripts/peers/bag_steps.py bags.npz --features 1000000 --classes 20 --optimizer adagrad --threads 1

The file: ``ids``, ``offsets`` of texts. Ids are hashed to the number of features; a step is forward, loss, backward and
the optimizer's step; each batch counts with the least of its times, since whatever disturbs a machine makes it slower.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from rosenblatt.data.features import Bags
from rosenblatt.text.row_steps import SGD, Adagrad, LazyAdam, RowwiseAdagrad
from rosenblatt.text.sparse import BagLinear

OPTIMIZERS: dict[str, Any] = {
    "rowwise_adagrad": partial(RowwiseAdagrad, lr=0.05),
    "adagrad": partial(Adagrad, lr=0.05),
    "sgd": partial(SGD, lr=0.05),
    "lazy_adam": partial(LazyAdam, lr=0.001),
    "adam": partial(torch.optim.Adam, lr=0.001, fused=True),
}
BATCH_SIZE, NUM_BATCHES = 113, 16
HASH = np.uint64(0x9E3779B97F4A7C15)  # Knuth's multiplicative hash: 2^64 over the golden ratio


def main() -> None:
    """Make batches, step, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bags")
    parser.add_argument("--features", type=int, required=True)
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adagrad")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--passes", type=int, default=8, help="how often each batch is stepped with")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    kept = np.load(arguments.bags)
    batches = [
        bags_of(kept["ids"], kept["offsets"][first : first + BATCH_SIZE + 1], arguments.features)
        for first in range(0, BATCH_SIZE * NUM_BATCHES, BATCH_SIZE)
    ]
    targets = [torch.randint(arguments.classes, (BATCH_SIZE,)) for _ in batches]
    layer = BagLinear(arguments.features, 1 if arguments.classes == 2 else arguments.classes, zero=True)
    optimizer = OPTIMIZERS[arguments.optimizer](layer.parameters())
    least = [float("inf")] * len(batches)
    for _ in range(arguments.passes):
        for number, (bags, target) in enumerate(zip(batches, targets, strict=True)):
            start = time.perf_counter()
            optimizer.zero_grad()
            logits = layer(bags)
            if arguments.classes == 2:
                loss = F.binary_cross_entropy_with_logits(logits[:, 0], target.float())
            else:
                loss = F.cross_entropy(logits, target)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            least[number] = min(least[number], time.perf_counter() - start)
    pairs = sum(bags.ids.numel() for bags in batches)
    print(json.dumps({"nanoseconds": 1e9 * sum(least) / pairs, "milliseconds": 1e3 * sum(least) / len(least)}))


def bags_of(ids: np.ndarray, offsets: np.ndarray, num_features: int) -> Bags:
    """Return rows whose ids are hashed to a number of features."""
    rows = []
    for start, stop in pairwise(offsets):
        hashed = (ids[start:stop].astype(np.uint64) * HASH >> np.uint64(20)) % np.uint64(num_features)
        rows.append(torch.from_numpy(np.unique(hashed).astype(np.int32)))
    lengths = torch.tensor([0, *(len(row) for row in rows)])
    weights = torch.cat([torch.full((len(row),), len(row) ** -0.5) for row in rows])
    return Bags(torch.cat(rows), weights, lengths.cumsum(0))


if __name__ == "__main__":
    main()
