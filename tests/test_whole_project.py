"""The project as a whole: settings are composed, and what it trains by default is evaluated, predicted, swept."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_object
from omegaconf import DictConfig

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
CHOICES = sorted((path.parent.name, path.stem) for path in CONFIGS.glob("*/*.yaml"))


def run(program: str, *words: str) -> None:
    done = subprocess.run([sys.executable, program, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "one"
    run("train.py", f"hydra.run.dir={folder}", "trainer.max_epochs=2", "figures=none")
    return folder


@pytest.mark.parametrize(("group", "choice"), CHOICES, ids=lambda word: word)
def test_every_choice_is_composed(group: str, choice: str) -> None:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("train", [f"{group}={choice}"])
    assert config.lr > 0
    for node in config.values():
        if isinstance(node, DictConfig) and "_target_" in node:
            assert callable(get_object(node._target_))


def test_a_run_has_finite_figures_of_validation_and_test(trained: Path) -> None:
    figures = json.loads((trained / "metrics.json").read_text())
    assert figures["epochs"] == 2
    for name in ("val/loss", "test/loss"):
        assert math.isfinite(figures[name])


def test_a_run_is_evaluated_as_training_did_and_predicts_each_row_of_test(trained: Path, tmp_path: Path) -> None:
    run("scripts/evaluate.py", f"run={trained}", f"output={tmp_path / 'evaluation.json'}")
    found = json.loads((tmp_path / "evaluation.json").read_text())
    figures = json.loads((trained / "metrics.json").read_text())
    assert found["test/loss"] == pytest.approx(figures["test/loss"], rel=1e-5)
    run("scripts/predict.py", f"run={trained}", "split=test", f"output={tmp_path / 'predicted.csv'}")
    assert len((tmp_path / "predicted.csv").read_text().splitlines()) > 2


def test_two_settings_are_compared_in_a_sweep(tmp_path: Path) -> None:
    words = ["lr=0.01,0.001", "trainer.max_epochs=1", f"hydra.sweep.dir={tmp_path}", "figures=none"]
    run("train.py", "-m", *words)
    run("scripts/leaderboard.py", str(tmp_path), "--output", str(tmp_path / "board.csv"))
    assert len((tmp_path / "board.csv").read_text().splitlines()) == 3
