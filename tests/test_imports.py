"""The import directions of the house: data and models meet in rosenblatt.spec, and Hydra stays at the door."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "rosenblatt").rglob("*.py"))
MAY_IMPORT_LIGHTNING = {
    "data/module.py", "classifier.py", "callbacks.py", "checkpoints.py", "signals.py", "tensorboard.py",
    "live.py", "sweeps/pruning.py",
}  # fmt: skip


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports, also inside of functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def uses(path: Path, *packages: str) -> set[str]:
    return {name for name in imported(path) if any(name == p or name.startswith(f"{p}.") for p in packages)}


def place(path: Path) -> str:
    return path.relative_to(ROOT / "src" / "rosenblatt").as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_only_commands_know_hydra(path: Path) -> None:
    if not place(path).startswith("commands/"):
        assert not uses(path, "hydra", "omegaconf")


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_only_the_data_module_classifier_callbacks_and_commands_know_lightning(path: Path) -> None:
    if not place(path).startswith("commands/") and place(path) not in MAY_IMPORT_LIGHTNING:
        assert not uses(path, "lightning", "pytorch_lightning")


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_data_and_models_never_import_each_other(path: Path) -> None:
    models = (
        "rosenblatt.models",
        "rosenblatt.sparse",
        "rosenblatt.classifier",
        "rosenblatt.losses",
        "rosenblatt.metrics",
    )
    if place(path).startswith("data/"):
        assert not uses(path, *models, "rosenblatt.callbacks", "rosenblatt.run", "rosenblatt.commands")
    elif not place(path).startswith(("commands/", "saved/")):  # a saved model is where they meet again
        assert not uses(path, "rosenblatt.data", "rosenblatt.commands")


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_nothing_in_training_knows_saved_models_but_commands(path: Path) -> None:
    if not place(path).startswith(("commands/", "saved/")) and place(path) != "__init__.py":
        assert not uses(path, "rosenblatt.saved")
    if place(path).startswith("saved/"):
        assert not uses(path, "rosenblatt.commands", "rosenblatt.classifier", "rosenblatt.callbacks")


@pytest.mark.parametrize("folder", ["src", "scripts", "tests"])
def test_no_file_is_longer_than_250_lines(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 250, path


ANSWERS = {
    "--help": "optimizer: adagrad, adam, adamw, sgd",
    "data=xor --help": "rosenblatt.data.toy.ToyData",
    "--cfg job": "_target_: rosenblatt.models.Perceptron",
    "--shell-completion query=bash": "model=mlp",
}


@pytest.mark.parametrize("words", ANSWERS)
def test_the_entry_point_answers_without_torch_and_lightning(words: str) -> None:
    code = (
        f"import runpy, sys; sys.argv = ['train.py', *{words.split()}]\n"
        "try: runpy.run_path('train.py', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print('LOADED', [name for name in ('torch', 'lightning', 'polars', 'numpy', 'rich') if name in sys.modules])"
    )
    typed = {"COMP_LINE": "python train.py model=", "COMP_POINT": "22"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ | typed
    )
    assert ANSWERS[words] in done.stdout
    assert "LOADED []" in done.stdout
