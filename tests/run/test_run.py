from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import torch

from rosenblatt.errors import FolderTaken, UserError
from rosenblatt.run import folder as under_test
from rosenblatt.run.folder import PACKAGES, RunFolder, environment


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_folder_holds_the_configuration_and_the_environment(tmp_path):
    run = RunFolder.create(tmp_path / "runs" / "first", "lr: 0.1\n", "- lr=0.1\n")
    assert files(run.path) == ["config.yaml", "environment.json", "overrides.yaml"]
    assert (run.path / "config.yaml").read_text() == "lr: 0.1\n"
    assert (run.path / "overrides.yaml").read_text() == "- lr=0.1\n"
    assert json.loads((run.path / "environment.json").read_text())["packages"].keys() == set(PACKAGES)
    assert run.checkpoints == run.path / "checkpoints"


def test_a_folder_with_something_else_in_it_is_taken(tmp_path):
    (tmp_path / "train.log").write_text("begun\n")
    RunFolder.create(tmp_path, "lr: 0.1\n", "[]\n")
    assert (tmp_path / "train.log").read_text() == "begun\n"


def test_a_folder_that_holds_a_run_is_refused_and_stays_as_it_was(tmp_path):
    RunFolder.create(tmp_path, "lr: 0.1\n", "- lr=0.1\n").write_json("metrics.json", {"test/acc": 1.0})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UserError, match=r"there is a run in this folder already, .* Name another folder") as caught:
        RunFolder.create(tmp_path, "lr: 9\n", "- lr=9\n")
    assert str(tmp_path) in str(caught.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_with_a_checkpoint_alone_holds_a_run_too(tmp_path):
    run = RunFolder.create(tmp_path, "lr: 0.1\n", "[]\n")
    run.checkpoints.mkdir()
    (run.checkpoints / ".last.ckpt.tmp").write_bytes(b"half")
    run.unlock()
    RunFolder.create(tmp_path, "lr: 0.2\n", "[]\n").unlock()  # a part is no checkpoint
    (run.checkpoints / "last.ckpt").write_bytes(b"whole")
    with pytest.raises(FolderTaken, match="there is a run in this folder already"):
        RunFolder.create(tmp_path, "lr: 9\n", "[]\n")
    assert (tmp_path / "config.yaml").read_text() == "lr: 0.2\n"


@pytest.mark.skipif(os.name == "nt", reason="there a folder has no lock")
def test_two_at_a_time_do_not_train_in_one_folder(tmp_path):
    first = RunFolder.create(tmp_path, "lr: 0.1\n", "[]\n")
    with pytest.raises(FolderTaken, match="another process is training in this folder"):
        RunFolder.create(tmp_path, "lr: 9\n", "[]\n")
    assert (tmp_path / "config.yaml").read_text() == "lr: 0.1\n"
    first.unlock()
    RunFolder.create(tmp_path, "lr: 0.2\n", "[]\n").unlock()


@pytest.mark.parametrize("below", ["", "run"])
def test_a_file_in_place_of_the_folder_is_no_run(tmp_path, below):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UserError, match="the folder can't be written") as caught:
        RunFolder.create(tmp_path / "taken" / below, "", "")
    assert "there is a run" not in str(caught.value)
    assert (tmp_path / "taken").read_text() == "a file"


def test_a_folder_that_may_not_be_written_is_named(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match=r"hydra.run.dir=.*new: the folder can't be written: Permission denied\."):
        RunFolder.create(tmp_path / "new", "", "")


def test_json_keeps_words_and_numbers(tmp_path):
    content = {"test/acc": 0.1 + 0.2, "classes": ["größer", "✓"], "epochs": 3}
    RunFolder(tmp_path).write_json("metrics.json", content)
    text = (tmp_path / "metrics.json").read_text(encoding="utf-8")
    assert json.loads(text) == content
    assert "größer" in text
    assert text.endswith("}\n")


@pytest.mark.parametrize("content", [None, b"", b'{"epochs": 3', b"[1, 2]", b"\xff\xfe{}", b"null"])
def test_json_that_is_not_there_or_not_whole_is_none(tmp_path, content):
    if content is not None:
        (tmp_path / "metrics.json").write_bytes(content)
    assert RunFolder(tmp_path).read_json("metrics.json") is None


def test_the_environment_names_versions_machine_and_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/train.py", "lr=0.1"])
    found = environment()
    assert found["command"] == ["train.py", "lr=0.1"]
    assert found["packages"] == {name: importlib.metadata.version(name) for name in PACKAGES}
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["cores"] == os.cpu_count()
    assert len(found["gpus"]) == torch.cuda.device_count()
    age = datetime.now(timezone.utc) - datetime.fromisoformat(found["started"])
    assert timedelta(0) <= age < timedelta(minutes=10)
    assert json.loads(json.dumps(found)) == found


def test_the_environment_names_the_commit_and_whether_code_was_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(under_test, "__file__", str(tmp_path / "run.py"))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):  # set where a git hook runs the tests
        monkeypatch.delenv(name, raising=False)

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "--quiet")
    (tmp_path / "run.py").write_text("a = 1\n")
    git("add", "run.py")
    git("commit", "--quiet", "--no-verify", "--message", "first")
    found = environment()
    assert (found["git_commit"], found["git_dirty"]) == (git("rev-parse", "HEAD"), False)
    (tmp_path / "run.py").write_text("a = 2\n")
    assert environment()["git_dirty"] is True


def test_a_figure_that_is_not_defined_is_null(tmp_path):
    RunFolder(tmp_path).write_json("metrics.json", {"test/auroc": float("nan"), "test/acc": 0.5})
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"test/auroc": None, "test/acc": 0.5}


@pytest.mark.parametrize("failure", [FileNotFoundError("git"), subprocess.TimeoutExpired("git", 10)])
def test_the_environment_does_without_git(monkeypatch, failure):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(subprocess, "run", fail)
    assert environment()["git_commit"] is None


def test_a_path_below_the_current_folder_is_shown_as_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert RunFolder(tmp_path / "logs" / "runs" / "a").shown == str(Path("logs/runs/a"))
    assert RunFolder("logs/../logs/runs/a").shown == str(Path("logs/runs/a"))


def test_a_path_elsewhere_is_shown_whole(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert RunFolder(tmp_path / "there").shown == str((tmp_path / "there").resolve())
    assert RunFolder("../hereabouts").shown == str((tmp_path / "hereabouts").resolve())
