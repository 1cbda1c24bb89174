"""Train from Python, as in a notebook: ``rosenblatt.train``, which does what ``python train.py WORD ...`` does."""

from __future__ import annotations

from pathlib import Path

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from rosenblatt.cli.launch import importing, taken, wants_figures
from rosenblatt.cli.messages import explained
from rosenblatt.cli.project import enter, root
from rosenblatt.cli.schema import checked
from rosenblatt.errors import UserError
from rosenblatt.show.pool import FigurePool


def train_here(words: list[str]) -> Path:
    """Train with the ``configs/`` of the current folder, or the one above it; see `rosenblatt.train`."""
    enter(Path("notebook").absolute())  # as if it were a program here
    if not (root() / "configs" / "train.yaml").is_file():
        raise UserError(
            f"{root()}: there is no configs/train.yaml here, nor in the folder above. Start in the folder of a project."
        )
    GlobalHydra.instance().clear()  # of an earlier command in this process
    HydraConfig.instance().cfg = None
    with initialize_config_dir(str(root() / "configs"), version_base="1.3", job_name="train"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        try:
            return Path(hydra.run("train", _train, taken(words, "train")).return_value)
        except SystemExit as exit:
            if exit.code != 130:
                raise
            raise KeyboardInterrupt from exit  # which a notebook knows; what there was is saved by now
        except Exception as error:
            message = explained(error, "train")
            if message is None or isinstance(error, UserError):
                raise
            raise UserError(message) from error


def _train(config: DictConfig) -> str:
    """Train, and return the folder of the run."""
    config = checked(config, "train")
    pool = FigurePool() if wants_figures(config) else None
    with importing():
        from rosenblatt.commands.train import train  # here, since --help and checks do without torch

    train(config, pool)
    return str(HydraConfig.get().runtime.output_dir)
