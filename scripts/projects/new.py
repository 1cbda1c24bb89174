"""Make a project of one's own from the template: a folder, and a git repository whose first commit is the template."""

from __future__ import annotations

import importlib.util
import keyword
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from projects.template import ENGINES, ROOT, STARTS, Answers, render
from rosenblatt import __version__
from rosenblatt.errors import UserError, check_choice, first_line

TRAILER = "Rosenblatt-Template"  # by which an update finds what a project began with
KNOWN = (
    "configs", "data", "hydra", "hydra_plugins", "logs", "perceptron", "rosenblatt", "scripts", "src", "tests", "train",
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
    folder = folder.expanduser().absolute()
    check_choice("--start", start, STARTS)
    check_choice("--engine", engine, ENGINES)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: expected a new folder, or an empty one; this one is not. Name another.")
    package = folder.name if name is None else name
    check_name(package, "--name" if name is not None else str(folder))
    identity = who_commits(folder)
    holder = holder or identity["GIT_AUTHOR_NAME"]
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))  # whole, or not at all
    try:
        made.chmod(0o777 & ~_umask())
        render(Answers(package, start, engine, holder), made)
        git(made, "init", "--quiet", "--initial-branch=main")
        git(made, "add", "--all", "--force")
        message = f"Begin from Rosenblatt {__version__} ({start})\n\n{TRAILER}: {__version__}"
        git(made, "commit", "--quiet", "--no-verify", "--no-gpg-sign", "-m", message, **identity)
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def check_name(package: str, where: str) -> None:
    """Raise a `UserError` unless a package can have this name, and none has it that a project might import."""
    if not package.isidentifier() or keyword.iskeyword(package) or package != package.lower():
        other = re.sub(r"\W+", "_", package).strip("_").lower() or "project"
        other = f"my_{other}" if keyword.iskeyword(other) or not other.isidentifier() else other
        raise UserError(
            f"{where}: {package!r} can't be the name of a package: expected small letters, digits and _, such as "
            f"--name {other}"
        )
    pins = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M)
    taken = {*sys.stdlib_module_names, *KNOWN, *(one.lower().replace("-", "_") for one in pins)}
    found = None if package in taken else importlib.util.find_spec(package)
    if package in taken or (found is not None and found.origin is not None):
        raise UserError(
            f"{where}: the name {package!r} is taken, by a module of Python or a package that is needed or installed. "
            f"Take another: --name my_{package}"
        )


def git(folder: Path, *words: str, **environment: str) -> str:
    """Run git in a folder, and return what it prints.

    Raises:
        UserError: there is no git, or it fails.
    """
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, env=os.environ | environment, capture_output=True, text=True, encoding="utf-8"
        )
    except FileNotFoundError as error:
        raise UserError("git is not installed, and keeps what an update needs: https://git-scm.com") from error
    if done.returncode:
        raise UserError(f"git {words[0]} failed in {folder}: {first_line(ValueError(done.stderr or done.stdout))}")
    return done.stdout.strip()


def who_commits(folder: Path) -> dict[str, str]:
    """Return a name and an address for commits: git's own, where it knows one."""
    there = next(one for one in folder.parents if one.is_dir())
    found = {}
    for key, otherwise in (("name", "The authors"), ("email", "authors@localhost")):
        asked = git(there, "config", "--default", otherwise, "--get", f"user.{key}")
        for role in ("AUTHOR", "COMMITTER"):
            found[f"GIT_{role}_{key.upper()}"] = os.environ.get(f"GIT_{role}_{key.upper()}", asked)
    return found


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
