"""Predict with a model that is trained.

python scripts/predict.py run=logs/runs/RUN input=new.csv output=predicted.csv
python scripts/predict.py run=logs/runs/RUN 'text="a lovely film"'
cat texts.txt | python scripts/predict.py run=logs/runs/RUN input=-
"""

import hydra
from omegaconf import DictConfig

from rosenblatt.cli.launch import importing, launch, told
from rosenblatt.cli.schema import checked
from rosenblatt.cli.values import plain
from rosenblatt.saved.place import find


@hydra.main(version_base="1.3", config_path="../configs", config_name="predict")
def main(config: DictConfig) -> None:
    """Hand over to the command; torch is imported only here, so that --help is quick."""
    with told("predict"):
        settings = plain(checked(config, "predict"))
        find(settings["run"])
        with importing():
            from rosenblatt.commands.predict import predict

        predict(settings)


if __name__ == "__main__":
    launch(main, "predict")
