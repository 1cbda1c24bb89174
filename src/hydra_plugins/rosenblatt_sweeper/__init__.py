"""The sweeper that ``python train.py -m`` uses; Hydra finds plugins only in this package.

Hydra imports it at each start, so nothing else is imported here: what a sweep does stands in
`rosenblatt.commands.sweep`.
"""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class ResumableSweeper(Sweeper):
    """Grid and search, resumable, with a leaderboard; see ``configs/sweep/``."""

    def __init__(self, params: Any = None, **others: Any) -> None:
        """Take what other sweepers take: what varies, which is read from the configuration."""
        self.others = others  # which are refused where a message can be told

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra gives."""
        self.given = config, hydra_context, task_function

    def sweep(self, arguments: list[str]) -> Any:
        """Run the whole sweep, given the words of the command line without those of Hydra itself."""
        from rosenblatt.cli.messages import no_key
        from rosenblatt.errors import UserError

        for name in self.others:
            raise UserError(no_key(f"hydra.sweeper.{name}", ()))
        from rosenblatt.commands.sweep import sweep

        config, context, task = self.given
        return sweep(config, arguments, context, task)


for name in ("resumable", "basic"):  # Hydra's own, which is not resumed, gives way
    ConfigStore.instance().store(
        group="hydra/sweeper",
        name=name,
        node={"_target_": "hydra_plugins.rosenblatt_sweeper.ResumableSweeper", "params": None},
        provider="rosenblatt",
    )
