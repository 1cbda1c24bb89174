"""One page from a template; all that comes from data is escaped by it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from rosenblatt.show.figures.style import INK, PAPER
from rosenblatt.show.words import printable

if TYPE_CHECKING:
    from jinja2 import Template

WIDE = 480  # points, beyond which a figure would be made smaller to fit beside another one
PHONE = 0.62  # of its size in inches, below which a figure's letters can't be read: it scrolls in its place instead


class PageFigure(NamedTuple):
    """A figure of a page.

    Attributes:
        name: of its file.
        caption: what to look at in it.
        svg: the figure itself, or empty.
        reason: why there is none.
    """

    name: str
    caption: str
    svg: Markup = Markup()
    reason: str = ""

    @property
    def wide(self) -> bool:
        """Whether it is to have a row of its own."""
        found = re.search(r"width: (\d+)pt", self.svg[:600])
        return found is not None and int(found[1]) > WIDE


def page(template: str, **content: Any) -> str:
    """Return a page.

    Args:
        template: name of a file in ``templates/``.
        content: that it asks for.
    """
    return template_of(template).render(content) + "\n"


@cache
def template_of(name: str) -> Template:
    """Return a file of ``templates/``, compiled."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # here: it takes its time

    folder = Path(__file__).with_name("templates")
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["printable"] = lambda value: printable(str(value))
    return made.get_template(name)


def inline(svg: str, name: str, label: str) -> Markup:
    """Return an SVG file as a part of a page, in the page's own colours of ink and paper.

    Args:
        svg: a file of ours.
        name: of the figure: ids are to be different on a page.
        label: for those who can't see it.
    """
    found = svg[svg.index("<svg") :]
    head, body = found.split(">", 1)
    view, width = re.search(r'viewBox="([^"]+)"', head), re.search(r'width="([\d.]+)pt"', head)
    assert view is not None
    assert width is not None
    body = re.sub(r"<metadata>.*?</metadata>", "", body, count=1, flags=re.DOTALL)

    def of_page(tag: re.Match[str]) -> str:
        found = tag[0].replace(INK, "currentColor").replace(PAPER, "var(--paper)")
        return re.sub(r'( id="|url\(#|xlink:href="#)', rf"\g<1>{name}-", found)

    body = re.sub(r"<[^>]*>", of_page, body)  # tags alone: what stands between them comes from data
    least = round(float(width[1]) * 96 / 72 * PHONE)
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'aria-label="{Markup.escape(label)}" viewBox="{view[1]}" '
        f'style="width: {float(width[1]):.0f}pt; min-width: min({least}px, 40rem)">{body}'
    )
