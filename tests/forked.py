"""Programs of the project in processes forked off one that has imported Hydra, and torch where it is asked to.

A process of its own each, as from the shell, without the second that Python and Hydra take to begin.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, NamedTuple

from hydra._internal.hydra import Hydra

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {"COLUMNS": "100", "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "scripts")])}


composed_mode = Hydra.get_mode


def said_mode(hydra: Hydra, config_name: str | None, overrides: list[str]) -> Any:
    """Return hydra.mode, for which Hydra composes all settings once more, a quarter of a small run."""
    may_be_said = any("mode" in word for word in overrides) or any(word.startswith("--config") for word in sys.argv)
    return composed_mode(hydra, config_name, overrides) if may_be_said else None


class Ended(NamedTuple):
    """What a process has left behind; ``imported``: torch or Lightning, if it has."""

    status: int
    imported: list[str]
    out: str
    err: str


class Forks:
    """The process that others are forked off; a context.

    Args:
        warm: with torch and Lightning imported, for programs that need them.
    """

    def __init__(self, warm: bool = False) -> None:
        command = [sys.executable, __file__, *(["warm"] if warm else [])]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | ENVIRONMENT
        )

    def __enter__(self) -> Forks:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.communicate()

    def run(self, file: str, arguments: list[str], folder: Path) -> Ended:
        """Run a program in a folder."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([file, arguments, str(folder)]) + "\n")
        self.process.stdin.flush()
        status, imported = json.loads(self.process.stdout.readline())
        return Ended(status, imported, (folder / "out.txt").read_text(), (folder / "err.txt").read_text())


def real(file: str, arguments: list[str], folder: Path) -> Ended:
    """Run a program as the shell does."""
    command = [sys.executable, str(ROOT / file), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ | ENVIRONMENT)
    return Ended(done.returncode, [], done.stdout, done.stderr)


def _serve(warm: bool) -> None:
    import rosenblatt.cli.launch
    import rosenblatt.cli.schema
    import rosenblatt.commands.sweep
    import rosenblatt.saved.place
    import rosenblatt.show.pool

    if warm:
        import rosenblatt.commands.train
        import rosenblatt.text.data  # noqa: F401
    gc.freeze()
    for line in sys.stdin:
        file, arguments, folder = json.loads(line)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, json.dumps(_run(file, arguments, Path(folder))).encode())
            os._exit(0)
        os.close(writer)
        answer = os.read(reader, 1000).decode()
        os.close(reader)
        os.waitpid(child, 0)
        print(answer or "[-1, []]", flush=True)


def _run(file: str, arguments: list[str], folder: Path) -> tuple[int, list[str]]:
    os.chdir(folder)
    for number, name in ((1, "out.txt"), (2, "err.txt")):
        os.dup2(os.open(name, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv[:] = [str(ROOT / file), *arguments]
    status = 0
    Hydra.get_mode = said_mode
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as exit:
        status = exit.code if isinstance(exit.code, int) else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status, [name for name in ("torch", "lightning") if name in sys.modules]


if __name__ == "__main__":
    _serve("warm" in sys.argv)
