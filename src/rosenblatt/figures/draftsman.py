"""Drawing by other processes, so that training need not wait."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Any

from rosenblatt.cores import num_cores

if TYPE_CHECKING:  # this is begun before anything that takes long to import
    from rosenblatt.figures.style import Drawing, Drawn

PATIENCE = 60.0  # seconds that a picture may take, after which something is wrong
MAX_PROCESSES = 4 if sys.platform == "linux" else 1  # copies of the first one, which only Linux makes at no cost


class Draftsman:
    """Has drawings drawn by another process, in the order in which they come; in a hurry, by several.

    Attributes:
        num_waiting: drawings that are not drawn yet.
    """

    def __init__(self) -> None:
        self.num_waiting = 0
        self._waiting: SimpleQueue[tuple[Drawing, bool, Callable[[Drawn | str], None]] | None] = SimpleQueue()
        self._changed = threading.Condition()
        self._hurry = threading.Event()
        # The packages of now, wherever they are; a session of its own, so that Ctrl-C is left to the other process.
        # By its path, not by `-m`, with which files of the current folder would come before all others.
        paths = [str(Path(__file__).parents[2]), *(path for path in sys.path if path)]
        group: Any = {"start_new_session": True}
        if os.name == "nt":
            group = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        with ExitStack() as ends:
            pairs = [socket.socketpair() for _ in range(min(MAX_PROCESSES, num_cores()) - 1)]
            for ours, theirs in pairs:
                ends.enter_context(ours)  # a file of it, below, keeps it open
                ends.enter_context(theirs)
            numbers = [theirs.fileno() for _, theirs in pairs]
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("process.py")), *map(str, numbers)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=numbers,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"},
                **group,
            )
            further = [ours.makefile("rwb") for ours, _ in pairs]
        self._num_threads = 1 + len(further)
        self._begin(self._first)
        for both in further:
            self._begin(self._in_a_hurry, both)

    def _begin(self, work: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=work, args=arguments, name="draftsman", daemon=True).start()

    def draw(self, drawing: Drawing, note: Callable[[Drawn | str], None], with_svg: bool = False) -> None:
        """Have something drawn.

        Args:
            drawing: what.
            note: called, in a thread of its own, with the files, or with the reason why there are none.
            with_svg: in both kinds of files.
        """
        with self._changed:
            self.num_waiting += 1
        self._waiting.put((drawing, with_svg, note))

    def hurry(self) -> None:
        """Have all that is left drawn on all cores: nothing else needs them any more."""
        self._hurry.set()

    def wait(self, at_most: int = 0) -> None:
        """Wait until no more than some drawings are left; what hangs is killed, and these have a reason."""
        with self._changed:
            while self.num_waiting > at_most:
                if not self._changed.wait(PATIENCE):  # which each picture that is done ends
                    self._kill()

    def _kill(self) -> None:
        with suppress(OSError):  # it has ended
            if os.name == "nt":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)  # with its copies

    def close(self) -> None:
        """Let the processes end, once they have drawn what they were given; nobody waits for that."""
        self.hurry()
        for _ in range(self._num_threads):
            self._waiting.put(None)

    def _first(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._work(self._process.stdin, self._process.stdout)
        self._process.wait()

    def _in_a_hurry(self, both: IO[bytes]) -> None:
        self._hurry.wait()
        self._work(both, both)

    def _work(self, requests: IO[bytes], answers: IO[bytes]) -> None:
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
