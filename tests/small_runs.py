"""Run folders of an outside project, trained for a moment: what evaluating and predicting need of one, and no more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict

from conftest import ROOT
from rosenblatt.cli import project
from rosenblatt.cli.schema import checked
from rosenblatt.commands.parts import make_parts
from rosenblatt.commands.results import evaluate
from rosenblatt.commands.saving import last_rows, save_model, saved_model
from rosenblatt.loop.random_state import random_state, set_random_state
from rosenblatt.run.folder import RunFolder

YAML = {
    "data/pictures": "_target_: foreign.Pictures\n",
    "data/drawn": "_target_: foreign.Drawn\n",
    "data/line": "_target_: foreign.Line\n",
    "data/stream": "_target_: foreign.Stream\n",
    "data/numbered": "_target_: brought.Numbered\nseed: ${seed}\n",
    "model/net": "_target_: foreign.Net\nchannels: 2\n",
    "model/straight": "_target_: foreign.Straight\n",
    "module/squeeze": "_target_: foreign.Squeeze\nsize: 6\n",
    "module/by_hand": "_target_: foreign.ByHand\n",
    "module/several": "_target_: brought.Several\n",
    "module/mute": "_target_: brought.Mute\n",
    "module/called": "_target_: brought.Called\n",
    "loss/soft": "_target_: foreign.Soft\npower: 1.0\n",
    "metrics/mcc": "mcc:\n  _target_: torchmetrics.MatthewsCorrCoef\n",
}


def make_project(folder: Path) -> Path:
    """Return a project that has copied train.py, scripts/ and configs/, and brings its own code and YAML."""
    for name in ("configs", "scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "train.py", folder)
    shutil.copy(ROOT / "tests" / "outside" / "foreign.py", folder)
    shutil.copy(ROOT / "tests" / "commands" / "brought.py", folder)
    for name, content in YAML.items():
        path = folder / "configs" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return folder


def trained(root: Path, folder: Path, *words: str, epochs: int = 1) -> dict[str, Any]:
    """Train in the project at a folder, leave what evaluating needs in another, and return ``metrics.json``."""
    project.enter(root / "train.py")
    GlobalHydra.instance().clear()
    every = project.loader().load_configuration("train", list(words), RunMode.RUN)
    config = OmegaConf.masked_copy(every, [str(key) for key in every if key != "hydra"])
    with open_dict(config):
        config.logger = {}
    config = checked(config, "train")
    run = RunFolder.create(folder, "", OmegaConf.to_yaml([word.removeprefix("++") for word in words]))
    run.unlock()
    pl.seed_everything(config.seed, verbose=False)
    parts = make_parts(config)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(accelerator="cpu", max_epochs=epochs, enable_checkpointing=False, **quiet)
    state = random_state()
    trainer.fit(parts.module, datamodule=parts.data)
    set_random_state(state)
    reached = evaluate(parts, "cpu", "32-true", final=True)
    digests = parts.data.digest() if hasattr(parts.data, "digest") else {}
    if digests:
        run.write_json("data.json", digests)
    rows = last_rows(parts, reached.last)
    saved = saved_model(config, parts, reached, "32-true", rows)
    save_model(run, config, saved, rows, reached.figures, digests)
    run.write_json("metrics.json", reached.figures)
    return json.loads((folder / "metrics.json").read_text())
