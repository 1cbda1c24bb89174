"""Stretches of a text file to rows, of which some may be broken; here the simplest: a row a line."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from rosenblatt.data.source import BLOCK, TextFile

LABEL = "__label__"
SPOILT = re.compile("[\udc80-\udcff]")  # what "surrogateescape" makes of a byte that is no UTF-8
NOT_OF_THE_ENCODING = "it holds a byte that the encoding does not have"


class Broken(NamedTuple):
    """The first row of a stretch that can't be read.

    Attributes:
        row: its number in the stretch, from 0.
        at: where it begins, in bytes.
        reason: what is wrong with it.
    """

    row: int
    at: int
    reason: str


class Rows(NamedTuple):
    """What became of a stretch of a file.

    Attributes:
        frame: its rows.
        num_bytes: how much of the file they took; a row that is not whole begins after it.
        readable: (num_rows,), Boolean.
        broken: the first row that is not readable, or ``None``.
        num_empty: rows of empty cells, which are left out.
    """

    frame: pl.DataFrame
    num_bytes: int
    readable: pl.Series
    broken: Broken | None = None
    num_empty: int = 0


class RowReader(ABC):
    """Takes rows from what is left of a file: as fast as Polars where all is in order, one by one where it is not."""

    piece = 1 << 16  # bytes that are read row by row where one of them is broken
    columns: Sequence[str] = ()
    _size = BLOCK  # bytes that are tried at once

    def take(self, text: TextFile) -> Rows | None:
        """Return whole rows that a file goes on with; ``None`` where more of it has to be read for that."""
        while text.at < len(text.data):
            stop = min(text.at + self._size, len(text.data))
            last = text.last and stop == len(text.data)
            end = stop if last else self.end_of_rows(text.data, text.at, stop)
            rows = None
            if end > text.at:
                rows = self.quickly(memoryview(text.data)[text.at : end])
                self._size = self.piece if rows is None else min(2 * self._size, BLOCK)
            rows = rows or self.one_by_one(text.data[text.at : stop], last, text.patience)
            if rows.num_bytes:
                return rows
            if stop == len(text.data):
                break
            self._size = 2 * (stop - text.at)
        return None

    def end_of_rows(self, data: bytes, start: int, stop: int) -> int:
        """Return where the last whole row of a stretch of data ends; at its start or before where none does."""
        return data.rfind(b"\n", start, stop) + 1

    @abstractmethod
    def quickly(self, content: memoryview) -> Rows | None:
        """Return whole rows where all of them are in order, ``None`` otherwise."""

    @abstractmethod
    def one_by_one(self, data: bytes, last: bool, patience: int) -> Rows:
        """Return the rows that data begin with, the broken ones in their place.

        Args:
            data: rows, the last of which may go on.
            last: whether it does not.
            patience: how many bytes a row may have to which no end is found.
        """


class Lines:
    """Reads texts, one a line, or fastText lines.

    Args:
        fasttext: whether lines hold ``__label__``. If they do not, blank lines are rows, too.
    """

    columns = ("text", "label")

    def __init__(self, fasttext: bool) -> None:
        self.fasttext = fasttext

    def take(self, text: TextFile) -> Rows | None:
        """Return a row for each whole line; see `RowReader`."""
        content = text.data[text.at :] if text.last else text.data[text.at : text.data.rfind(b"\n") + 1]
        if not content:
            return None
        whole = content.decode(errors="surrogateescape").removesuffix("\n")
        line = pl.Series("text", SPOILT.sub("\ufffd", whole).split("\n"))
        readable, broken = all_readable(len(line)), None
        if found := SPOILT.search(whole):
            readable = pl.Series([SPOILT.search(one) is None for one in whole.split("\n")])
            start = whole.rfind("\n", 0, found.start()) + 1
            before = whole[:start].encode(errors="surrogateescape")
            broken = Broken(self._rows(line[: before.count(b"\n")]).height, len(before), NOT_OF_THE_ENCODING)
        if self.fasttext:
            readable = readable.filter(line.str.strip_chars() != "")
        return Rows(self._rows(line), len(content), readable, broken)

    def _rows(self, line: pl.Series) -> pl.DataFrame:
        """Return ``text``, and of fastText lines ``label``, a list."""
        if not self.fasttext:
            return line.str.strip_suffix("\r").to_frame()
        return (
            line.filter(line.str.strip_chars() != "")
            .to_frame()
            .select(
                pl.col("text").str.replace_all(rf"(^|\s){LABEL}\S+", "").str.strip_chars(),
                pl.col("text")
                .str.extract_all(rf"(?:^|\s){LABEL}\S+")
                .list.eval(pl.element().str.strip_chars().str.strip_prefix(LABEL))
                .alias("label"),
            )
        )


def all_readable(num_rows: int) -> pl.Series:
    """Return ``True`` for each row."""
    return pl.repeat(True, num_rows, eager=True)
