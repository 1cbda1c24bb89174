"""Drawing by another process, so that training need not wait."""

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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # this is begun before anything that takes long to import
    from rosenblatt.figures.style import Drawing, Drawn

PATIENCE = 60.0  # seconds that a picture may take, after which something is wrong


class Draftsman:
    """Has drawings drawn by another process, in the order in which they come.

    Attributes:
        num_waiting: drawings that are not drawn yet.
    """

    def __init__(self) -> None:
        self.num_waiting = 0
        self._waiting: SimpleQueue[tuple[Drawing, bool, Callable[[Drawn | str], None]] | None] = SimpleQueue()
        self._changed = threading.Condition()
        # The packages of now, wherever they are; a session of its own, so that Ctrl-C is left to the other process.
        # By its path, not by `-m`, with which files of the current folder would come before all others.
        paths = [str(Path(__file__).parents[2]), *(path for path in sys.path if path)]
        group: Any = {"start_new_session": True}
        if os.name == "nt":
            group = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("process.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
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
