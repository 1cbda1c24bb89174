"""The figures of what a run has reached: begun as soon as they are known, and collected when all else is done."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from rosenblatt.run.whole import write_whole
from rosenblatt.show.figures.kinds import Drawing
from rosenblatt.show.pool import FigurePool, Ordered, told
from rosenblatt.show.report.page import PageFigure, inline
from rosenblatt.show.tensorboard import END, log_figure


class FinalFigures:
    """Figures that end up in ``figures/``, in TensorBoard and in ``report.html``.

    Args:
        pool: draws.
        folder: that gets them, as PNG and SVG.
        writers: of TensorBoard, or none.
        step: of the optimizer, that they are of.

    Attributes:
        seconds: that all this has taken here.
    """

    def __init__(self, pool: FigurePool, folder: Path, writers: Sequence[SummaryWriter], step: int) -> None:
        self.pool = pool
        self.folder = folder
        self.writers = writers
        self.step = step
        self.seconds = 0.0
        self._ordered: dict[str, tuple[Drawing | str, Ordered]] = {}

    def order(self, figures: Mapping[str, Drawing | str]) -> None:
        """Have figures drawn, by name; or say why there are none."""
        self._ordered |= {name: (one, self.pool.order(one, with_svg=True)) for name, one in figures.items()}

    def collect(self) -> list[PageFigure]:
        """Wait for the figures, put them where they belong, and return them for the page."""
        start = time.perf_counter()
        found = [self._collected(name, *one) for name, one in self._ordered.items()]
        self._ordered = {}
        self.seconds += time.perf_counter() - start
        return found

    def _collected(self, name: str, drawing: Drawing | str, ordered: Ordered) -> PageFigure:
        drawn = self.pool.result(ordered)
        if isinstance(drawn, str) or isinstance(drawing, str):
            return PageFigure(name, "", reason=str(drawn))
        try:
            self.folder.mkdir(exist_ok=True)
            write_whole(self.folder / f"{name}.png", drawn.png, forced=False)
            write_whole(self.folder / f"{name}.svg", drawn.svg.encode(), forced=False)
        except OSError as error:
            reason = self.pool.tell(f"{error.filename} can't be written: {error.strerror}")
            return PageFigure(name, "", reason=reason)
        with told(name):
            for writer in self.writers:
                log_figure(writer, f"{END}/{name}", drawn, self.step)
        return PageFigure(name, drawing.caption, inline(drawn.svg, name, drawing.caption))
