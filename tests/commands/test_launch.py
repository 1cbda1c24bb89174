"""What stands around every command: its help, and how what it needs is imported."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator

import pytest
import torch  # noqa: F401 - there, as in a second job of one process
from hydra import main as hydra_main
from omegaconf import DictConfig

from conftest import ROOT, Outcome
from rosenblatt.commands import launch as under_test
from rosenblatt.commands.launch import help_text, importing

Train = Callable[..., Outcome]


@pytest.fixture
def _as_before() -> Iterator[None]:
    frozen = gc.get_freeze_count()
    yield
    gc.enable()
    if frozen == 0:
        gc.unfreeze()


def test_the_help_is_that_of_hydra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = ["data=xor", "model=mlp", "lr=0.5"]
    monkeypatch.setattr(sys, "argv", ["train.py", *overrides, "--help"])

    @hydra_main(version_base="1.3", config_path=str(ROOT / "configs"), config_name="train")
    def main(config: DictConfig) -> None:
        raise AssertionError("--help runs nothing")

    with pytest.raises(SystemExit):
        main()
    assert help_text("train", overrides).split() == capsys.readouterr().out.split()


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_help_shows_the_settings_that_were_chosen(train: Train, flag: str) -> None:
    done = train("model=mlp", "model.hidden=[7]", "trainer.min_epochs=3", flag)
    assert done.status == 0
    assert "model: mlp, perceptron" in done.out
    assert "- 7" in done.out
    assert "min_epochs: 3" in done.out
    assert not done.run.exists()


def test_a_mistake_is_told_for_help_as_for_a_run(train: Train) -> None:
    done = train("modle=mlp", "--help")
    assert done.status == 1
    assert done.err.startswith("error: modle: no such setting. Did you mean 'model'?")


@pytest.mark.usefixtures("_as_before")
def test_what_is_imported_first_is_set_aside_from_the_search_for_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.delitem(sys.modules, "torch")
        with importing():
            assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_a_second_job_leaves_the_search_for_garbage_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected() -> None:
        raise AssertionError("gc.freeze would keep for good what the first job left behind")

    monkeypatch.setattr(under_test.gc, "freeze", unexpected)
    with importing():
        assert gc.isenabled()
