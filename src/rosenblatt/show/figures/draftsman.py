"""Drawing by another process, so that training need not wait."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # this is begun before anything that takes long to import
    from rosenblatt.show.figures.style import Drawing, Drawn

PATIENCE = 60.0  # seconds that a picture may take, after which something is wrong


class Order(NamedTuple):
    """A drawing that is wanted, in which files, and who is told of it."""

    drawing: Drawing
    with_svg: bool
    note: Callable[[Drawn | str], None]


class Draftsman:
    """Has drawings drawn by another process, in the order in which they come.

    Attributes:
        num_waiting: drawings that are not drawn yet.
    """

    def __init__(self) -> None:
        self.num_waiting = 0
        self._waiting: deque[Order] = deque()
        self._changed = threading.Condition()
        self._in_a_hurry = self._closed = False
        # The packages of now, wherever they are; a session of its own, so that Ctrl-C is left to the other process.
        # By its path, not by `-m`, with which files of the current folder would come before all others.
        paths = [str(Path(__file__).parents[3]), *(path for path in sys.path if path)]
        group: Any = {"start_new_session": True}
        if os.name == "nt":
            group = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("process.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # One thread: it makes copies of itself, and a copy has none of the others.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"},
            **group,
        )
        self._thread = threading.Thread(target=self._work, name="draftsman", daemon=True)
        self._thread.start()

    def draw(self, drawing: Drawing, note: Callable[[Drawn | str], None], with_svg: bool = False) -> None:
        """Have something drawn.

        Args:
            drawing: what.
            note: called, in a thread of its own, with the files, or with the reason why there are none.
            with_svg: in both kinds of files.
        """
        with self._changed:
            self.num_waiting += 1
            self._waiting.append(Order(drawing, with_svg, note))
            self._changed.notify_all()

    def hurry(self) -> None:
        """Have all that is left drawn on all cores, which nothing else needs any more."""
        with self._changed:
            self._in_a_hurry = True

    def wait(self, at_most: int = 0) -> None:
        """Wait until no more than some drawings are left; a process that hangs is killed, and these have a reason."""
        with self._changed:
            while self.num_waiting > at_most:
                if not self._changed.wait(PATIENCE):  # which each picture that is done ends
                    self._kill()

    def _kill(self) -> None:
        if self._process.poll() is not None:
            return
        if os.name == "nt":
            self._process.kill()
        else:
            os.killpg(self._process.pid, signal.SIGKILL)  # with its copies

    def close(self) -> None:
        """Let the process end, once it has drawn what it was given; nobody waits for that."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        with suppress(OSError), requests, answers:  # what is left for a process that was killed can't be sent
            while orders := self._next():
                with suppress(Exception):  # it was killed, or can't start, so that there is no answer either
                    requests.write(pickle.dumps([order[:2] for order in orders], pickle.HIGHEST_PROTOCOL))
                    requests.flush()
                for order in orders:
                    order.note(_answer(answers))
                    with self._changed:
                        self.num_waiting -= 1
                        self._changed.notify_all()
        self._process.wait()

    def _next(self) -> list[Order]:
        """Return what is to be drawn next: one drawing, in a hurry all there are; none where it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            num = len(self._waiting) if self._in_a_hurry else min(1, len(self._waiting))
            return [self._waiting.popleft() for _ in range(num)]


def _answer(answers: IO[bytes]) -> Drawn | str:
    try:
        found: Drawn | str = pickle.load(answers)
    except Exception as error:
        return f"the process that draws has ended ({type(error).__name__})"
    return found
