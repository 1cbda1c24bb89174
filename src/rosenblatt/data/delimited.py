"""Rows of delimited text, CSV and TSV: all cells as strings."""

from __future__ import annotations

import io
import re
from collections import Counter

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from rosenblatt.data.dialect import BYTES, UNCLOSED, Cells, is_number, split_rows, surveyed, unescaped
from rosenblatt.data.lines import NOT_OF_THE_ENCODING, SPOILT, Broken, RowReader, Rows
from rosenblatt.data.source import TextFile
from rosenblatt.errors import UserError, listed

TWICE = "{} (column {})"  # the name of a column of which there are several
QUOTING = '. A cell with quotes around it ends with them, and quotes within it are written twice: "so ""called"""'
TOLD = re.compile(rb'"?sep=(.)"?[ ,;\t]*\r?\n', re.IGNORECASE)  # where Excel writes which separator there is
NOTHING = " \t\x1a"  # of a line that holds no more there is nothing to read; DOS ended files with the last of these
BLANK = re.compile(rb"[\r\n]*")


class Table(RowReader):
    """Reads rows quoted as in RFC 4180; an empty cell is null, and rows of empty cells only are left out.

    A lone ``"`` within a cell is a character like others. In a TSV, one at the start of a cell is common where nobody
    thought of quoting; so quotes around cells are believed there only where no row is lost by it, or where rows are
    ragged without them (a tab or a line break within quotes).

    Args:
        text: the file, of which the first row is taken here where it is a header, with what stands above it.
        kind: ``csv``, ``tsv`` or ``txt``, which tells the separator that is tried first.
        header: whether the first row names the columns; if not, they are ``0``, ``1``, ... Of columns with the same
            name each gets its number behind it, see `rosenblatt.data.columns.column`.
        separator: of the cells; ``None``: what a first line ``sep=;`` says, or what fits.

    Raises:
        UserError: a quote in the first row is not closed, or most rows have more or fewer cells than names.
    """

    def __init__(self, text: TextFile, kind: str, header: bool, separator: str | None) -> None:
        text.skip(BLANK)
        if found := text.skip(TOLD):
            separator = separator or found[1].decode(errors="replace")
            text.skip(BLANK)
        survey, self.remarks = surveyed(text.data, text.last, header, separator, kind, text.path)
        self.dialect, (start, row) = survey.dialect, survey.rows[survey.num_above]
        if self.dialect.escape:
            text.translate(unescaped)
        if self._is_slow:
            self.size = 2 * self.piece  # more would be looked at again for each piece
        text.at += len(survey.text[: row.end if header else start].encode(**BYTES))
        self.header: list[str | None] | None = None
        width = survey.width if survey.usual else len(row.cells)
        self.columns = [str(number) for number in range(width)]
        if header:
            below = [cells for cells in survey.usual if cells is not row.cells]
            self.header = _names_of(row, below, text.path)
            if len(self.header) > len(row.cells):
                more = "an empty cell more at their end" if self.header[-1] is None else "names of rows before them"
                self.remarks.append(f"{text.path}: the first row has {len(row.cells)} names, and others {more}.")
            self.columns = _unique([SPOILT.sub("\ufffd", name or "").strip(" \t") for name in self.header])
            width = len(self.columns)
            numbers = [name for name in self.header if is_number(name)]
            again = [one for one in numbers if any(one in cells for cells in below)]
            if again or (numbers and all(is_number(name) or name in (None, "NaN") for name in self.header)):
                self.remarks.append(
                    f"{text.path}: the first row is taken for the names of the columns; it holds {numbers[0]!r}, as "
                    "rows do. If it is a row, say so: data.header=false, and give columns by number."
                )
                self.header = None  # rows like it are rows
            second, *rest = below or [[]]
            units = [cell for *some, cell in zip(*rest, second, strict=False) if cell and all(map(is_number, some))]
            if len(rest) > 2 and units and not any(map(is_number, second)):
                self.remarks.append(
                    f"{text.path}: the first row holds words where all others hold numbers, such as {units[0]!r}. If "
                    "it belongs to the names of the columns, take it out."
                )
        # Where the last column is never empty, an empty cell behind it is none.
        self.ends_filled = all(len(cells) == width and cells[-1] is not None for cells in survey.usual)
        self.num_headers = 0

    def end_of_rows(self, data: bytes, start: int, stop: int) -> int:
        """Return where the last whole row ends: at a line break with an even number of quotes before it."""
        end = data.rfind(b"\n", start, stop) + 1
        if self._is_slow:
            return start
        odd = self.dialect.quote and end and data.count(b'"', start, end) % 2
        while end > start and odd:
            line = data.rfind(b"\n", start, data.rfind(b'"', start, end)) + 1 or start
            odd ^= data.count(b'"', line, end) % 2
            end = line
        return end

    def quickly(self, content: bytes | memoryview) -> pl.DataFrame | None:
        """Return whole rows where all of them are in order."""
        width = len(self.columns)
        separator, quote = self.dialect.separator, self.dialect.quote
        if self._is_slow or (self.dialect.spaced and b'"' in bytes(content)):
            return None
        # With a header Polars takes a first row that is blank or short for one.
        named = b"".join((separator.join(map(str, range(width))).encode(), b"\n", content))
        if quote and b'"' in named and not _quotes_fit(named, separator):
            return None  # Polars drops some of them
        try:
            frame = pl.read_csv(
                io.BytesIO(named),
                separator=separator,
                quote_char=quote,
                infer_schema=False,  # all strings: what is a number is decided on the training rows
            )
        except PolarsError:
            return None
        frame.columns = self.columns
        num_rows = frame.height
        if self.dialect.spaced:
            bare = pl.all().str.strip_chars_start(" ")
            frame = frame.select(pl.when(bare != "").then(bare))
        if width > 1 and frame.to_series(-1).null_count():
            # Polars fills a blank line and a short row with nulls; only then is it worth a second look.
            frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
            if frame.to_series(-1).null_count():
                # No row has more separators than its share, so that none has less where their sum is right.
                separators = pl.sum_horizontal(pl.all().str.count_matches(separator, literal=True))
                within = frame.select(separators.sum()).item()
                if named.count(separator.encode()) - within != (num_rows + 1) * (width - 1):
                    return None
        self.num_empty += num_rows - frame.height
        if self.header:
            cells, name = frame.to_series(0), self.header[0]
            repeated = cells.is_null() if name is None else cells == name
        if self.header and repeated.any():
            pairs = zip(self.columns, self.header, strict=True)
            kept = frame.filter(~(repeated & pl.all_horizontal(pl.col(key).eq_missing(name) for key, name in pairs)))
            self.num_headers += frame.height - kept.height
            return kept
        return frame

    def one_by_one(self, data: bytes, last: bool, patience: int) -> Rows:
        """Return rows, and the broken ones among them."""
        # There are more lines than usual where the quote of the first row is open; the others may be in order then.
        text = data.decode(**BYTES)
        width, spoilt = len(self.columns), SPOILT.search(text) is not None
        rows: list[list[str | None]] = []
        broken, odd, start, at = [], [], 0, 0  # start in characters, at in bytes
        for cells, end, problem, oddity in split_rows(text, self.dialect):
            if start > self.piece or (problem == UNCLOSED and not last and len(text) - start < patience):
                break
            if self.ends_filled and len(cells) > width and cells[width - 1] and not any(cells[width:]):
                cells, oddity = cells[:width], "an empty cell too many at its end is left out"
            if problem is not None:
                problem += QUOTING
            elif len(cells) != width:
                problem = f"it has {len(cells)} cells, and the first line has {width}"
                if len(cells) > width:
                    sign = self.dialect.separator
                    problem += f'. A cell that holds the separator needs quotes around it: "a{sign} b"'
            if spoilt and SPOILT.search(text, start, end):
                problem = NOT_OF_THE_ENCODING
                cells = [cell and SPOILT.sub("\ufffd", cell) for cell in cells]
            is_blank = len(cells) == 1 and not str(cells[0]).strip(NOTHING)
            if width > 1 and (is_blank or all(cell is None for cell in cells)):  # a text in quotes may be empty
                self.num_empty += 1
            elif cells == self.header:
                self.num_headers += 1
            else:
                if problem is not None:
                    broken.append(Broken(len(rows), at, problem))
                elif oddity:
                    odd.append(Broken(len(rows), at, oddity))
                rows.append((cells + [None] * (width - len(cells)))[:width])
            at += len(text[start:end].encode(**BYTES))
            start = end
        frame = pl.DataFrame(rows, schema=dict.fromkeys(self.columns, pl.String), orient="row")
        return Rows(frame, at, broken, odd)

    @property
    def _is_slow(self) -> bool:
        """Whether Polars does not read such a file."""
        return self.dialect.quote == "'" or not self.dialect.doubled


def _names_of(row: Cells, below: list[list[str | None]], path: str) -> list[str | None]:
    """Return the names in the first row, as many as most rows below have cells, where it is plain which are meant."""
    names, width = row.cells, len(below[0]) if below else len(row.cells)
    if row.problem:
        what = "is not closed" if row.problem == UNCLOSED else "ends within a name"
        raise UserError(f"{path}: a quote in the first row {what}. Mend the names of the columns.")
    if len(names) < width and not any(any(cells[len(names) :]) for cells in below):
        return names + [None] * (width - len(names))  # each row ends with a separator
    if len(names) == width - 1 and len(below) > 2 and len({cells[0] for cells in below}) == len(below):
        return [None, *names]  # as R writes names of rows
    if len(names) > width and not any(names[width:]):
        return names[:width]
    if len(names) != width and len(below) > 2:
        raise UserError(
            f"{path}: expected as many names of columns as cells; the first line has {len(names)} "
            f"({listed((name or '' for name in names), 4)}), and most rows have {width}. Mend the first line, put "
            "quotes around cells that hold the separator, or say which that is, such as data.separator=semicolon"
        )
    return names


def _unique(names: list[str]) -> list[str]:
    """Return names of which each is another, those that come twice with their number."""
    count, found = Counter(names), dict[str, None]()
    for number, name in enumerate(names):
        while name in found or count[name] > 1:
            name = TWICE.format(name, number).strip()
        found[name] = None
    return list(found)


def _quotes_fit(content: bytes, separator: str) -> bool:
    """Return whether each quote begins a cell, ends it, or is one of two within it."""
    characters = np.frombuffer(content, np.uint8)
    places = np.flatnonzero(characters == ord('"'))
    if len(places) % 2:
        return False
    before, after = characters[places[::2] - 1], characters[np.minimum(places[1::2] + 1, len(characters) - 1)]
    ends = np.frombuffer(f'{separator}\n"\r'.encode(), np.uint8)
    return bool(np.isin(before, ends[:3]).all() and np.isin(after, ends).all())
