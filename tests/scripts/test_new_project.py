"""Projects that are made of the template, and brought up to a later one."""

from __future__ import annotations

import compileall
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

import rosenblatt
from conftest import ROOT, run_program

sys.path.insert(0, str(ROOT / "scripts"))

from projects.template import STARTS, copy_template

# The package; the model is named, as in model=perceptron.
PACKAGE = re.compile(r"(from|import) perceptron|perceptron\.\w|(?<!model/)perceptron/|perceptron:\w|\"perceptron\"")

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def typed(program: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(program), *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=program.parent, env=os.environ | environment)


def made(folder: Path, *words: str, root: Path = ROOT) -> Path:
    done = typed(root / "scripts" / "new_project.py", str(folder), *words)
    assert done.returncode == 0, done.stderr
    return folder


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    return subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def committed(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "-m", "Change")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts]


@pytest.mark.parametrize("start", STARTS)
def test_a_project_is_small_its_own_and_committed(start: str, tmp_path: Path) -> None:
    folder = made(tmp_path / "my_project", "--start", start, "--holder", "Ann Example")
    package = folder / "src" / "my_project"
    assert sum(len(path.read_text().splitlines()) for path in package.glob("*.py")) <= 300
    for path in files(folder):
        text = path.read_text(encoding="utf-8")
        assert not PACKAGE.search(text), path
        assert "template>" not in text, path
    assert "Ann Example" in (folder / "LICENSE").read_text()
    assert "Rosenblatt" in (folder / "src/rosenblatt/LICENSE").read_text()
    assert git(folder, "status", "--porcelain") == ""
    assert git(folder, "log", "--format=%s").splitlines() == [
        f"Begin from Rosenblatt {rosenblatt.__version__} ({start})"
    ]
    assert json.loads((folder / ".rosenblatt.json").read_text())["start"] == start
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "my-project"
    tools = tomllib.loads((folder / "pyproject.toml").read_text())["tool"]
    assert tools["pytest"]["ini_options"]["xfail_strict"]
    assert "strict" not in tools["mypy"]
    assert any(one.startswith("torch>=") for one in project["dependencies"])


@pytest.mark.parametrize("start", STARTS)
def test_a_project_is_lint_free_and_its_settings_are_composed(start: str, tmp_path: Path) -> None:
    folder = made(
        tmp_path / "my_project", "--start", start, "--name", {"toy": "zoo", "text": "road"}.get(start, "mine")
    )
    for words in (["check"], ["format", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *words, "."], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    with initialize_config_dir(str(folder / "configs"), version_base="1.3"):
        config = compose("train")
    assert config.data._target_ == {
        "toy": "zoo.toy.ToyData", "text": "rosenblatt.text.data.TextData",
        "table": "rosenblatt.table.data.TableData", "plain": "mine.data.Rings",
    }[start]  # fmt: skip


@pytest.mark.soak
@pytest.mark.parametrize("start", STARTS)
def test_what_make_runs_in_a_project_is_green_there(start: str, tmp_path: Path) -> None:
    folder = made(tmp_path / "my_project", "--start", start)
    around = os.environ | {"PYTHONPATH": str(folder / "src"), "COLUMNS": "80"}
    python = [sys.executable, "-P"] if sys.version_info >= (3, 11) else [sys.executable]
    for words in (["train.py"], ["-m", "ruff", "check", "."], ["-m", "mypy"], ["-m", "pytest", "-q"]):
        done = subprocess.run([*python, *words], cwd=folder, env=around, capture_output=True, text=True)
        assert done.returncode == 0, (words, done.stdout[-3000:], done.stderr[-3000:])
    assert git(folder, "status", "--porcelain") == ""


def test_a_project_that_depends_on_the_engine_has_none_of_its_sources(tmp_path: Path) -> None:
    folder = made(tmp_path / "my_project", "--engine", "depend")
    assert [path.name for path in (folder / "src").iterdir()] == ["my_project"]
    text = (folder / "pyproject.toml").read_text()
    assert f'"rosenblatt>={rosenblatt.__version__},<0.' in text
    assert "torch>=" not in text


def test_what_the_plain_start_begins_with_learns_its_rings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made(tmp_path / "my_rings", "--start", "plain", "--engine", "depend")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder / "src"))
    words = ["lr=0.03", "trainer.max_epochs=6", "hydra.run.dir=run", "figures=none"]
    done = run_program(folder / "train.py", words, folder / "run", capsys)
    assert done.status == 0, done.err
    assert done.metrics["test/acc"] > 0.98
    assert done.metrics["test/acc_low"] < done.metrics["test/acc"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["full"], "expected a new folder, or an empty one"),
        (["my-project"], "'my-project' can't be the name of a package: .* such as --name my_project"),
        (["p", "--name", "class"], "'class' can't be the name of a package: .* such as --name my_class"),
        (["p", "--name", "9lives"], "'9lives' can't be the name"),
        (["p", "--name", "größe"], "'größe' can't be the name"),
        (["p", "--name", "_mine"], "'_mine' can't be the name .* --name mine"),
        (["p", "--name", "yaml"], "the name 'yaml' is taken"),
        (["p", "--name", "json"], "the name 'json' is taken, .*--name my_json"),
        (["p", "--name", "torch"], "the name 'torch' is taken"),
        (["p", "--name", "pytest"], "the name 'pytest' is taken"),
        (["p", "--name", "rosenblatt"], "the name 'rosenblatt' is taken"),
        (["p", "--start", "tex"], "--start: expected one of .* Did you mean 'text'\\?"),
        (
            ["p", "--engine", "copied"],
            "--engine: expected one of 'copy', 'depend'; got 'copied'. Did you mean 'copy'\\?",
        ),
    ],
)
def test_what_makes_no_project_is_told_and_nothing_is_written(words: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "work.txt").write_text("mine")
    folder, *others = words
    done = typed(ROOT / "scripts" / "new_project.py", str(tmp_path / folder), *others)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert re.search(message, line), line
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "work.txt"]


def test_without_git_nothing_is_made(tmp_path: Path) -> None:
    done = typed(ROOT / "scripts" / "new_project.py", str(tmp_path / "my_project"), PATH=str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "git is not installed" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """A later version of the template."""
    root = tmp_path / "later"
    copy_template(root)
    for name in ("src/rosenblatt", "src/hydra_plugins"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("scripts/new_project.py", "scripts/update_project.py"):
        shutil.copy(ROOT / name, root / name)
    face = root / "src/rosenblatt/__init__.py"
    face.write_text(face.read_text().replace(f'__version__ = "{rosenblatt.__version__}"', '__version__ = "9.1.0"'))
    makefile = root / "Makefile"
    makefile.write_text(makefile.read_text().replace("## train; make", "## train it, later; make"))
    (root / "configs/loss/later.yaml").write_text("# python train.py loss=later\n")
    return root


def test_an_installed_engine_makes_projects_too(tmp_path: Path, later: Path) -> None:
    pytest.importorskip("setuptools", minversion="77")
    for name in ("setup.py", "README.md"):
        shutil.copy(ROOT / name, later)
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(later)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    compileall.compile_dir(installed, quiet=1)  # as pip does
    (installed / "hydra_plugins" / "of_others").mkdir()
    folder = tmp_path / "my_project"
    command = [sys.executable, "-m", "rosenblatt", "new", str(folder), "--start", "plain"]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(installed)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert made(tmp_path / "other" / "my_project", "--start", "plain", root=later)
    assert {path.relative_to(folder): path.read_bytes() for path in files(folder)} == {
        path.relative_to(tmp_path / "other" / "my_project"): path.read_bytes()
        for path in files(tmp_path / "other" / "my_project")
    }


def updated(folder: Path, root: Path) -> subprocess.CompletedProcess[str]:
    return typed(root / "scripts" / "update_project.py", str(folder))


def test_an_update_brings_what_is_new_and_keeps_what_the_project_has_changed(tmp_path: Path, later: Path) -> None:
    folder = made(tmp_path / "my_project")
    committed(folder, "src/my_project/own.py", '"""Mine."""\n')
    text = (folder / "configs/train.yaml").read_text()
    committed(folder, "configs/train.yaml", text.replace("- optimizer: adam ", "- optimizer: sgd "))
    git(folder, "rm", "configs/logger/mlflow.yaml")
    git(folder, "commit", "-m", "Not wanted")
    done = updated(folder, later)
    assert done.returncode == 0, done.stderr
    assert "is at 9.1.0 now: " in done.stdout
    assert (folder / "src/my_project/own.py").exists()
    assert "- optimizer: sgd " in (folder / "configs/train.yaml").read_text()
    assert "train it, later" in (folder / "Makefile").read_text()
    assert (folder / "configs/loss/later.yaml").exists()
    assert not (folder / "configs/logger/mlflow.yaml").exists()
    assert '"9.1.0"' in (folder / "src/rosenblatt/__init__.py").read_text()
    assert git(folder, "status", "--porcelain") == ""
    done = updated(folder, later)
    assert done.stdout.strip() == f"{folder} is up to date: 9.1.0."
    # A third version goes out from the second, though the project has gone on since.
    committed(folder, "README.md", "# Mine alone\n")
    (later / "configs/loss/later.yaml").write_text("# python train.py loss=later\nsize: 2\n")
    assert updated(folder, later).returncode == 0
    assert (folder / "configs/loss/later.yaml").read_text().endswith("size: 2\n")
    assert (folder / "README.md").read_text() == "# Mine alone\n"


def test_lines_that_both_have_changed_stand_there_in_both_versions(tmp_path: Path, later: Path) -> None:
    folder = made(tmp_path / "my_project")
    text = (folder / "Makefile").read_text()
    committed(folder, "Makefile", text.replace("## train; make", "## train mine; make"))
    before = git(folder, "rev-parse", "HEAD")
    done = updated(folder, later)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "changed here and in 9.1.0: 'Makefile'." in done.stderr
    assert "git merge --abort" in done.stderr
    text = (folder / "Makefile").read_text()
    assert "## train mine; make" in text
    assert "train it, later" in text
    assert text.index("<<<<<<<") < text.index("## train mine; make") < text.index(">>>>>>>")
    assert "a merge is not ended: git add and git commit, or git merge --abort." in updated(folder, later).stderr
    git(folder, "merge", "--abort")
    assert git(folder, "rev-parse", "HEAD") == before
    assert "train it, later" not in (folder / "Makefile").read_text()


def test_a_first_commit_that_was_amended_is_no_base_and_what_it_has_stays(tmp_path: Path, later: Path) -> None:
    folder = made(tmp_path / "my_project")
    (folder / "own.py").write_text("mine = 1\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--amend", "--no-edit")
    done = updated(folder, later)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no commit that is the template as it was" in done.stderr
    assert (folder / "own.py").exists()


def test_a_history_that_was_made_flat_goes_out_from_the_last_commit_that_is_a_template(
    tmp_path: Path, later: Path
) -> None:
    folder = made(tmp_path / "my_project")
    committed(folder, "own.py", "mine = 1\n")
    assert updated(folder, later).returncode == 0
    git(folder, "rebase", git(folder, "rev-list", "--max-parents=0", "HEAD").strip())
    assert git(folder, "rev-list", "--merges", "HEAD") == ""
    (later / "configs/loss/later.yaml").write_text("# python train.py loss=later\nsize: 2\n")
    done = updated(folder, later)
    assert "own.py" not in done.stderr
    assert (folder / "own.py").read_text() == "mine = 1\n"


def test_a_file_that_git_does_not_keep_is_never_overwritten(tmp_path: Path, later: Path) -> None:
    folder = made(tmp_path / "my_project")
    committed(folder, ".gitignore", (folder / ".gitignore").read_text() + "configs/loss/later.yaml\n")
    (folder / "configs/loss/later.yaml").write_text("mine\n")
    done = updated(folder, later)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "the template brings 'configs/loss/later.yaml', which is there and git does not keep" in done.stderr
    assert (folder / "configs/loss/later.yaml").read_text() == "mine\n"


def test_hooks_and_signing_do_not_stand_in_the_way_of_an_update_and_who_commits_is_the_projects_own(
    tmp_path: Path, later: Path
) -> None:
    folder = made(tmp_path / "my_project")
    hook = folder / ".git/hooks/pre-merge-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    for key, value in (("commit.gpgsign", "true"), ("user.signingkey", "none"), ("user.name", "Bea")):
        git(folder, "config", key, value)
    done = updated(folder, later)
    assert done.returncode == 0, done.stderr
    assert git(folder, "log", "-1", "--format=%an").strip() == "Bea"


def test_a_project_in_the_current_folder_and_beside_another_repository(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    git(tmp_path / "other", "init")
    (tmp_path / "my_project").mkdir()
    command = [sys.executable, str(ROOT / "scripts" / "new_project.py"), "."]
    environment = os.environ | {"GIT_DIR": str(tmp_path / "other" / ".git")}
    subprocess.run(command, cwd=tmp_path / "my_project", env=environment, check=True, capture_output=True)
    assert git(tmp_path / "my_project", "rev-list", "--count", "HEAD").strip() == "1"
    assert git(tmp_path / "other", "rev-list", "--all") == ""
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_update_raises_what_is_required_of_the_engine(tmp_path: Path, later: Path) -> None:
    folder = made(tmp_path / "my_project", "--engine", "depend")
    assert updated(folder, later).returncode == 0
    assert '"rosenblatt>=9.1.0,<9.2"' in (folder / "pyproject.toml").read_text()


def test_what_can_not_be_updated_is_told_and_stays_as_it_is(tmp_path: Path, later: Path) -> None:
    def refused(folder: Path, root: Path, message: str) -> None:
        done = updated(folder, root)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert message in done.stderr

    folder = made(tmp_path / "my_project", root=later)
    refused(folder, ROOT, f"it is of version 9.1.0, and this template is {rosenblatt.__version__}: get a later one.")
    refused(tmp_path, ROOT, "expected a project that new_project.py has made")
    refused(tmp_path / "none", ROOT, "there is no such folder")
    folder = made(tmp_path / "my_other")
    (folder / "README.md").write_text("not yet")
    refused(folder, later, "not committed: 'README.md'. Commit it first")
    assert (folder / "README.md").read_text() == "not yet"
    shutil.rmtree(folder / ".git")
    refused(folder, later, "it is no git repository")
    git(folder, "init")
    committed(folder, "note.txt", "all anew")
    refused(folder, later, "its history has no commit that is the template")
