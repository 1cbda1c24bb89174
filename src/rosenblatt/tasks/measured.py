"""How good a model is on a split: metrics of all rows, and what puts them in proportion."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from rosenblatt.tasks.epoch import EpochMetrics
from rosenblatt.tasks.task import Task

MAX_KEPT = 50_000_000  # outputs of a split that are kept, 200 MB; beyond that there are metrics alone


class Measured(NamedTuple):
    """What a model makes of a split.

    Attributes:
        values: loss and every metric, by name.
        per_class: for each metric of single classes, one number a class; may be empty.
        outputs: (N, num_outputs), on the CPU; of no row where they were too many to keep.
        target: of the same rows, all of them.
    """

    values: dict[str, float]
    per_class: dict[str, list[float]]
    outputs: Tensor
    target: Tensor

    @property
    def is_whole(self) -> bool:
        """Whether the outputs of all rows were kept."""
        return len(self.outputs) == len(self.target)


def in_proportion(task: Task, found: Measured, loss: nn.Module, ranking: bool) -> dict[str, float]:
    """Return 95 % intervals of the metrics of a split, its further figures, and a baseline.

    Args:
        task: what the outputs mean.
        found: of the split.
        loss: takes outputs and target.
        ranking: also intervals of what ranks rows.

    Returns:
        ``acc_low`` and ``acc_high``, the same of other metrics, such as ``ece``, and with ``baseline_`` before their
        names the metrics of a model that has seen no features.
    """
    figures: dict[str, float] = {}
    if found.is_whole:
        for name, (low, high) in task.intervals(task.scores(found.outputs), found.target, ranking).items():
            figures |= {f"{name}_low": low, f"{name}_high": high}
        figures |= task.more_figures(found.outputs, found.target)
    outputs = task.baseline_outputs(found.target)
    metrics = EpochMetrics(task, ranking=ranking and task.ranks_cheaply)
    metrics.update(outputs, found.target, loss(outputs, found.target))
    return figures | {f"baseline_{name}": value for name, value in metrics.compute().values.items()}
