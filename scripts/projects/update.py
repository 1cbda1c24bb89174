"""Bring a project that was made from the template up to date with a later one.

Its history holds the template as it was. The later one becomes a commit on top of that, made beside the project, and
git merges it: what only one side has changed stands as that side has it, and both versions of what both have.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from projects.new import TRAILER, git, who_commits
from projects.template import ANSWERS, answers_of, render
from rosenblatt import __version__
from rosenblatt.errors import UserError, listed


def update(folder: Path) -> str:
    """Merge today's template into a project.

    Returns:
        What has come of it.

    Raises:
        UserError: the folder holds no such project, or one with changes that are not committed, or a newer one; or, in
            the end, there are conflicts.
    """
    folder = folder.expanduser().absolute()
    answers = answers_of(folder)
    if answers is None:
        raise UserError(f"{folder}: expected a project that new_project.py has made; it holds no {ANSWERS} of one.")
    face = folder / "src" / "rosenblatt" / "__init__.py"
    copied = re.search(r'__version__ = "(.*)"', face.read_text(encoding="utf-8")) if face.is_file() else None
    newest = max(answers.version, copied[1] if copied else "0", key=_numbers)
    if _numbers(newest) > _numbers(__version__):
        raise UserError(f"{folder}: it is of version {newest}, and this template is {__version__}: get a later one.")
    changed = git(folder, "status", "--porcelain")
    if changed:
        names = [line[2:].strip() for line in changed.splitlines()]
        raise UserError(f"{folder}: not committed: {listed(names, 5)}. Commit it first, so that nothing can be lost.")
    base = git(folder, "log", "-1", "--format=%H", f"--grep=^{TRAILER}: ")
    if not base:
        raise UserError(
            f"{folder}: its history has no commit of the template (with a line {TRAILER}: ...), which an update goes "
            "out from. Was it cut short, git fetch --unshallow brings it back."
        )
    identity = who_commits(folder)
    with tempfile.TemporaryDirectory() as made:
        render(answers._replace(version=__version__), Path(made))
        place = {"GIT_DIR": git(folder, "rev-parse", "--absolute-git-dir"), "GIT_WORK_TREE": made}
        place["GIT_INDEX_FILE"] = f"{made}.index"
        try:
            git(Path(made), "add", "--all", "--force", **place)
            tree = git(Path(made), "write-tree", **place)
        finally:
            Path(place["GIT_INDEX_FILE"]).unlink(missing_ok=True)
    if tree == git(folder, "rev-parse", f"{base}^{{tree}}"):
        return f"{folder} is up to date: {__version__}."
    message = f"Rosenblatt {__version__}\n\n{TRAILER}: {__version__}"
    later = git(folder, "commit-tree", tree, "-p", base, "-m", message, **identity)
    before = git(folder, "rev-parse", "HEAD")
    try:
        git(folder, "merge", "--no-ff", "-m", f"Update to Rosenblatt {__version__}", later, **identity)
    except UserError:
        both = git(folder, "diff", "--name-only", "--diff-filter=U").splitlines()
        if not both:
            raise
        raise UserError(
            f"{folder}: changed here and in {__version__}: {listed(both)}. Both versions stand there, between <<<<<<< "
            "and >>>>>>>: mend them, then git add and git commit. To be where you were: git merge --abort"
        ) from None
    changes = git(folder, "diff", "--shortstat", before, "HEAD")
    return f"{folder} is at {__version__} now: {changes}. What comes next: make test"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
