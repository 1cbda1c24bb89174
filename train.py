"""Train a classifier.

python train.py optimizer=adam lr=0.001                                 the book's toy perceptron, offline
python train.py data=text data.train=reviews.csv                        your own texts
python train.py data=table data.train=F.csv data.label_column=income    your own table
python train.py --help                                                  all settings
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
