"""Steps a second of the training loop on the toy points, beside the book's loop and that of a usual template."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import contestants
from benchmarks.contest import Case
from benchmarks.report import Summaries, Summary, accuracy, outcome, paragraph, ratio, seconds, table
from benchmarks.suites import Options, Suite

BOOK, TEMPLATE = "the book's loop, plain PyTorch", "a usual Lightning template"
EPOCHS = 30
NOTE = f"""\
The same {EPOCHS} epochs of the same 10,000 points in batches of 100, and of 2,000 points to validate on; one logistic
unit, Adam. Validation is part of the time, and with Lightning checkpoints, TensorBoard and a bar on a terminal. The
accuracy of {contestants.OURS} is that on the test points, that of the others on the validation points."""


def cases(options: Options) -> Iterator[Case]:
    """Compare the three loops."""
    files = write_points(options.work / "toy")
    settings = ["data=toy", f"trainer.max_epochs={EPOCHS}", "early_stopping.patience=null", "trainer.accelerator=cpu"]
    required = ("steps", "seconds_training")
    yield Case(
        "toy",
        (
            contestants.ours(settings, terminal=True, required=required),
            contestants.loop(BOOK, "book_loop.py", files, EPOCHS, terminal=True),
            contestants.loop(TEMPLATE, "template_loop.py", files, EPOCHS, terminal=True),
        ),
    )


def write_points(folder: Path) -> Path:
    """Write the very points that our command draws: ``train.npy`` and ``val.npy``, (N, 3): x, y, class."""
    from perceptron.toy import ToyData  # only here: it brings in torch and Lightning, four seconds

    folder.mkdir(parents=True, exist_ok=True)
    data = ToyData(centers=[[3.0, 3.0], [3.0, -2.0]], labels=[0, 1])
    data.setup()
    for split in ("train", "val"):
        points, target = data.splits[split]
        np.save(folder / f"{split}.npy", np.column_stack([np.asarray(points), np.asarray(target)]))
    return folder


def steps_a_second(one: Summary) -> Summary:
    """Return a summary with ``rate`` among its figures: its wall time over that of another is no fair ratio, since
    start and test are not part of the loop."""
    rate = one["steps"] / one["seconds_training"]
    return one if one.failed else Summary("", one.turns, one.wall, one.cpu, one.memory, {**one.figures, "rate": rate})


def tables(found: Summaries) -> str:
    """Return steps a second, and ours over those of the others."""
    rows = []
    for ones in found.values():
        rated = {name: steps_a_second(one) for name, one in ones.items()}
        for name, one in rated.items():
            rows.append(
                [
                    name,
                    outcome(one, f"{one['rate']:,.0f}"),
                    ratio(rated.get(contestants.OURS), one, "rate"),
                    seconds(one["seconds_training"]),
                    seconds(one.wall),
                    accuracy(one["accuracy"]),
                ]
            )
    header = ["loop", "steps/s", f"{contestants.OURS} / it", "training", "whole process", "accuracy"]
    return "\n\n".join([table(header, rows), paragraph(NOTE)])


SUITE = Suite("steps a second on the toy points, beside the book's loop and a usual template's", cases, tables)
