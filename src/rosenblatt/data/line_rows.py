"""Stretches of a text file to rows, of which some may be broken; here the simplest: a row a line.

A reader is given what is left of a file as far as it has been read, takes the whole rows that it begins with, and keeps
what it has learnt about the file, such as the names of its columns. It is as fast as Polars where all is in order, and
looks at rows one by one where it is not.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

import polars as pl

from rosenblatt.data.parsers import parse_fasttext

SPOILT = re.compile("[\udc80-\udcff]")  # what "surrogateescape" makes of a byte that is no UTF-8
NOT_OF_THE_ENCODING = "it holds a byte that the encoding does not have"


class Rows(NamedTuple):
    """What became of a stretch of a file.

    Attributes:
        frame: its rows.
        readable: (num_rows,), Boolean.
        num_bytes: how much of the stretch these rows took; a row that is not whole begins after it.
        reason: what is wrong with the first row that is not readable, or ``None``.
        num_empty: rows of empty cells, which are left out.
    """

    frame: pl.DataFrame
    readable: pl.Series
    num_bytes: int
    reason: str | None = None
    num_empty: int = 0


NO_ROWS = Rows(pl.DataFrame(), pl.Series(dtype=pl.Boolean), 0)


class RowReader(Protocol):
    """Takes rows from the beginning of what is left of a file."""

    def take(self, data: bytes, last: bool) -> Rows:
        """Return the whole rows that ``data`` begins with; none where the first needs more.

        Args:
            data: what is left, in UTF-8 but for bytes that the encoding of the file does not have.
            last: whether the file ends there.
        """


class Lines:
    """Texts, one a line, or fastText lines.

    Args:
        fasttext: whether lines hold ``__label__``. If they do not, blank lines are rows, too.
    """

    def __init__(self, fasttext: bool) -> None:
        self.fasttext = fasttext

    def take(self, data: bytes, last: bool) -> Rows:
        """Return the rows of whole lines."""
        content = data if last else data[: data.rfind(b"\n") + 1]
        if not content:
            return NO_ROWS
        text, reason = content.decode(errors="surrogateescape"), None
        lines = text.removesuffix("\n").split("\n")
        readable = all_readable(len(lines))
        if SPOILT.search(text):
            reason = NOT_OF_THE_ENCODING
            readable = pl.Series([SPOILT.search(line) is None for line in lines])
            lines = [SPOILT.sub("\ufffd", line) for line in lines]
        text_column = pl.Series("text", lines)
        if not self.fasttext:
            return Rows(text_column.str.strip_suffix("\r").to_frame(), readable, len(content), reason)
        is_row = text_column.str.strip_chars() != ""
        return Rows(parse_fasttext("\n".join(lines).encode()), readable.filter(is_row), len(content), reason)


def all_readable(num_rows: int) -> pl.Series:
    """Return ``True`` for each row."""
    return pl.repeat(True, num_rows, eager=True)
