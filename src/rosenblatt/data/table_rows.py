"""Rows of a CSV or TSV of which some may be broken: they stay in their place, and the others are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import polars as pl
from polars.exceptions import PolarsError

from rosenblatt.data.line_rows import NO_ROWS, NOT_OF_THE_ENCODING, SPOILT, Rows, all_readable
from rosenblatt.data.parsers import quick_cells, read_cells, separator_of
from rosenblatt.errors import UserError

PIECE = 1 << 16  # bytes that are read row by row where one of them is broken


class Table:
    """Reads rows of a CSV or TSV, all cells as strings; see `rosenblatt.data.line_rows.RowReader`.

    Args:
        path: for messages.
        kind: ``csv`` or ``tsv``. Whether a TSV has quotes around cells is decided on what is given first.
        header: whether the first row names the columns.
        patience: how many bytes a cell in quotes may have before its opening quote is taken for a wrong one, and how
            many are looked at to decide on quotes.
    """

    def __init__(self, path: str, kind: str, header: bool, patience: int) -> None:
        self.path = path
        self.kind = kind
        self.header = header
        self.patience = patience
        self.columns: list[str] = []

    def take(self, data: bytes, last: bool) -> Rows:
        """Return the whole rows."""
        start = 0
        if not self.columns:
            if self._learn_quotes(data, last):
                start = self._learn_columns(data, last)
            if not self.columns:
                return NO_ROWS
        rest = data[start:] if start else data
        rows = self._quickly(rest, last) or self._in_pieces(rest, last)
        return rows._replace(num_bytes=start + rows.num_bytes)

    def _learn_quotes(self, data: bytes, last: bool) -> bool:
        """Believe in the quotes of a TSV as `rosenblatt.data.parsers.parse_tsv` does, though rows may be broken.

        Returns:
            Whether it is known now.
        """
        self.separator = "\t" if self.kind == "tsv" else separator_of(data)
        self.quote: str | None = '"'
        if self.kind == "csv":
            return True
        if not last and (len(data) < self.patience or b"\n" not in data):
            return False
        if not re.search(rb'(^|[\t\n])"', data):
            self.quote = None
            return True
        text = (data if last else data[: data.rfind(b"\n") + 1]).decode(errors="surrogateescape")
        plain, quoted = (_survey(split_rows(text, "\t", quote)) for quote in (None, '"'))
        if plain.num_broken < quoted.num_broken or (plain.num_broken == quoted.num_broken and plain != quoted):
            self.quote = None
        return True

    def _learn_columns(self, data: bytes, last: bool) -> int:
        """Take the names of the columns from the first row, and return how many bytes are done with."""
        blank = re.match(rb"(?:\r?\n)*", data)
        assert blank is not None
        end = data.find(b"\n", blank.end())
        odd = self.quote and data.count(b'"', 0, end) % 2
        while end >= 0 and odd:
            start, end = end, data.find(b"\n", end + 1)
            odd ^= data.count(b'"', start, end) % 2
        if end < 0 and not last and (len(data) < self.patience or b"\n" not in data):
            return 0  # a name with a line break in it
        first = (data[blank.end() :] if end < 0 else data[blank.end() : end + 1]).decode(errors="replace")
        if not self.header:
            width = len(next(split_rows(first, self.separator, self.quote)).cells)
            self.columns = [str(number) for number in range(width)]
            return 0
        if end < 0 and not last:
            raise UserError(f"{self.path}: a quote in the first row is not closed. Mend the names of the columns.")
        self.columns = read_cells(first.encode(), self.path, True, self.separator, self.quote).columns
        return len(data) if end < 0 else end + 1

    def _quickly(self, data: bytes, last: bool) -> Rows | None:
        """Return the whole rows where all of them are in order."""
        end = len(data) if last else self._end_of_rows(data)
        if end == 0 and data:
            return None
        # With a header Polars takes a first row that is blank or short for one.
        content = self.separator.join(map(str, range(len(self.columns)))).encode() + b"\n" + data[:end]
        try:
            frame, num_empty, sure = quick_cells(content, True, self.separator, self.quote)
        except PolarsError:
            return None
        frame.columns = self.columns
        return Rows(frame, all_readable(frame.height), end, num_empty=num_empty) if sure else None

    def _end_of_rows(self, data: bytes) -> int:
        """Return where the last whole row ends: at a line break with an even number of quotes before it."""
        end = data.rfind(b"\n") + 1
        odd = self.quote and data.count(b'"', 0, end) % 2
        while end and odd:
            start = data.rfind(b"\n", 0, data.rfind(b'"', 0, end)) + 1
            odd ^= data.count(b'"', start, end) % 2
            end = start
        return end

    def _in_pieces(self, data: bytes, last: bool) -> Rows:
        """Return the whole rows, and broken ones among them."""
        parts = [NO_ROWS._replace(frame=pl.DataFrame(schema=dict.fromkeys(self.columns, pl.String)))]
        at, size = 0, PIECE
        while at < len(data):
            ends = at + size >= len(data)
            piece = data[at : at + size]
            rows = self._quickly(piece, last and ends) or self._one_by_one(piece, last and ends)
            parts.append(rows)
            at += rows.num_bytes
            if rows.num_bytes:
                size = PIECE
            elif ends:
                break
            else:
                size *= 2
        frame = pl.concat([rows.frame for rows in parts])
        readable = pl.concat([rows.readable for rows in parts])
        reason = next((rows.reason for rows in parts if rows.reason), None)
        return Rows(frame, readable, at, reason, sum(rows.num_empty for rows in parts))

    def _one_by_one(self, data: bytes, last: bool) -> Rows:
        # Where a quote is wrong, nobody knows which line break ends a row: all lines of the piece are looked at. It is
        # longer than usual where the quote of its first row is open; the others may be in order then.
        text = (data if last else data[: data.rfind(b"\n") + 1]).decode(errors="surrogateescape")
        width, spoilt = len(self.columns), SPOILT.search(text) is not None
        rows: list[list[str | None]] = []
        readable: list[bool] = []
        reason, start, num_empty = None, 0, 0
        for cells, end, problem, unclosed in split_rows(text, self.separator, self.quote):
            if start > PIECE or (unclosed and not last and len(text) - start < self.patience):
                break
            if problem is None and len(cells) != width:
                problem = f"it has {len(cells)} cells, and the first line has {width}"
            if spoilt and SPOILT.search(text, start, end):
                problem = NOT_OF_THE_ENCODING
                cells = [cell and SPOILT.sub("\ufffd", cell) for cell in cells]
            start = end
            if width > 1 and all(cell is None for cell in cells):
                num_empty += 1
                continue  # a blank line is no row
            rows.append((cells + [None] * (width - len(cells)))[:width] if problem else cells)
            readable.append(problem is None)
            reason = reason or problem
        return Rows(
            pl.DataFrame(rows, schema=dict.fromkeys(self.columns, pl.String), orient="row"),
            pl.Series(readable, dtype=pl.Boolean),
            len(text[:start].encode(errors="surrogateescape")),
            reason,
            num_empty,
        )


class Cells(NamedTuple):
    """One row: its cells, where the next begins, what is wrong with its quotes, and whether one is never closed."""

    cells: list[str | None]
    end: int
    problem: str | None = None
    unclosed: bool = False


def split_rows(text: str, separator: str, quote: str | None) -> Iterator[Cells]:
    """Split rows into cells, as RFC 4180 has it; a lone quote within a cell is a character like others.

    A row with a wrong quote ends with its line, so that it takes no other row with it. Blank lines are rows.
    """
    # A cell with or without quotes, and what ends it. Polars takes no carriage return at the end of a cell for a part.
    cell = re.compile(rf'(?:"([^"]*(?:""[^"]*)*)"|(?!")([^{separator}\n]*?))\r?({separator}|\n|\Z)')
    open_end = re.compile(r'"[^"]*(?:""[^"]*)*\Z')
    at = 0
    while at < len(text):
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        line = text[at:stop]
        problem, unclosed = None, False
        if quote is not None and quote in line:
            cells: list[str | None] = []
            ending = separator
            while ending == separator and (found := cell.match(text, at)):
                within, plain, ending = found.groups()
                cells.append((plain or None) if within is None else within.replace('""', '"'))
                at = found.end()
            if ending != separator:
                yield Cells(cells, at)
                continue
            unclosed = open_end.match(text, at) is not None
            problem = "a quote is not closed" if unclosed else "more follows on a closing quote"
        at = min(stop + 1, len(text))
        parts = line.split(separator)
        if "\r" in line:
            parts = [part.removesuffix("\r") for part in parts]
        yield Cells([part or None for part in parts], at, problem, unclosed)


class _Survey(NamedTuple):
    num_broken: int
    num_rows: int
    width: int


def _survey(rows: Iterator[Cells]) -> _Survey:
    """Count the rows, and those that have a wrong quote or another number of cells than the first."""
    num_broken, num_rows, width = 0, 0, 0
    for row in rows:
        if any(cell is not None for cell in row.cells) or len(row.cells) > width > 0:  # blank lines are no rows
            width = width or len(row.cells)
            num_rows += 1
            num_broken += row.problem is not None or len(row.cells) != width
    return _Survey(num_broken, num_rows, width)
