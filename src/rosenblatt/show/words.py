"""Words from the data, made fit to be shown: in one line, not too long, and without signs that steer a terminal."""

from __future__ import annotations

import re
from typing import Any

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
LONGEST = 26  # letters of a name in a figure
LONGEST_CELL = 160  # of a row, in a table


def words(value: Any) -> str:
    """Return a prediction, or a list of them, as text."""
    if isinstance(value, list):
        return ", ".join(words(one) for one in value) or "none"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def cut(text: str, longest: int) -> str:
    """Return text in one line, of at most so many characters; not by words, which not every script parts by spaces."""
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest - 4]} ..."


def printable(text: str) -> str:
    """Return text without the characters that would move the cursor, colour the terminal or begin another line."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def short_name(text: str, longest: int = LONGEST) -> str:
    """Return a name from the data in one line and not too long: both ends, since either may tell it from others."""
    text = printable(text) or "(empty)"
    end = longest // 3
    return text if len(text) <= longest else f"{text[: longest - end - 1]}…{text[-end:]}"
