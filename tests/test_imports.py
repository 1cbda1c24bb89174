"""The import directions of the house: a wing imports what stands below it, and Hydra stays at the door."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "rosenblatt").rglob("*.py"))
FLOORS = ("commands", "sweeps", "saved", "show", "cli", "text", "table", "data", "tasks", "loop", "run")  # top down


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
def test_only_cli_and_commands_know_hydra(path: Path) -> None:
    if not place(path).startswith(("cli/", "commands/")):
        assert not uses(path, "hydra", "omegaconf")


def test_a_wing_imports_only_what_stands_below_it() -> None:
    found = set()
    for path in SOURCES:
        wing = place(path).partition("/")[0]
        for name in uses(path, "rosenblatt", "perceptron"):
            first, _, rest = name.partition(".")
            other = "perceptron" if first == "perceptron" else rest.partition(".")[0]
            known = wing in FLOORS and (other in FLOORS or other == "perceptron")
            if known and wing != other and (other == "perceptron" or FLOORS.index(other) < FLOORS.index(wing)):
                found.add(f"{wing} -> {other}")
    assert found == set()


ANSWERS = {
    "--help": "optimizer       adagrad, adam, adam_ntk, adamw, lazy_adam, rowwise_adagrad, sgd",
    "data=xor --help": "labels=[0,0,1,1]",
    "--cfg job": "_target_: perceptron.models.Perceptron",
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
