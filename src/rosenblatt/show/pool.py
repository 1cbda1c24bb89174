"""A process that draws figures, so that training need not wait for them."""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from rosenblatt.errors import first_line

if TYPE_CHECKING:  # this is begun before anything that takes long to import
    from rosenblatt.show.figures.kinds import Drawing
    from rosenblatt.show.figures.style import Drawn

log = logging.getLogger(__name__)

PATIENCE = 60.0  # seconds that a figure may take, after which something is wrong
GRACE = 5.0  # seconds for those that nobody waits for

Ordered: TypeAlias = "Future[Drawn] | str"  # a figure that is being drawn, or the reason why there is none


class FigurePool:
    """Has figures drawn by another process, in the order in which they come.

    Attributes:
        reason: why there are no more figures, or empty.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._told = False
        self._executor = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin)
        before = multiprocessing.active_children()
        try:
            with _left_to_this_process():
                self._executor.submit(_warm_up)
        except (OSError, AssertionError) as error:  # the latter of multiprocessing, in a process that may have none
            self._fail(f"the process that draws could not be started: {error}")
        self._workers = [one for one in multiprocessing.active_children() if one not in before]

    def order(self, drawing: Drawing | str, with_svg: bool = False) -> Ordered:
        """Have a figure drawn; what is no figure, but the reason why there is none, is returned as it is."""
        if isinstance(drawing, str):
            return drawing
        if self.reason:
            return self.reason
        try:
            return self._executor.submit(_draw, drawing, with_svg)
        except (OSError, RuntimeError) as error:  # the process has ended
            return self._fail(f"the process that draws has ended ({type(error).__name__})")

    def result(self, ordered: Ordered) -> Drawn | str:
        """Wait for a figure, and return its files or the reason why there are none."""
        if isinstance(ordered, str):
            return ordered
        try:
            return ordered.result(PATIENCE)
        except (BrokenProcessPool, CancelledError) as error:
            return self._fail(f"the process that draws has ended ({type(error).__name__})")
        except Exception as error:
            if ordered.done():
                return self.tell(f"{type(error).__name__}: {first_line(error) or 'no message'}")
            self._kill()
            return self._fail(f"the process that draws took more than {PATIENCE:g} s")

    def tell(self, reason: str) -> str:
        """Tell, once, that figures are missing which could have been drawn; return the reason."""
        if not self._told:
            log.warning("Figures are missing: %s. Training and its results are not touched by that.", reason)
        self._told = True
        return reason

    def _fail(self, reason: str) -> str:
        self.reason = self.reason or reason
        return self.tell(reason)

    def _kill(self) -> None:
        for worker in self._workers:
            worker.kill()

    def close(self) -> None:
        """End the process once it has drawn what it was sent: who wants more has waited for it."""
        self.reason = self.reason or "the run has ended"
        hurry = threading.Timer(GRACE, self._kill)
        hurry.start()
        self._executor.shutdown(wait=True, cancel_futures=True)
        hurry.cancel()


@contextmanager
def _left_to_this_process() -> Iterator[None]:
    """Block Ctrl-C while a process is begun, which inherits that."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows: see `_begin`
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """Make a new process deaf to Ctrl-C, silent, and end it with the one that has begun it, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit.register(os._exit, 0)  # at once: to take matplotlib apart takes 0.1 s and more
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as it lives
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
    os._exit(1)


def _warm_up() -> None:
    """Load fonts and more, before anybody waits."""
    from rosenblatt.show.figures.kinds import Drawing, LearningCurves
    from rosenblatt.tasks.arrays import Curve

    _draw(Drawing(LearningCurves([("loss", [Curve("a", [0], [0])])])), with_svg=True)


def _draw(drawing: Drawing, with_svg: bool) -> Drawn:
    from rosenblatt.show.figures.style import draw

    return draw(drawing, with_svg)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Go on without something that can't be shown: no run is lost for it."""
    try:
        yield
    except Exception as error:
        log.warning("%s: not shown (%s: %s)", what, type(error).__name__, first_line(error))
        log.debug("figures", exc_info=True)
