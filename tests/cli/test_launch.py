"""What stands around every command: its help, and how what it needs is imported."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch  # noqa: F401 - there, as in a second job of one process

from conftest import ROOT, Outcome
from rosenblatt.cli import launch as under_test
from rosenblatt.cli.launch import help_text, importing

Train = Callable[..., Outcome]


@pytest.mark.parametrize("data", ["toy", "xor", "text", "table"])
def test_the_help_is_one_screen(data: str) -> None:
    lines = help_text("train", [f"data={data}"]).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80


def test_the_help_names_every_choice_and_setting() -> None:
    lines = help_text("train", []).splitlines()
    words = set(" ".join(lines).replace(",", " ").split())
    for path in (ROOT / "configs").glob("*/*.yaml"):
        assert {path.parent.name, path.stem} <= words
    assert {"lr=0.001", "max_epochs=30", "num_train=10000", "patience=3", "task=null", "fused=true"} <= words
    assert not any(word.startswith("_") or "${" in word for word in words)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_help_shows_the_settings_that_were_chosen(train: Train, flag: str) -> None:
    done = train("model=mlp", "model.hidden=[7]", "trainer.min_epochs=3", flag)
    assert done.status == 0
    assert "model           mlp, perceptron" in done.out
    assert "hidden=[7] " in done.out
    assert "min_epochs=3" in done.out
    assert not done.run.exists()


def test_a_mistake_is_told_for_help_as_for_a_run(train: Train) -> None:
    done = train("modell=mlp", "--help")
    assert done.status == 1
    assert done.err.startswith("error: modell: no such setting. Did you mean 'model'?")


def test_help_with_another_flag_is_left_to_hydra(train: Train, tmp_path: Path) -> None:
    (tmp_path / "own" / "data").mkdir(parents=True)
    (tmp_path / "own" / "data" / "mine.yaml").write_text("_target_: my.own.Data\n")
    done = train("data=mine", "--help", "--config-dir=own")
    assert done.status == 0, done.err
    assert "my.own.Data" in done.out


@pytest.mark.skipif(os.name == "nt", reason="closes a POSIX pipe")
def test_help_into_a_pipe_that_nobody_reads_any_more_ends_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, str(ROOT / "train.py"), "--help"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """As before the first import of Lightning; and a list of the full searches for garbage from here on."""
    frozen, searches = gc.get_freeze_count(), []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            searches.append(info["generation"])

    monkeypatch.delitem(sys.modules, "lightning", raising=False)
    gc.callbacks.append(note)
    yield searches
    gc.callbacks.remove(note)
    gc.enable()
    if frozen == 0:
        gc.unfreeze()


def test_what_is_imported_first_is_set_aside_from_the_search_for_garbage(first: list[int]) -> None:
    frozen = gc.get_freeze_count()
    with importing():
        assert not gc.isenabled()
        made = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= frozen + len(made)
    assert first == []


@pytest.mark.parametrize("error", [ImportError, KeyboardInterrupt, SystemExit])
@pytest.mark.usefixtures("first")
def test_an_import_that_fails_is_told_and_the_search_for_garbage_goes_on(error: type[BaseException]) -> None:
    with pytest.raises(error, match="half way"), importing():
        raise error("half way")
    assert gc.isenabled()


def test_the_training_command_is_imported_so(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    missed: list[str | None] = []

    @contextmanager
    def importing() -> Iterator[None]:
        try:
            yield
        except ImportError as error:
            missed.append(error.name)
            raise

    monkeypatch.setattr(under_test, "importing", importing)
    monkeypatch.setitem(sys.modules, "rosenblatt.commands.train", None)  # Python's way to forbid an import
    assert train().status == 1
    assert missed == ["rosenblatt.commands.train"]


def test_a_second_job_leaves_the_search_for_garbage_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected() -> None:
        raise AssertionError("gc.freeze would keep for good what the first job left behind")

    monkeypatch.setitem(sys.modules, "lightning", sys)
    monkeypatch.setattr(under_test.gc, "freeze", unexpected)
    with importing():
        assert gc.isenabled()
