"""Every YAML file is composed and what it names is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from lightning.pytorch.profilers import PassThroughProfiler, SimpleProfiler
from omegaconf import DictConfig

from rosenblatt.cli.build import build

CONFIGS = Path(__file__).parents[1] / "configs"
CHOICES = sorted((path.parent.name, path.stem) for path in CONFIGS.glob("*/*.yaml"))
SIZES: dict[str, Any] = {"num_features": 4, "num_outputs": 1, "bags": False}


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("train", list(overrides))


@pytest.mark.parametrize(("group", "choice"), CHOICES, ids=lambda word: word)
def test_every_choice_can_be_composed_and_built(group: str, choice: str, tmp_path: Path) -> None:
    config = composed(f"{group}={choice}")
    if "train" in config.data.keys():  # noqa: SIM118 - `in` denies a key that is still "???"
        config.data.train = "x.csv"
    assert build("data", config.data).given_batch_size == config.data.batch_size
    model = build("model", config.model, **SIZES)
    optimizer = build("optimizer", config.optimizer)(model.parameters())
    assert optimizer.param_groups[0]["lr"] == config.lr
    if config.scheduler:
        assert build("scheduler", config.scheduler)(optimizer).optimizer is optimizer
    trainer = build("trainer", config.trainer, logger=False, default_root_dir=str(tmp_path))
    assert trainer.max_epochs == config.trainer.max_epochs


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_file_begins_with_the_command_that_uses_it(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next(line for line in lines if line != "# @package _global_")
    assert first.startswith(("# python train.py", "# python scripts/"))
    if path.parent.parent == CONFIGS:
        assert f"{path.parent.name}={path.stem}" in first


@pytest.mark.parametrize("name", ["adam", "sgd", "adagrad", "adamw"])
def test_each_optimizer_has_the_defaults_of_pytorch(name: str) -> None:
    config = composed(f"optimizer={name}")
    made = build("optimizer", config.optimizer)([torch.nn.Parameter(torch.zeros(1))])
    plain = type(made)([torch.nn.Parameter(torch.zeros(1))])
    ours, theirs = (dict(one.param_groups[0], params=None, fused=None) for one in (made, plain))
    assert ours == theirs


@pytest.mark.parametrize("overrides", [("lr=0.5", "optimizer=sgd"), ("optimizer=sgd", "lr=0.5")], ids=str)
def test_lr_wins_wherever_it_stands(overrides: tuple[str, str]) -> None:
    assert composed(*overrides).optimizer.lr == 0.5


@pytest.mark.parametrize("experiment", sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml")))
def test_the_command_line_wins_over_an_experiment(experiment: str) -> None:
    config = composed(f"experiment={experiment}", "lr=0.5", "optimizer=sgd", "trainer.max_epochs=3")
    assert (config.lr, config.optimizer._target_, config.trainer.max_epochs) == (0.5, "torch.optim.SGD", 3)


@pytest.mark.parametrize(
    ("override", "profiler"),
    [
        ("lr=1", PassThroughProfiler),
        ("+trainer.profiler=simple", SimpleProfiler),
    ],
)
def test_times_are_taken_by_the_profiler_that_was_chosen(override: str, profiler: type, tmp_path: Path) -> None:
    trainer = build("trainer", composed(override).trainer, logger=False, default_root_dir=str(tmp_path))
    assert type(trainer.profiler) is profiler
