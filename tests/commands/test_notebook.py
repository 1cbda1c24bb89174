"""Training from Python is training from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import rosenblatt
from conftest import SMALL, Outcome
from rosenblatt.cli import project
from rosenblatt.errors import UserError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A current folder that is no project yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    project._root.clear()


def measured(run: Path) -> dict[str, object]:
    metrics = json.loads((run / "metrics.json").read_text())
    return {name: value for name, value in metrics.items() if "seconds" not in name}


@pytest.mark.usefixtures("configs")
def test_it_leaves_the_run_that_the_command_leaves(train: Callable[..., Outcome]) -> None:
    typed = train(*SMALL, "optimizer=sgd", "lr=0.1", run="typed")
    called = rosenblatt.train(*SMALL, "optimizer=sgd", "lr=0.1", "figures=none")
    assert called.is_relative_to(Path("logs/runs").absolute())
    assert measured(called) == measured(typed.run)
    assert {one.name for one in called.iterdir()} == {one.name for one in typed.run.iterdir()}
    assert rosenblatt.load(called).classes == ("0", "1")


@pytest.mark.usefixtures("configs")
def test_a_finished_run_is_gone_on_with_in_its_folder() -> None:
    run = rosenblatt.train(*SMALL, "figures=none", "hydra.run.dir=logs/runs/first")
    assert rosenblatt.train("resume=logs/runs/first") == run


@pytest.mark.usefixtures("configs")
@pytest.mark.parametrize(("status", "kind"), [(130, KeyboardInterrupt), (143, SystemExit)])
def test_an_interrupt_is_one_once_all_is_saved(
    status: int, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rosenblatt.commands.train.train", lambda config, pool: sys.exit(status))
    with pytest.raises(kind):
        rosenblatt.train("figures=none")


@pytest.mark.usefixtures("configs")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["data=tyo"], "Did you mean 'toy'"),
        (["model=mlp", "model.hiden=[3]"], "Did you mean 'hidden'"),
        (["trainer.max_epochs=x"], "trainer.max_epochs: expected"),
        (["lr=0.1,0.01"], "train.py -m"),
    ],
)
def test_a_mistake_is_an_exception_with_the_message_of_the_command(
    words: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("notebooks").mkdir()
    monkeypatch.chdir("notebooks")  # the project is the folder above
    with pytest.raises(UserError, match=told):
        rosenblatt.train(*words)


def test_outside_of_a_project_it_says_where_to_start() -> None:
    with pytest.raises(UserError, match=r"no configs/train\.yaml here, nor in the folder above"):
        rosenblatt.train("lr=0.1")
