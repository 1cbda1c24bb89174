"""The look that all figures share, and how they become PNG and SVG.

The first six colours are those of Okabe and Ito, "Color Universal Design" (2008), which people tell apart however they
see colours.
"""

from __future__ import annotations

import io
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d00", "#444444")
MARKERS = ("o", "*", "s", "^", "D", "v", "P", "X")
INK, PAPER, GREY = "#262626", "#fefefe", "#8a8a8a"  # the first two a page may swap for its own
DPI = 100

# Drawn with where they are installed, for what DejaVu (which comes with matplotlib) lacks.
OTHER_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Microsoft YaHei", "PingFang SC", "Hiragino Sans", "Malgun Gothic", "Apple SD Gothic Neo", "Arial Unicode MS",
    "Noto Sans Devanagari", "Noto Sans Thai", "Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol",
)  # fmt: skip


class Drawn(NamedTuple):
    """A figure as files: PNG, with its size in pixels, and SVG, empty where only the PNG was asked for."""

    png: bytes
    height: int
    width: int
    svg: str


def draw(drawing: Any, with_svg: bool) -> Drawn:
    """Draw what has a method ``figure`` in the look of the house; what no font can draw becomes a box."""
    with look():
        figure: Figure = drawing.figure()
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        png, svg = io.BytesIO(), io.StringIO()
        Image.fromarray(pixels).save(png, "png", compress_level=3)
        if with_svg:
            # Not by `savefig`, which draws all of it once more to find out how large it is.
            canvas = FigureCanvasSVG(figure)
            canvas.print_svg(svg, metadata={"Date": None, "Creator": None})
        return Drawn(png.getvalue(), pixels.shape[0], pixels.shape[1], svg.getvalue())


@contextmanager
def look() -> Iterator[None]:
    """Draw in the look of the house, without a warning for each letter that no font has."""
    settings: Any = {
        "font.family": _fonts(), "font.size": 10.0, "text.color": INK, "text.parse_math": False,
        "figure.facecolor": PAPER, "axes.facecolor": PAPER, "axes.edgecolor": INK, "axes.labelcolor": INK,
        "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
        "xtick.color": INK, "ytick.color": INK, "grid.color": GREY, "grid.alpha": 0.25,
        "legend.framealpha": 0.85, "legend.facecolor": PAPER, "legend.edgecolor": "none", "legend.fontsize": 9.0,
        "axes.formatter.useoffset": False, "svg.fonttype": "none", "svg.hashsalt": "rosenblatt",
    }  # fmt: skip
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


@cache
def _fonts() -> list[str]:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in OTHER_FONTS if name in installed)]


def sheet(
    width: float,
    height: float,
    title: str,
    left: float = 0.7,
    right: float = 0.2,
    below: float = 0.6,
    above: float = 0.15,
    num_panels: int = 1,
    num_columns: int = 1,
) -> tuple[Figure, list[Axes]]:
    """Return an empty figure and its panels, left to right, then down; all places are given in inches.

    matplotlib can find the places by itself, and takes three times as long as all the drawing.

    Args:
        width: of a panel; ``height`` the same.
        title: of the figure, in one line or several.
        left: beside each panel, for its ticks and label; ``right``, ``below`` and ``above`` the same.
        num_panels: in all.
        num_columns: panels side by side.
    """
    num_rows = -(-num_panels // num_columns)
    head = 0.2 + 0.2 * len(title.splitlines())
    full_width = max((left + width + right) * num_columns, 0.24 + inches_of(title.splitlines(), 11.5))
    full_height = (below + height + above) * num_rows + head
    figure = Figure(figsize=(full_width, full_height), dpi=DPI)
    figure.text(0.12 / full_width, 1 - 0.12 / full_height, title, ha="left", va="top", fontsize=11, fontweight="bold")
    panels = []
    for number in range(num_panels):
        row, column = divmod(number, num_columns)
        x = (left + width + right) * column + left
        y = full_height - head - (above + height + below) * row - above - height
        panel = figure.add_axes((x / full_width, y / full_height, width / full_width, height / full_height))
        panel.xaxis.set_label_coords(0.5, -(below - 0.16) / height)
        panel.yaxis.set_label_coords(-(left - 0.24) / width, 0.5)
        panels.append(panel)
    return figure, panels


def legend_above(panel: Axes, **settings: Any) -> None:
    """Put a legend in one line over a panel, at its right end."""
    panel.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, **settings)


def in_legend(name: str) -> str:
    """Return a name as a legend shows it: matplotlib leaves out what begins with an underscore."""
    return f"\u200b{name}" if name.startswith("_") else name


def inches_of(names: Iterable[str], size: float = 10.0) -> float:
    """Return about how wide the widest of some names is, in letters of a size in points: rather more than less."""
    widths = (sum(1.05 if unicodedata.east_asian_width(sign) in "WF" else 0.64 for sign in name) for name in names)
    return max(widths, default=0.0) * size / 72
