"""The chart of the suite `scale`: wall time and peak memory against documents, as SVG that can be compared as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# Okabe and Ito 2008, "Color universal design"; the markers tell the lines apart without any colour.
STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"))
SETTINGS: Any = {
    "svg.hashsalt": "rosenblatt",  # else names of elements are random
    "svg.fonttype": "none",  # text stays text
    "font.family": "sans-serif",
    "font.size": 11,
}

Lines = dict[str, list[tuple[int, float]]]


def draw(wall: Lines, memory: Lines, path: Path) -> None:
    """Draw both panels.

    Args:
        wall: for each program, documents and seconds.
        memory: for each program, documents and bytes.
        path: of the SVG file.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib  # only here: no suite needs it to measure
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(10, 4.2), layout="constrained", facecolor="white")
        left, right = figure.subplots(1, 2)
        panels = (
            (left, wall, "Wall time of the whole process", "seconds", 1.0),
            (right, memory, "Peak memory", "MB", 1e-6),
        )
        for axes, lines, title, unit, factor in panels:
            for (name, points), (color, marker) in zip(lines.items(), STYLES, strict=False):
                if not points:  # still counted, so that a program keeps its colour
                    continue
                sizes, values = [size for size, _ in points], [factor * value for _, value in points]
                axes.plot(sizes, values, color=color, marker=marker, linewidth=2, label=name)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_title(title)
            axes.set_xlabel("training documents, 130 words each")
            axes.set_ylabel(unit)
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter("{x:,.10g}")
                axis.set_minor_formatter("")
            axes.grid(visible=True, which="major", color="#dddddd")
            axes.spines[["top", "right"]].set_visible(False)
        left.legend(frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
