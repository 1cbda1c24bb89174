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
    """A row that can't be read: its number in a stretch, from 0; the byte where it begins; what is wrong with it."""

    row: int
    at: int
    reason: str


class Rows(NamedTuple):
    """What became of a stretch of a file: its rows, how many bytes they took, and which of them can't be read."""

    frame: pl.DataFrame
    num_bytes: int
    broken: Sequence[Broken] = ()


class RowReader(ABC):
    """Takes rows from what is left of a file: as fast as Polars where all is in order, one by one where it is not.

    Attributes:
        columns: their names, as far as they are known before any row.
        num_empty: rows of empty cells so far, which are left out.
    """

    piece = 1 << 16  # bytes that are read row by row where one of them is broken
    size = BLOCK  # bytes that are tried at once
    columns: Sequence[str] = ()
    num_empty = 0

    def take(self, text: TextFile) -> Rows | None:
        """Return whole rows that a file goes on with; ``None`` where more of it has to be read for that."""
        while text.at < len(text.data):
            stop = min(text.at + self.size, len(text.data))
            last = text.last and stop == len(text.data)
            end = stop if last else self.end_of_rows(text.data, text.at, stop)
            if end > text.at:
                whole = end - text.at == len(text.data)  # then nothing has to be copied
                frame = self.quickly(text.data if whole else memoryview(text.data)[text.at : end])
                self.size = self.piece if frame is None else min(2 * self.size, BLOCK)
                if frame is not None:
                    return Rows(frame, end - text.at)
            # Where a row is broken, nobody knows which line break ends it: all lines are looked at.
            end = stop if last else text.data.rfind(b"\n", text.at, stop) + 1
            if end > text.at:
                rows = self.one_by_one(text.data[text.at : end], last, text.patience)
                if rows.num_bytes:
                    return rows
            if stop == len(text.data):
                break
            self.size = 2 * (stop - text.at)
        return None

    def end_of_rows(self, data: bytes, start: int, stop: int) -> int:
        """Return where the last whole row of a stretch of data ends; at its start or before where none does."""
        return data.rfind(b"\n", start, stop) + 1

    @abstractmethod
    def quickly(self, content: bytes | memoryview) -> pl.DataFrame | None:
        """Return whole rows where all of them are in order, ``None`` otherwise."""

    @abstractmethod
    def one_by_one(self, data: bytes, last: bool, patience: int) -> Rows:
        """Return the rows that data begin with, the broken ones in their place.

        Args:
            data: whole lines.
            last: whether the file ends there; otherwise a row that holds line breaks may go on.
            patience: how many bytes a row may have to which no end is found.
        """


class Lines(RowReader):
    """Reads texts, one a line, or fastText lines.

    Args:
        fasttext: whether lines hold ``__label__``. If they do not, blank lines are rows, too.
    """

    columns = ("text", "label")

    def __init__(self, fasttext: bool) -> None:
        self.fasttext = fasttext

    def quickly(self, content: bytes | memoryview) -> pl.DataFrame | None:
        """Return a row for each line."""
        try:
            return self._frame(str(content, "utf-8").removesuffix("\n").split("\n"))
        except UnicodeDecodeError:
            return None

    def one_by_one(self, data: bytes, last: bool, patience: int) -> Rows:
        """Return a row for each line, with a mark for each byte that the encoding does not have."""
        lines: list[str] = []
        broken, at = [], 0
        for line in data.removesuffix(b"\n").split(b"\n"):
            text = line.decode(errors="surrogateescape")
            if SPOILT.search(text):
                broken.append(Broken(len(lines), at, NOT_OF_THE_ENCODING))
            if text.strip() or not self.fasttext:
                lines.append(SPOILT.sub("\ufffd", text))
            at += len(line) + 1
        return Rows(self._frame(lines), len(data), broken)

    def _frame(self, lines: list[str]) -> pl.DataFrame:
        """Return ``text``, and of fastText lines that are not blank ``label``, a list."""
        frame = pl.DataFrame({"text": lines}, schema={"text": pl.String})
        text = pl.col("text")
        if not self.fasttext:
            return frame.select(text.str.strip_suffix("\r"))
        label = text.str.extract_all(rf"(?:^|\s){LABEL}\S+")
        return frame.filter(text.str.strip_chars() != "").select(
            text.str.replace_all(rf"(^|\s){LABEL}\S+", "").str.strip_chars(),
            label.list.eval(pl.element().str.strip_chars().str.strip_prefix(LABEL)).alias("label"),
        )
