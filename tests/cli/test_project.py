"""A project elsewhere, with YAML files and classes of its own: what is told and called is its own."""

from __future__ import annotations

import runpy
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from conftest import ROOT
from rosenblatt.cli import project

SOURCE = """
from lightning.pytorch import LightningDataModule
from torch import nn

class Bars(LightningDataModule):
    def __init__(self, width: int = 8) -> None:
        super().__init__()

class Conv(nn.Module):
    def __init__(self, channels: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of what a project is, with a module of its own."""
    for name in ("train.py", "configs", "scripts"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (tmp_path / "ours.py").write_text(SOURCE)
    (tmp_path / "configs/data/bars.yaml").write_text("_target_: ours.Bars\n")
    (tmp_path / "configs/model/conv.yaml").write_text("_target_: ours.Conv\nchannels: 8\n")
    (tmp_path / "configs/callbacks/mine.yaml").write_text(
        "mine:\n  _target_: ours.Counter\n  parts:\n  - _target_: ours.A\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("ours", None)
    project._root.clear()


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """A program of that project, in this process: its status, what it printed and what it told."""

    def run_program(file: str, *words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        sys.argv[:] = [str(folder / file), *words]
        try:
            runpy.run_path(str(folder / file), run_name="__main__")
        except SystemExit as exit:
            return int(exit.code or 0), *capsys.readouterr()
        return 0, *capsys.readouterr()

    return run_program


TYPOS = [
    ("data=bar", "error: data=bar: no such choice. Did you mean 'bars'? There are bars, table, text, toy, xor.\n"),
    ("callbacks=[min]", "Did you mean 'mine'?"),
    ("model=conv model.chanels=3", "error: model.chanels: Conv has no such setting. Did you mean 'channels'?\n"),
    ("data=bars data._target_=ours.Barss", "Did you mean 'ours.Bars'?"),
    ("model=conv data=bars data._target_=our.Bars", "there is no module 'our'. Did you mean 'ours'?"),
]


@pytest.mark.parametrize(("words", "says"), TYPOS, ids=[words for words, _ in TYPOS])
def test_a_typo_is_told_with_the_right_name_of_that_project(run: Run, words: str, says: str) -> None:
    status, _, err = run("train.py", *words.split())
    assert status == 1
    assert says in err
    assert err.count("\n") == 1


def test_the_help_lists_the_choices_of_that_project(run: Run) -> None:
    assert "data            bars, table, text, toy, xor" in run("train.py", "--help")[1]


def test_an_argument_that_its_yaml_does_not_name_can_be_given(run: Run) -> None:
    status, out, err = run("train.py", "model=conv", "model.dropout=0.5", "--cfg", "job")
    assert (status, err) == (0, "")
    assert "dropout: 0.5" in out


def test_an_older_train_yaml_still_takes_every_key(run: Run, folder: Path) -> None:
    old = OmegaConf.load(folder / "configs/train.yaml")
    for key in ("seed", "threads", "calibration", "checkpoint", "resume", "resume_anyway"):
        del old[key]
    old.defaults = [one for one in old.defaults if not set(one) & {"callbacks", "logger", "metrics"}]
    old.seed = 0
    OmegaConf.save(old, folder / "configs/train.yaml")
    words = ("threads=2", "checkpoint.every_n_steps=x", "data.num_train=400", "logger=csv")
    status, _, err = run("train.py", *words)
    assert status == 1
    assert err.startswith("error: checkpoint.every_n_steps: expected null or a whole number of at least 1; got 'x'.")


def test_all_code_that_the_yaml_files_name_is_known_by_its_place(run: Run) -> None:
    run("train.py", "--help")
    found = project.targets()
    assert found["data"] == {
        "ours.Bars", "perceptron.toy.ToyData", "rosenblatt.text.data.TextData", "rosenblatt.table.data.TableData"
    }  # fmt: skip
    assert found["callbacks"] >= {"ours.Counter", "ours.A"}
    assert "torch.optim.Adam" in found["optimizer"]
    assert project.foreign({"model": {"_target_": "ours.Conv"}, "x": [{"_target_": "a.B"}]}, ["x._target_=a.B"]) is None
    assert project.foreign({"model": {"_target_": "ours.Bars"}}, []) == "ours.Bars"
    assert project.foreign({"model": {"_target_": "ours.Bars"}}, ["data._target_=ours.Bars"]) == "ours.Bars"


def test_programs_in_scripts_find_the_modules_beside_train(run: Run, folder: Path) -> None:
    status, _, err = run("scripts/evaluate.py", "run=nowhere")
    assert (status, err.startswith("error: run=nowhere: expected the folder of a run")) == (1, True)
    assert str(folder) in sys.path
    assert project.root() == folder
