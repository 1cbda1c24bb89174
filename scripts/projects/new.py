"""Make a project of one's own from the template: a folder, and a git repository whose first commit is the template."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
import tempfile
from pathlib import Path

from projects.repository import TRAILER, git, who_commits
from projects.template import ENGINES, ROOT, STARTS, Answers, render
from rosenblatt import __version__
from rosenblatt.errors import UserError, check_choice

KNOWN = (  # names of folders of a project, of the engine, and of modules whose packages are called otherwise
    "configs", "data", "docs", "logs", "scripts", "src", "tests", "train", "hydra", "hydra_plugins", "perceptron",
    "rosenblatt", "absl", "antlr4", "dateutil", "google", "sklearn", "yaml",
)  # fmt: skip


def new(folder: Path, name: str | None, start: str, engine: str, holder: str | None) -> Path:
    """Make a project.

    Args:
        folder: that it is to be in; it may be there, and empty.
        name: of its package; by default that of the folder.
        start: what it begins with, one of `projects.template.STARTS`.
        engine: ``copy``: it has the engine in ``src/rosenblatt``; ``depend``: it requires it.
        holder: of the licence; by default who commits.

    Returns:
        The folder.

    Raises:
        UserError: the folder is taken, the name can't be one or is taken, or there is no git; nothing is written.
    """
    folder = folder.expanduser().resolve()
    check_choice("--start", start, STARTS)
    check_choice("--engine", engine, ENGINES)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: expected a new folder, or an empty one; this one is not. Name another.")
    package = folder.name if name is None else name
    check_name(package, "--name" if name is not None else str(folder))
    identity = who_commits(folder)
    holder = holder or identity["GIT_AUTHOR_NAME"]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as beside:  # whole, or not at all
        made = Path(beside) / "project"
        made.mkdir()
        render(Answers(package, start, engine, holder), made)
        git(made, "init", "--quiet", "--initial-branch=main")
        git(made, "add", "--all", "--force")
        trailer = f"{TRAILER}: {__version__} {git(made, 'write-tree')}"
        message = f"Begin from Rosenblatt {__version__} ({start})\n\n{trailer}"
        git(made, "commit", "--quiet", "--no-verify", "--no-gpg-sign", "-m", message, **identity)
        if folder.exists():  # somebody may stand in it
            for path in made.iterdir():
                path.rename(folder / path.name)
        else:
            made.rename(folder)
    return folder


def check_name(package: str, where: str) -> None:
    """Raise a `UserError` unless a package can have this name, and none has it that a project might import."""
    if not re.fullmatch(r"[a-z]([a-z0-9_]*[a-z0-9])?", package) or keyword.iskeyword(package):
        other = re.sub(r"[^a-z0-9]+", "_", package.lower()).strip("_") or "project"
        other = f"my_{other}" if keyword.iskeyword(other) or not other.isidentifier() else other
        raise UserError(
            f"{where}: {package!r} can't be the name of a package: expected small letters, digits and, between them, "
            f"_, such as --name {other}"
        )
    pins = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M)
    known = {*sys.stdlib_module_names, *KNOWN, *(one.lower().replace("-", "_") for one in pins)}
    found = None if package in known else importlib.util.find_spec(package)
    if package in known or (found is not None and found.origin is not None):
        raise UserError(
            f"{where}: the name {package!r} is taken, by a module of Python or a package that is needed or installed. "
            f"Take another: --name my_{package}"
        )
