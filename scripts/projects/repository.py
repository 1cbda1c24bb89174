"""git, as far as projects need it: it keeps the template that they began with, and merges later ones."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from rosenblatt.errors import UserError

TRAILER = "Rosenblatt-Template"  # VERSION TREE: of a commit that is the template as it was, and nothing else
PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")  # of another repository, where a hook runs this


def git(folder: Path, *words: str, **environment: str) -> str:
    """Run git in a folder, and return what it prints.

    Raises:
        UserError: there is no git, or it fails.
    """
    around = {name: value for name, value in os.environ.items() if name not in PLACES}
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, env=around | environment, capture_output=True, text=True, encoding="utf-8"
        )
    except FileNotFoundError as error:
        raise UserError("git is not installed, and keeps what an update needs: https://git-scm.com") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()[0]
        raise UserError(f"git {words[0]} failed in {folder}: {said}")
    return done.stdout.strip()


def who_commits(folder: Path) -> dict[str, str]:
    """Return a name and an address for commits: git's own, where it knows one."""
    there = next(one for one in (folder, *folder.parents) if one.is_dir())
    found = {}
    for key, otherwise in (("name", "The authors"), ("email", "authors@localhost")):
        asked = git(there, "config", "--default", otherwise, "--get", f"user.{key}")
        for role in ("AUTHOR", "COMMITTER"):
            found[f"GIT_{role}_{key.upper()}"] = os.environ.get(f"GIT_{role}_{key.upper()}", asked)
    return found


def base_of(folder: Path) -> str:
    """Return the latest commit in the history of a project that is a template as it was; an empty string: none is.

    A commit that was amended, squashed or moved elsewhere may still say that it is one: its files tell.
    """
    commits = git(folder, "log", "--format=%H %T %(trailers:key=" + TRAILER + ",valueonly,separator=%x20)")
    for line in commits.splitlines():
        commit, tree, *said = line.split()
        if said[1:] and said[-1] == tree:
            return commit
    return ""
