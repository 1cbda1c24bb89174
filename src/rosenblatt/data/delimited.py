"""Rows of delimited text, CSV and TSV: all cells as strings."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from rosenblatt.data.lines import NOT_OF_THE_ENCODING, SPOILT, Broken, RowReader, Rows
from rosenblatt.data.source import TextFile
from rosenblatt.errors import UserError

TWICE = "{} (column {})"  # the name of a column of which there are several
SURVEYED = 1 << 20  # bytes
UNCLOSED = "a quote is not closed"
QUOTING = '. A cell with quotes around it ends with them, and quotes within it are written twice: "so ""called"""'


class Table(RowReader):
    """Reads rows quoted as in RFC 4180; an empty cell is null, and rows of empty cells only are left out.

    A lone ``"`` within a cell is a character like others. In a TSV, one at the start of a cell is common where nobody
    thought of quoting; so quotes around cells are believed there only where no row is lost by it, or where rows are
    ragged without them (a tab or a line break within quotes).

    Args:
        text: the file, of which the first row is taken here where it is a header.
        kind: ``csv`` (with commas, or with semicolons where the comma is the decimal point) or ``tsv``.
        header: whether the first row names the columns; if not, they are ``0``, ``1``, ... Of columns with the same
            name each gets its number behind it, see `rosenblatt.data.columns.column`.

    Raises:
        UserError: a quote in the first row is not closed.
    """

    def __init__(self, text: TextFile, kind: str, header: bool) -> None:
        blank = re.match(rb"[\r\n]*", text.data)
        assert blank is not None
        text.at += blank.end()
        for size in (self.piece, text.patience):  # a name may hold line breaks
            end = text.data.find(b"\n", text.at + size)
            start = text.data[text.at : end + 1 or None].decode(errors="surrogateescape")
            line = start.split("\n", 1)[0]
            self.separator = "\t" if kind == "tsv" else ";" if ";" in line and "," not in line else ","
            self.quote = '"' if kind == "csv" or _is_quoted(text.data) else None
            row = next(split_rows(start, self.separator, self.quote))
            if row.problem != UNCLOSED:
                break
        self.columns = [str(number) for number in range(len(row.cells))]
        if header:
            if row.problem == UNCLOSED:
                raise UserError(f"{text.path}: a quote in the first row is not closed. Mend the names of the columns.")
            names = [SPOILT.sub("\ufffd", cell or "") for cell in row.cells]
            count = Counter(names)
            self.columns = [
                name if count[name] == 1 else TWICE.format(name, number).strip() for number, name in enumerate(names)
            ]
            text.at += len(start[: row.end].encode(errors="surrogateescape"))

    def end_of_rows(self, data: bytes, start: int, stop: int) -> int:
        """Return where the last whole row ends: at a line break with an even number of quotes before it."""
        end = data.rfind(b"\n", start, stop) + 1
        odd = self.quote and end and data.count(b'"', start, end) % 2
        while end > start and odd:
            line = data.rfind(b"\n", start, data.rfind(b'"', start, end)) + 1 or start
            odd ^= data.count(b'"', line, end) % 2
            end = line
        return end

    def quickly(self, content: bytes | memoryview) -> pl.DataFrame | None:
        """Return whole rows where all of them are in order."""
        width = len(self.columns)
        # With a header Polars takes a first row that is blank or short for one.
        named = b"".join((self.separator.join(map(str, range(width))).encode(), b"\n", content))
        if self.quote and b'"' in named and not _quotes_fit(named, self.separator):
            return None  # Polars drops some of them
        try:
            frame = pl.read_csv(
                io.BytesIO(named),
                separator=self.separator,
                quote_char=self.quote,
                infer_schema=False,  # all strings: what is a number is decided on the training rows
            )
        except PolarsError:
            return None
        frame.columns = self.columns
        num_rows = frame.height
        if width > 1 and frame.to_series(-1).null_count():
            # Polars fills a blank line and a short row with nulls; only then is it worth a second look.
            frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
            if frame.to_series(-1).null_count():
                # No row has more separators than its share, so that none has less where their sum is right.
                separators = pl.sum_horizontal(pl.all().str.count_matches(self.separator, literal=True))
                within = frame.select(separators.sum()).item()
                if named.count(self.separator.encode()) - within != (num_rows + 1) * (width - 1):
                    return None
        self.num_empty += num_rows - frame.height
        return frame

    def one_by_one(self, data: bytes, last: bool, patience: int) -> Rows:
        """Return rows, and the broken ones among them."""
        # There are more lines than usual where the quote of the first row is open; the others may be in order then.
        text = data.decode(errors="surrogateescape")
        width, spoilt = len(self.columns), SPOILT.search(text) is not None
        rows: list[list[str | None]] = []
        broken, start, at = [], 0, 0  # in characters, and in bytes
        for cells, end, problem in split_rows(text, self.separator, self.quote):
            if start > self.piece or (problem == UNCLOSED and not last and len(text) - start < patience):
                break
            if problem is not None:
                problem += QUOTING
            elif len(cells) != width:
                problem = f"it has {len(cells)} cells, and the first line has {width}"
                if len(cells) > width:
                    problem += f'. A cell that holds the separator needs quotes around it: "a{self.separator} b"'
            if spoilt and SPOILT.search(text, start, end):
                problem = NOT_OF_THE_ENCODING
                cells = [cell and SPOILT.sub("\ufffd", cell) for cell in cells]
            if width > 1 and all(cell is None for cell in cells):
                self.num_empty += 1
            else:
                if problem is not None:
                    broken.append(Broken(len(rows), at, problem))
                rows.append((cells + [None] * (width - len(cells)))[:width])
            at += len(text[start:end].encode(errors="surrogateescape"))
            start = end
        return Rows(pl.DataFrame(rows, schema=dict.fromkeys(self.columns, pl.String), orient="row"), at, broken)


class Cells(NamedTuple):
    """One row: its cells, where the next begins, and what is wrong with its quotes."""

    cells: list[str | None]
    end: int
    problem: str | None = None


def split_rows(text: str, separator: str, quote: str | None) -> Iterator[Cells]:
    """Split rows into cells, as Python's csv module does where it is strict.

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
        problem = None
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
            problem = UNCLOSED if open_end.match(text, at) else "more follows on a closing quote"
        at = min(stop + 1, len(text))
        parts = line.split(separator)
        if "\r" in line:
            parts = [part.removesuffix("\r") for part in parts]
        yield Cells([part or None for part in parts], at, problem)


def _quotes_fit(content: bytes, separator: str) -> bool:
    """Return whether each quote begins a cell, ends it, or is one of two within it."""
    characters = np.frombuffer(content, np.uint8)
    places = np.flatnonzero(characters == ord('"'))
    if len(places) % 2:
        return False
    before, after = characters[places[::2] - 1], characters[np.minimum(places[1::2] + 1, len(characters) - 1)]
    ends = np.frombuffer(f'{separator}\n"\r'.encode(), np.uint8)
    return bool(np.isin(before, ends[:3]).all() and np.isin(after, ends).all())


def _is_quoted(data: bytes) -> bool:
    """Return whether quotes around the cells of a TSV are to be believed: rows tell from the first that has one on."""
    found = re.search(rb'(?:^|[\t\n])"', data)
    if not found:
        return False
    start = data.rfind(b"\n", 0, found.end()) + 1
    window = data[start : start + SURVEYED]
    if start + SURVEYED < len(data):
        window = window[: window.rfind(b"\n") + 1]
    header = data[: min(data.find(b"\n") + 1, start)]
    surveys = []
    for quote in (None, '"'):
        rows = split_rows((header + window).decode(errors="surrogateescape"), "\t", quote)
        widths = [0 if row.problem else len(row.cells) for row in rows if any(row.cells) or len(row.cells) > 1]
        surveys.append((sum(width != widths[0] for width in widths), len(widths), widths[:1]))
    plain, quoted = surveys  # rows that are broken, rows, and cells of the first
    return quoted[0] < plain[0] or quoted == plain
