"""Bring a project that was made from the template up to date with a later one.

Its history holds the template as it was. The later one becomes a commit on top of that, made beside the project, and
git merges it: what only one side has changed stands as that side has it, and both versions of what both have.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from projects.repository import TRAILER, base_of, git, who_commits
from projects.template import ANSWERS, Answers, answers_of, render
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
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder. Expected that of a project.")
    answers = answers_of(folder)
    if answers is None:
        raise UserError(
            f"{folder}: expected a project that new_project.py has made; its {ANSWERS} is not there, or not as it was."
        )
    face = folder / "src" / "rosenblatt" / "__init__.py"
    copied = re.search(r'__version__ = "(.*)"', face.read_text(encoding="utf-8")) if face.is_file() else None
    newest = max(answers.version, copied[1] if copied else "0", key=_numbers)
    if _numbers(newest) > _numbers(__version__):
        raise UserError(f"{folder}: it is of version {newest}, and this template is {__version__}: get a later one.")
    if not (folder / ".git").exists():
        raise UserError(f"{folder}: it is no git repository, in whose history the template is as it was.")
    if git(folder, "ls-files", "--unmerged") or (folder / ".git" / "MERGE_HEAD").exists():
        raise UserError(f"{folder}: a merge is not ended: git add and git commit, or git merge --abort.")
    changed = git(folder, "status", "--porcelain", "--untracked-files=no")
    if changed:
        names = [line[2:].strip() for line in changed.splitlines()]
        raise UserError(f"{folder}: not committed: {listed(names, 5)}. Commit it first, so that nothing can be lost.")
    base = base_of(folder)
    if not base:
        raise UserError(
            f"{folder}: its history has no commit that is the template as it was, which an update goes out from (one "
            f"with a line {TRAILER}: ..., and the files of then). Was the history cut short, git fetch --unshallow "
            "brings it back; was that commit amended or squashed, take it from a copy where it was not."
        )
    identity = who_commits(folder)
    tree = tree_of(folder, answers._replace(version=__version__))
    if tree == git(folder, "rev-parse", f"{base}^{{tree}}"):
        return f"{folder} is up to date: {__version__}."
    brought = git(folder, "diff", "--name-only", "--diff-filter=d", base, tree).splitlines()
    tracked = set(git(folder, "ls-files").splitlines())
    if loose := [name for name in brought if name not in tracked and (folder / name).exists()]:
        raise UserError(
            f"{folder}: the template brings {listed(loose, 5)}, which is there and git does not keep: it would be "
            "overwritten. Give it another name first, or commit it."
        )
    message = f"Rosenblatt {__version__}\n\n{TRAILER}: {__version__} {tree}"
    later = git(folder, "commit-tree", tree, "-p", base, "-m", message, **identity)
    before = git(folder, "rev-parse", "HEAD")
    words = ("merge", "--no-ff", "--no-verify", "--no-gpg-sign", "-m", f"Update to Rosenblatt {__version__}", later)
    try:
        git(folder, *words, **identity)
    except UserError:
        both = git(folder, "diff", "--name-only", "--diff-filter=U").splitlines()
        if not both:
            if (folder / ".git" / "MERGE_HEAD").exists():
                git(folder, "merge", "--abort")
            raise
        raise UserError(
            f"{folder}: changed here and in {__version__}: {listed(both)}. Both versions stand there, between <<<<<<< "
            "and >>>>>>>, or, where one side has removed a file, the other's: mend them, then git add and git commit. "
            "To be where you were: git merge --abort"
        ) from None
    changes = git(folder, "diff", "--shortstat", before, "HEAD")
    return f"{folder} is at {__version__} now: {changes}. What comes next: make test"


def tree_of(folder: Path, answers: Answers) -> str:
    """Return the files of a project as they would be made today, as a tree in its repository."""
    with tempfile.TemporaryDirectory() as beside:
        made = Path(beside) / "project"
        render(answers, made)
        place = {"GIT_DIR": git(folder, "rev-parse", "--absolute-git-dir"), "GIT_WORK_TREE": str(made)}
        place["GIT_INDEX_FILE"] = str(Path(beside) / "index")
        git(made, "add", "--all", "--force", **place)
        return git(made, "write-tree", **place)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
