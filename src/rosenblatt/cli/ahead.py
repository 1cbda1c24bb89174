"""What is begun before the imports that take seconds."""

from __future__ import annotations

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from rosenblatt.show.studio import Studio


def open_studio(config: DictConfig) -> Studio:
    """Return where pictures are drawn; where there are to be some, its process loads what it needs meanwhile."""
    studio = Studio()
    if wants_pictures(config):
        studio.open()
    return studio


def wants_pictures(config: DictConfig) -> bool:
    """Return whether a run is to be drawn.

    Jobs of a sweep draw only where it is said how often: a hundred of them are compared, not looked at.
    """
    every_n_epochs = OmegaConf.select(config, "figures.every_n_epochs")
    in_sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    return every_n_epochs is not None and (every_n_epochs != "auto" or not in_sweep)
