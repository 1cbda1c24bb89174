"""What is typed to make a project of one's own, and to bring one up to date."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from projects.new import new
from projects.template import STARTS
from projects.update import update
from rosenblatt.errors import UserError, nearest


def new_project(words: Sequence[str], program: str) -> None:
    """Make a project, as the words say that follow the program."""
    starts = "\n".join(f"  --start {name:6} {one.about}" for name, one in STARTS.items())
    about = f"Make a project of your own, in a folder and git repository of its own.\n\n{starts}"
    parser = argparse.ArgumentParser(program, None, about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a new one")
    parser.add_argument("--name", help="of its package (that of the folder)")
    parser.add_argument("--start", default="toy", help=f"{', '.join(STARTS)} (toy)")
    parser.add_argument("--engine", default="copy", help="copy: the project holds it; depend: it requires it (copy)")
    parser.add_argument("--holder", metavar="NAME", help="of its licence (who commits)")
    found = parser.parse_args(words)
    folder = new(found.folder, found.name, found.start, found.engine, found.holder)
    print(f"{folder} is there: a git repository with one commit. What comes next:")
    print(f"  cd {shlex.quote(str(folder))}\n  make train\n  make test")


def update_project(words: Sequence[str], program: str) -> None:
    """Bring a project up to date."""
    parser = argparse.ArgumentParser(program, description="Bring a project up to date with this version.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(), help="of the project (the current one)")
    print(update(parser.parse_args(words).folder))


COMMANDS = {"new": new_project, "update": update_project}


def run(command: Callable[[Sequence[str], str], None], words: Sequence[str], program: str) -> None:
    """Run one of the two, and tell of a mistake in a line."""
    try:
        command(words, program)
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.stderr.write("\nCtrl-C: stopped.\n")
        sys.exit(130)
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}")


def main() -> None:
    """Run the one that the first word names: ``rosenblatt new``, ``rosenblatt update``."""
    first, *words = sys.argv[1:] or ["--help"]
    if first in ("-h", "--help"):
        print("rosenblatt new FOLDER       make a project of your own\nrosenblatt update FOLDER    bring it up to date")
        print("More of each: rosenblatt new --help")
    elif first in COMMANDS:
        run(COMMANDS[first], words, f"rosenblatt {first}")
    else:
        sys.exit(f"error: {first}: expected new or update.{nearest(first, COMMANDS)}")
