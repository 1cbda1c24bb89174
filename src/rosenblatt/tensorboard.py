"""What TensorBoard shows of a run."""

from __future__ import annotations

from collections.abc import Mapping

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from rosenblatt.run import RunFolder


class History(TensorBoardLogger):
    """The scalars of a run over its steps, and at the end its settings beside its final metrics.

    Args:
        run: folder that gets them, under ``tensorboard/``.
    """

    def __init__(self, run: RunFolder) -> None:
        super().__init__(run.path, name=None, version="tensorboard", default_hp_metric=False)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add scalars; of those of training and of validation, Lightning adds the epoch to both."""
        if any(name.startswith("val/") for name in metrics):
            metrics = {name: value for name, value in metrics.items() if name != "epoch"}
        super().log_metrics(metrics, step)
