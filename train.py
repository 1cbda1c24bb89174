"""Train what configs/train.yaml says, and what is typed.

python train.py                                  with the defaults
python train.py lr=0.01 trainer.max_epochs=10    with other settings
python train.py --help                           what there is to choose, and to set
"""

import hydra
from omegaconf import DictConfig

from rosenblatt.cli.launch import importing, launch, read_ahead, told, wants_figures
from rosenblatt.cli.schema import checked
from rosenblatt.show.pool import FigurePool


@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(config: DictConfig) -> None:
    """Hand over to the training command; torch is imported only here, so that --help is quick."""
    with told("train"):
        config = checked(config, "train")
        pool = FigurePool() if wants_figures(config) else None  # it loads what it needs meanwhile
        with importing():
            read_ahead(config)
            from rosenblatt.commands.train import train

        train(config, pool)


if __name__ == "__main__":
    launch(main, "train")
