"""The template: which files a project of one's own begins with, and how they are made of those of this one.

What is made are the checkout's own files, under the name of the project's package. A block between comments ``<NAME>``
and ``</NAME>`` stays where NAME is the start, one of its parts or the way of the engine (``copy``, ``depend``), and is
left out elsewhere. Nothing here needs more than Python: a project can be made before anything is installed.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import rosenblatt
from rosenblatt.errors import UserError

ROOT = Path(__file__).parents[2]  # of a checkout, or of what setup.py has put beside the modules of an engine
ENGINE = Path(rosenblatt.__file__).parent
ANSWERS = ".rosenblatt.json"
ENGINES = ("copy", "depend")
FILES = (
    "train.py", "scripts/evaluate.py", "scripts/predict.py", "scripts/export.py", "scripts/leaderboard.py",
    "tests/test_whole_project.py", "pyproject.toml", "constraints.txt", "Makefile", "LICENSE", ".gitignore",
    ".pre-commit-config.yaml", ".github/workflows/tests.yml",
)  # fmt: skip
FOLDERS = ("configs", "scripts/projects", "src/perceptron", "tests/perceptron")  # of which some files are taken
# In code, YAML and TOML; the model of that name is no package.
NAME = re.compile(r"\bperceptron(?=\.\w+(?:[.:][A-Z]| import\b))|(?<=src/)perceptron\b|(?<=\")perceptron(?=\",)")
BLOCK = re.compile(r"^[ ]*(?:#|<!--) <(\w+)>(?: -->)?\n(.*?)^[ ]*(?:#|<!--) </\1>(?: -->)?\n", re.M | re.S)
# Strict rules are for an engine; code that somebody brings is to pass as it stands.
STRICT = ((', "D1", "ANN"]', "]"), ("\nstrict = true", "\nignore_missing_imports = true"), (" -m 'not soak'", ""))


class Start(NamedTuple):
    """What a project begins with.

    Attributes:
        about: it, in a line.
        parts: files of the package; those of a folder ``starts/NAME`` come besides.
        without: YAML files that it has no use for, as patterns.
        replaced: text in a file, and what stands there in its place.
    """

    about: str
    parts: tuple[str, ...] = ("models", "classifier")
    without: tuple[str, ...] = ()
    replaced: Mapping[str, tuple[tuple[str, str], ...]] = {}


RECIPE = (("ARGS ?= optimizer=adam lr=0.001", "ARGS ?="),)  # of data=, which chooses the optimizer
OF_TOY = ("data/toy", "data/xor", "experiment/*")
OF_TABLES = ("data/table", "model/realmlp", "optimizer/adam_ntk", "scheduler/coslog", "loss/smoothed", "trainer/long")
OF_TEXTS = ("data/text", "optimizer/rowwise_adagrad", "optimizer/lazy_adam", "loss/squared_hinge", "trainer/short")
OF_MODELS = ("model/perceptron", "model/mlp")
STARTS = {
    "toy": Start("the book's points and perceptron; texts and tables as well", ("models", "classifier", "toy")),
    "text": Start(
        "labelled texts in a file",
        without=(*OF_TOY, *OF_TABLES),
        replaced={
            "configs/train.yaml": (("- data: toy", "- data: text"),),
            "configs/data/text.yaml": (("train: ???", "train: data/reviews.csv"),),
            "Makefile": RECIPE,
        },
    ),
    "table": Start(
        "labelled rows of a table",
        without=(*OF_TOY, *OF_TEXTS),
        replaced={
            "configs/train.yaml": (("- data: toy", "- data: table"),),
            "configs/data/table.yaml": (
                ("train: ???", "train: data/houses.csv"), ("label_column: label", "label_column: sold")
            ),
            "Makefile": RECIPE,
        },
    ),
    "plain": Start(
        "a LightningModule, and a LightningDataModule with a DataLoader",
        (),
        (*OF_TOY, *OF_TABLES, *OF_TEXTS, *OF_MODELS),
        {"configs/train.yaml": (("- data: toy", "- data: rings"), ("- model: perceptron", "- model: network"))},
    ),
}  # fmt: skip


class Answers(NamedTuple):
    """What was asked for when a project was made; it keeps them, for later versions.

    Attributes:
        package: the name of its package.
        start: one of `STARTS`.
        engine: one of `ENGINES`.
        holder: of its licence.
        version: of the template.
    """

    package: str
    start: str
    engine: str
    holder: str
    version: str = rosenblatt.__version__


def render(answers: Answers, folder: Path) -> None:
    """Write the files of a project into a folder."""
    start, overlay = STARTS[answers.start], ROOT / "scripts" / "projects" / "starts" / answers.start
    sources = {name: ROOT / name for name in FILES}
    for path in sorted((ROOT / "configs").rglob("*.yaml")):
        name = path.relative_to(ROOT).as_posix()
        if not any(fnmatch(name, f"configs/{one}.yaml") for one in start.without):
            sources[name] = path
    for part in ("__init__", *start.parts):
        sources[f"src/perceptron/{part}.py"] = ROOT / "src" / "perceptron" / f"{part}.py"
        if part in ("models", "toy"):
            sources[f"tests/perceptron/test_{part}.py"] = ROOT / "tests" / "perceptron" / f"test_{part}.py"
    sources["README.md"] = ROOT / "scripts" / "projects" / "starts" / "README.md"
    for path in sorted(overlay.rglob("*.*")):
        if path.is_file() and path.parent.name != "__pycache__":  # pip compiles what it installs
            sources[path.relative_to(overlay).as_posix()] = path
    for name, source in sources.items():
        text = source.read_text(encoding="utf-8")
        for old, new in start.replaced.get(name, ()):
            text = replaced(text, name, old, new)
        write(folder / re.sub(r"(src|tests)/perceptron/", rf"\1/{answers.package}/", name), own(text, name, answers))
    if answers.engine == "copy":
        for package in ("rosenblatt", "hydra_plugins/rosenblatt_sweeper"):
            unwanted = shutil.ignore_patterns("__pycache__", "template")
            shutil.copytree(ENGINE.parent / package, folder / "src" / package, ignore=unwanted)
        shutil.copy(ROOT / "LICENSE", folder / "src" / "rosenblatt")
    write(folder / ANSWERS, json.dumps(answers._asdict(), indent=2) + "\n")


def own(text: str, name: str, answers: Answers) -> str:
    """Return the text of a file as a project has it."""
    kept = {answers.start, answers.engine, *STARTS[answers.start].parts}
    text = BLOCK.sub(lambda block: block[2] if block[1] in kept else "", text)
    text = NAME.sub(answers.package, text)
    imports = re.compile(rf"(?:^from (?:{answers.package}|rosenblatt)[\w.]* import .*\n)+", re.M)
    text = imports.sub(lambda some: "".join(sorted(some[0].splitlines(keepends=True))), text)  # by the new name
    if name == "pyproject.toml":
        title = answers.package.replace("_", "-")
        of_project = {"name": title, "version": "0.1.0", "description": "Begun from Rosenblatt."}
        for key, value in of_project.items():
            text = re.sub(rf'^{key} = ".*"$', f'{key} = "{value}"', text, count=1, flags=re.M)
        for old, new in STRICT:
            text = replaced(text, name, old, new)
        if answers.engine == "depend":
            major, minor = answers.version.split(".")[:2]
            needed = f'"rosenblatt>={answers.version},<{major}.{int(minor) + 1}"'
            text = text.replace("dependencies = [\n", f"dependencies = [\n    {needed},\n", 1)
    if name == "LICENSE":
        text = re.sub(r"(?<=Copyright \(c\) \d{4} ).*", lambda found: answers.holder, text)
    return text.replace("my_project", answers.package) if name == "README.md" else text


def replaced(text: str, name: str, old: str, new: str) -> str:
    """Return a text with other words in one place; a `UserError` tells that this checkout has changed them."""
    if old not in text:
        raise UserError(f"{ROOT / name}: expected {old.strip()!r} in it, for which a project has other words.")
    return text.replace(old, new)


def copy_template(folder: Path) -> None:
    """Copy all that projects are made of, but the engine."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)


def write(path: Path, text: str) -> None:
    """Write a file, with the ends of lines that it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def answers_of(folder: Path) -> Answers | None:
    """Return what a project was made with; ``None``: it was not made here."""
    try:
        found: dict[str, Any] = json.loads((folder / ANSWERS).read_text(encoding="utf-8"))
        answers = Answers(**{name: str(value) for name, value in found.items()})
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return answers if answers.start in STARTS and answers.engine in ENGINES else None
