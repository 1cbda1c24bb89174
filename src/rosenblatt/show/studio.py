"""Where pictures are drawn while other work goes on, and handed over when that has come to a good place for it."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from rosenblatt.errors import first_line
from rosenblatt.show.figures.draftsman import Draftsman

if TYPE_CHECKING:  # this is begun before anything that takes long to import
    from rosenblatt.show.figures.style import Drawn
    from rosenblatt.show.scenes.view import Scene

log = logging.getLogger(__name__)


class Studio:
    """Has scenes drawn by a process of its own.

    Attributes:
        ended: when the last picture was drawn, on `time.perf_counter`.
    """

    def __init__(self) -> None:
        self.ended = 0.0
        self._drawn: deque[Callable[[], None]] = deque()
        self._draftsman: Draftsman | None = None
        self._reason = "the process that draws was not started"
        self._warned = False

    def open(self) -> None:
        """Start the process."""
        try:
            self._draftsman = Draftsman()
        except OSError as error:
            self._reason = f"the process that draws could not be started: {error}"
            self.warn(self._reason)

    @property
    def num_waiting(self) -> int:
        """Pictures that are not drawn yet."""
        return 0 if self._draftsman is None else self._draftsman.num_waiting

    def draw(self, scene: Scene, done: Callable[[Drawn | str], None], with_svg: bool = False) -> None:
        """Have a picture drawn, or say at once why there is none.

        Args:
            scene: what it shows.
            done: called by `deliver`, with the files or the reason.
            with_svg: in both kinds of files.
        """
        if isinstance(scene, str) or self._draftsman is None:
            done(scene if isinstance(scene, str) else self._reason)
            return

        def drawn(found: Drawn | str) -> None:  # in another thread
            self.ended = time.perf_counter()
            self._drawn.append(partial(self._hand_over, done, found))

        self._draftsman.draw(scene, drawn, with_svg)

    def _hand_over(self, done: Callable[[Drawn | str], None], found: Drawn | str) -> None:
        if isinstance(found, str):
            self.warn(found)
        done(found)

    def warn(self, reason: str) -> None:
        """Tell, once, that pictures are missing which could have been drawn."""
        if not self._warned:
            log.warning("Pictures are missing: %s. Training and its results are not touched by that.", reason)
        self._warned = True

    def hurry(self) -> None:
        """Have what is left drawn on all cores."""
        if self._draftsman is not None:
            self._draftsman.hurry()

    def deliver(self) -> None:
        """Hand over what is drawn: here, since another thread must not write while a checkpoint is saved."""
        while self._drawn:
            with told("picture"):
                self._drawn.popleft()()

    def wait(self, at_most: int = 0) -> None:
        """Wait until no more than some pictures are left, and hand over the others as they come."""
        while self._draftsman is not None and self.num_waiting > at_most:
            self._draftsman.wait(max(at_most, self.num_waiting - 1))
            self.deliver()
        self.deliver()

    def close(self) -> None:
        """End the process, and hand over what it has drawn."""
        if self._draftsman is not None:
            self._draftsman.close()
            self._draftsman = None
        self.deliver()


@contextmanager
def told(what: str) -> Iterator[None]:
    """Go on without something that can't be shown: no run is lost for it."""
    try:
        yield
    except Exception as error:
        log.warning("%s: not shown (%s: %s)", what, type(error).__name__, first_line(error))
        log.debug("pictures", exc_info=True)
