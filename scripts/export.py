"""Export a model that is trained, for programs without this project.

python scripts/export.py run=logs/runs/RUN format=onnx
python scripts/export.py run=logs/runs/RUN format=torch_export
"""

import hydra
from omegaconf import DictConfig

from rosenblatt.cli.launch import importing, launch, told
from rosenblatt.cli.schema import checked
from rosenblatt.cli.values import plain
from rosenblatt.saved.place import find


@hydra.main(version_base="1.3", config_path="../configs", config_name="export")
def main(config: DictConfig) -> None:
    """Hand over to the command; torch is imported only here, so that --help is quick."""
    with told("export"):
        settings = plain(checked(config, "export"))
        find(settings["run"])
        with importing():
            from rosenblatt.commands.export import export

        export(settings)


if __name__ == "__main__":
    launch(main, "export")
