"""Every command and every piece of code in the README is run, on small files of the names that it uses."""

from __future__ import annotations

import importlib.util
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import ROOT, SMALL, Outcome
from tensorboard_server import served

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


COMMANDS = [line for block in blocks("bash") for line in block.splitlines() if line.strip()]
TRAINING = [line for line in COMMANDS if line.startswith("python train.py")]
AFTERWARDS = [line for line in COMMANDS if line.startswith("python scripts/") and "run=" in line]
FIRST = "python train.py data=text data.train=reviews.csv hydra.run.dir=logs/runs/first"  # what the others go on with


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The files that the README's commands name."""
    rng = random.Random(0)
    words = {"0": ["good", "tasty", "kind"], "1": ["bad", "stale", "rude"]}
    reviews = [(" ".join(rng.choices(words[str(i % 2)], k=4)), i % 2) for i in range(100)]
    lines = ["text,label,review,stars", *(f"{text},{label},{text},{label}" for text, label in reviews)]
    for name in ("reviews", "train", "val", "test"):
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    names = [("Ivanov", "Russian"), ("Petrov", "Russian"), ("Smith", "English"), ("Brown", "English")] * 20
    (tmp_path / "surnames.csv").write_text("surname,nationality\n" + "".join(f"{n},{c}\n" for n, c in names))
    (tmp_path / "questions.txt").write_text("".join(f"__label__{label} {text}\n" for text, label in reviews))
    (tmp_path / "new.csv").write_text("text,number\ngood and kind,1\nstale,2\n")
    rows = [f"{rng.gauss(40 + 20 * (i % 2), 5):.0f},{'private' if i % 3 else ''},{i % 2}" for i in range(200)]
    (tmp_path / "adult.csv").write_text("age,work,income\n" + "\n".join(rows) + "\n")
    houses = [(rng.uniform(40, 200), rng.choice(["old town", "harbour"])) for _ in range(100)]
    prices = [f"{area:.1f},{district},{1000 * area + rng.gauss(0, 5000):.0f}" for area, district in houses]
    (tmp_path / "houses.csv").write_text("\n".join(["area,district,price", *prices]) + "\n")
    return tmp_path


@pytest.fixture
def first(trained: Callable[..., Outcome], files: Path) -> None:
    """The run that the others go on with."""
    *words, folder = shlex.split(FIRST)[2:]
    trained(*words, run=folder.removeprefix("hydra.run.dir="))


def test_the_readme_is_short_and_has_commands_to_test() -> None:
    assert len(README.splitlines()) <= 250
    assert len(TRAINING) >= 10
    assert len(AFTERWARDS) >= 5
    assert FIRST in TRAINING
    assert {command.split()[0] for command in COMMANDS} == {"make", "python", "tensorboard"}


@pytest.mark.parametrize("command", TRAINING)
def test_every_training_command_runs(
    train: Callable[..., Outcome],
    program: Callable[..., Outcome],
    files: Path,
    request: pytest.FixtureRequest,
    command: str,
) -> None:
    if "resume=" in command:
        request.getfixturevalue("first")
    words = shlex.split(command)[2:]
    if not any(word in command for word in ("--help", "resume=", "trainer.max_epochs")):
        words.append("trainer.max_epochs=3")  # other tests check what they reach
    if not any(word in command for word in ("--help", "resume=", "data=t", "experiment=")):
        words.append("data.num_train=1000")
    done = train(*words)
    assert done.status == 0, done.err
    if "-m" in words:
        assert "Leaderboard of" in done.out
        assert len(list(files.glob("logs/sweeps/*/winner.json"))) == 1
        if "sweep.name=first" in words:
            (line,) = (line for line in COMMANDS if "leaderboard" in line)
            assert program(*line.split()[1:]).status == 0
    elif "--help" not in command:
        assert (files / ("logs/runs/first" if "logs/runs/first" in command else "run") / "metrics.json").exists()


@pytest.mark.usefixtures("first")
def test_every_command_after_training_runs(program: Callable[..., Outcome], files: Path) -> None:
    for line in AFTERWARDS:
        if "export" in line and importlib.util.find_spec("onnxruntime") is None:
            continue
        done = program(*shlex.split(line)[1:])
        assert done.status == 0, (line, done.err)
    assert (files / "predicted.csv").read_text().splitlines()[0] == "text,number,prediction,probability"
    assert (files / "logs/runs/first/evaluation.json").exists()
    assert "reasons: " in program("scripts/predict.py", "run=logs/runs/first", "text=a lovely evening", "explain=3").out


@pytest.mark.usefixtures("first")
def test_the_python_example_works_as_written() -> None:
    (example,) = (block for block in blocks("python") if "rosenblatt.load" in block)
    found: dict[str, object] = {}
    exec(compile(example.replace("model.predict(", "preds = model.predict("), "README", "exec"), found)
    assert set(found["preds"]) <= {"0", "1"}  # type: ignore[call-overload]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_projects_are_made_and_brought_up_to_date_as_written(tmp_path: Path) -> None:
    here = tmp_path / "rosenblatt"
    here.mkdir()
    lines = [line for line in COMMANDS if "_project.py" in line]
    assert len(lines) == 3
    for line in lines:
        _, program, *words = line.split()
        done = subprocess.run([sys.executable, ROOT / program, *words], cwd=here, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert "is up to date" in done.stdout
    assert (tmp_path / "my_plain_project/src/my_plain_project/module.py").exists()


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("make ")])
def test_every_make_target_exists(command: str) -> None:
    subprocess.run([*command.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_tensorboard_serves_the_runs(trained: Callable[..., Outcome], tmp_path: Path) -> None:
    trained(*SMALL, run="logs/runs/one")
    command = next(line for line in COMMANDS if line.startswith("tensorboard")).split()[1:]
    with served(tmp_path, *command) as ask:
        ask("plugin/scalars/tags", lambda found: any("val/loss" in tags for tags in found.values()))


def test_the_tree_names_what_there_is() -> None:
    tree = next(block for block in blocks("text") if "train.py  " in block)
    folders = {0: ROOT}  # by indentation of what is in them
    named = set()
    for line in tree.splitlines():
        indent, names = re.match(r"( *)(.*?)(?:  |$)", line).groups()  # type: ignore[union-attr]
        for name in names.split():
            if name.endswith(("/", ".py")):
                assert (folders[len(indent)] / name).exists(), name
                named.add(folders[len(indent)] / name)
        folders[len(indent) + 2] = folders[len(indent)] / names.split()[0]
    wings = {path.parent for path in (ROOT / "src").glob("*/*/__init__.py")}
    assert wings | set((ROOT / "src" / "perceptron").glob("[a-z]*.py")) <= named


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_tab_key_completes_as_the_readme_says() -> None:
    (line,) = re.findall(r"`(eval .*?)`", README)
    typed = "python train.py optimizer=ada"
    script = f'{line}; COMP_LINE="{typed}"; COMP_POINT={len(typed)}; COMP_CWORD=2; hydra_bash_completion'
    script += '; echo "${COMPREPLY[@]}"'
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert {"optimizer=adam", "optimizer=adagrad"} <= set(done.stdout.split())
