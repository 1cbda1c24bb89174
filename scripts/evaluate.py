"""Evaluate a model that is trained, on its own test split or on another file.

python scripts/evaluate.py run=logs/runs/RUN
python scripts/evaluate.py run=logs/runs/RUN data.test=others.csv
"""

import hydra
from omegaconf import DictConfig

from rosenblatt.cli.launch import importing, launch, told
from rosenblatt.cli.schema import checked
from rosenblatt.cli.values import plain
from rosenblatt.saved.place import find


@hydra.main(version_base="1.3", config_path="../configs", config_name="evaluate")
def main(config: DictConfig) -> None:
    """Hand over to the command; torch is imported only here, so that --help is quick."""
    with told("evaluate"):
        settings = plain(checked(config, "evaluate"))
        find(settings["run"])
        with importing():
            from rosenblatt.commands.evaluate import evaluate

        evaluate(settings)


if __name__ == "__main__":
    launch(main, "evaluate")
