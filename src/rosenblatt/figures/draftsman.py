"""A process that draws, so that training need not wait: it reads drawings from its standard input, and writes files.

Drawings come as pickles from the process that has started this one, and from nobody else. It ends with its input:
however that process ends, this one does not outlive it by more than a picture.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeAlias

import numpy as np

from rosenblatt.figures.boundary import Boundary
from rosenblatt.figures.curves import LearningCurves, Line
from rosenblatt.figures.style import Drawing, Drawn, draw

_ONE, _FEW = np.zeros(1), np.linspace(0, 1, 9).reshape(3, 3)
SAMPLES: tuple[Drawing, ...] = (
    LearningCurves("a", [("loss", [Line("a", [0], [0])])], None),
    Boundary("a", ("a", "b"), ["a", "b"], np.zeros((1, 2)), _ONE, _ONE, (0, 1, 0, 1), _FEW, _FEW),
)

Note: TypeAlias = Callable[[Drawn | str], None]
PATIENCE = 60.0  # seconds that a picture may take, after which something is wrong


class Draftsman:
    """Has drawings drawn by another process, in the order in which they come.

    Attributes:
        num_waiting: drawings that are not drawn yet.
    """

    def __init__(self) -> None:
        self.num_waiting = 0
        self._waiting: SimpleQueue[tuple[Drawing, bool, Note] | None] = SimpleQueue()
        self._changed = threading.Condition()
        # The packages of now, wherever they are; a session of its own, so that Ctrl-C is left to the other process.
        # By its path, not by `-m`, with which files of the current folder would come before all others.
        paths = [str(Path(__file__).parents[2]), *(path for path in sys.path if path)]
        group: Any = {"start_new_session": True}
        if os.name == "nt":
            group = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)}, **group,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._work, name="draftsman", daemon=True)
        self._thread.start()

    def draw(self, drawing: Drawing, note: Note, with_svg: bool = False) -> None:
        """Have something drawn.

        Args:
            drawing: what.
            note: called, in a thread of its own, with the files, or with the reason why there are none.
            with_svg: in both kinds of files.
        """
        with self._changed:
            self.num_waiting += 1
        self._waiting.put((drawing, with_svg, note))

    def wait(self, at_most: int = 0) -> None:
        """Wait until no more than some drawings are left; a process that hangs is killed, and these have a reason."""
        with self._changed:
            while self.num_waiting > at_most:
                if not self._changed.wait(PATIENCE):  # which each picture that is done ends
                    self._process.kill()

    def close(self) -> None:
        """Let the process end, once it has drawn what it was given; nobody waits for that."""
        self._waiting.put(None)

    def _work(self) -> None:
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        with suppress(OSError), requests, answers:  # what is left for a process that was killed can't be sent
            while (one := self._waiting.get()) is not None:
                drawing, with_svg, note = one
                try:
                    pickle.dump((drawing, with_svg), requests, pickle.HIGHEST_PROTOCOL)
                    requests.flush()
                    found = pickle.load(answers)
                except Exception as error:  # it was killed, or can't start
                    found = f"the process that draws has ended ({type(error).__name__})"
                note(found)
                with self._changed:
                    self.num_waiting -= 1
                    self._changed.notify_all()
        self._process.wait()


def main() -> None:
    """Draw until there is no more input."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    for sample in SAMPLES:
        draw(sample, with_svg=True)  # loads fonts and more, before anybody waits
    while True:
        try:
            request: Any = pickle.load(requests)
        except EOFError:
            return
        try:
            found: Drawn | str = draw(*request)
        except Exception as error:
            found = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else 'no message'}"
        pickle.dump(found, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


if __name__ == "__main__":
    main()
