"""How a delimited file is written: its separator and quotes, and what stands above its first row; found out or told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from rosenblatt.errors import UserError, listed

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
SAMPLE = 1 << 16  # bytes that tell how cells are written
RARELY = 0.98  # share of rows that fit with usual quotes, above which quotes are usual
SURVEYED = 1 << 20  # bytes after the first quote of a TSV that tell whether it is one
MOST_ABOVE = 50  # lines above a header
UNCLOSED = "a quote is not closed"
BYTES: Any = {"errors": "surrogateescape"}  # that are no UTF-8 stay what they are
AFTER_A_QUOTE = "more follows on a closing quote"
ODD_END = f"{AFTER_A_QUOTE}, and is taken for a part of the cell"
WITHIN = "a quote within a cell is taken for a character, since there are none around the cell"


class Dialect(NamedTuple):
    """How cells are written.

    Attributes:
        separator: what stands between them.
        quote: what may stand around them, or ``None``; within, it is written twice.
        escape: whether a backslash stands before a quote within.
        doubled: whether a quote within is written twice; if not, quotes within stand as they are, and one ends the cell
            where a separator or the end of the line follows.
        spaced: whether spaces after a separator are none of the cell.
    """

    separator: str
    quote: str | None = '"'
    escape: bool = False
    doubled: bool = True
    spaced: bool = False

    @property
    def word(self) -> str:
        """The separator in a word, as `separator_of` takes it."""
        return next((word for word, sign in SEPARATORS.items() if sign == self.separator), repr(self.separator))


class Cells(NamedTuple):
    """One row: its cells, where the next begins, and what is wrong with its quotes; or what is odd about them."""

    cells: list[str | None]
    end: int
    problem: str | None = None
    oddity: str | None = None

    @property
    def filled(self) -> int:
        """How many cells hold something."""
        return sum(cell is not None for cell in self.cells)


def separator_of(value: str | None) -> str | None:
    """Return the character that a user has typed, or named; ``None``: it is found out.

    Raises:
        UserError: it is none.
    """
    if value is None:
        return None
    sign = SEPARATORS.get(value.lower(), "\t" if value == "\\t" else value)
    if len(sign) != 1 or not sign.isascii() or sign.isalnum() or sign in "\r\n\"'":
        raise UserError(
            f"data.separator: expected one character, or {listed(SEPARATORS)}; got {value!r}. "
            "Leave it out, and it is found out."
        )
    return sign


def split_rows(text: str, dialect: Dialect) -> Iterator[Cells]:
    """Split rows into cells, as Python's csv module does.

    A row with a quote that is not closed, or that is closed lines later in the midst of a cell, ends with its line, so
    that it takes no other row with it. Blank lines are rows.
    """
    quote, separator = dialect.quote or '"', re.escape(dialect.separator)
    lead, plain = " *" if dialect.spaced else "", rf"[^{separator}\n]*?"
    ending = rf"\r?({separator}|\n|\Z)"
    # A cell with or without quotes, and what ends it. Polars takes no carriage return at the end of a cell for a part.
    if dialect.doubled:
        within = f"[^{quote}]*(?:{quote}{quote}[^{quote}]*)*"
        quoted = f"{quote}({within}){quote}(?!{quote})({plain})"
    else:
        within = rf"(?:[^{quote}\n]|{quote}(?!\r?(?:{separator}|\n|\Z)))*"
        quoted = f"{quote}({within}){quote}()"
    cell = re.compile(f"{lead}(?:{quoted}|(?!{quote})({plain})){ending}")
    open_end = re.compile(rf"{lead}{quote}{within}\Z")
    at = 0
    while at < len(text):
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        line = text[at:stop]
        problem = oddity = None
        if dialect.quote is not None and quote in line:
            cells: list[str | None] = []
            end = dialect.separator
            while end == dialect.separator and (found := cell.match(text, at)):
                content, rest, bare, end = found.groups()
                if rest:
                    oddity = ODD_END
                    if "\n" in content or rest.count(quote) % 2:
                        break
                elif bare and quote in bare:
                    oddity = oddity or WITHIN
                cells.append((bare or None) if content is None else content.replace(2 * quote, quote) + rest)
                at = found.end()
            else:
                if end != dialect.separator:
                    yield Cells(cells, at, None, oddity)
                    continue
            problem = UNCLOSED if open_end.match(text, at) else AFTER_A_QUOTE
        at = min(stop + 1, len(text))
        parts = line.split(dialect.separator)
        if "\r" in line:
            parts = [part.removesuffix("\r") for part in parts]
        if dialect.spaced:
            parts = [part.lstrip(" ") for part in parts]
        yield Cells([part or None for part in parts], at, problem)


def unescaped(content: bytes) -> bytes:
    r"""Return text in which a quote within quotes is written twice, not as ``\"``."""
    return re.sub(rb'\\(["\\])', lambda found: b'""' if found[1] == b'"' else b"\\", content)


class Survey:
    """What a dialect makes of the start of a file, up to the end of a line.

    Unless that is the whole of it, a quote that is not closed may be closed later. With a header, titles may stand
    above it; without one, only comments may.

    Attributes:
        rows: that are not blank, with where each begins.
        width: how many cells most of them have.
        usual: the cells of those rows.
    """

    def __init__(self, dialect: Dialect, text: str, whole: bool, has_header: bool) -> None:
        self.dialect, self.has_header = dialect, has_header
        self.text = unescaped(text.encode(**BYTES)).decode(**BYTES) if dialect.escape else text
        self.rows: list[tuple[int, Cells]] = []
        start = 0
        for row in split_rows(self.text, dialect):
            if row.problem == UNCLOSED and not whole and self.rows:
                break
            if len(row.cells) > 1 or row.filled:
                self.rows.append((start, row))
            start = row.end
        widths = Counter(len(row.cells) for _, row in self.rows if row.problem is None)
        self.width = widths.most_common(1)[0][0] if widths else 1
        self.usual = [row.cells for _, row in self.rows if len(row.cells) == self.width and row.problem is None]

    @property
    def share(self) -> float:
        """The share of rows that have the usual number of cells, if that is more than one."""
        rows = [row for _, row in self.rows[self.num_above :]]
        fit = sum(len(row.cells) == self.width and row.problem is None for row in rows)
        return fit / len(rows) if self.width > 1 and rows else 0.0

    @cached_property
    def num_above(self) -> int:
        """How many lines stand above the header or the first row: a title, comments.

        They fill few cells. A short first line alone may be the name of the only column, or lack a name.
        """
        filled = sorted(row.filled for _, row in self.rows if row.filled and len(row.cells) == self.width)
        typical = filled[len(filled) // 2] if filled else 0
        for number, (_, row) in enumerate(self.rows[:MOST_ABOVE]):
            fits = len(row.cells) == self.width and row.problem is None and not self._is_comment(number)
            is_full = 0 < typical <= 2 * row.filled and not self._is_title(number)
            if fits and (is_full or not self.has_header):  # without a header, a row of few cells is a row
                break
        else:
            return 0
        above = [row for _, row in self.rows[:number]]
        comments = [self._is_comment(line) for line in range(number)]
        if not above or all(comments) or self.rows[number][0] > above[-1].end or not above[-1].filled:  # a blank line
            return number
        short, most = sum(len(row.cells) != self.width for row in above), min(3, max(1, typical // 2))
        if any(row.filled > most for row, known in zip(above, comments, strict=True) if not known):
            return 0
        return number if len(above) > 1 or not short or (self.width > 2 and " " in (above[0].cells[0] or "")) else 0

    def _is_title(self, number: int) -> bool:
        """Return whether a row of one cell, with its place in all columns, stands above an empty one or fuller ones."""
        row, below = self.rows[number][1], [row.filled for _, row in self.rows[number + 1 : number + 5]]
        alone = row.filled == 1 and row.cells[0] is not None and bool(below)
        return alone and (below[0] == 0 or (self.width > 2 and max(below) > 2))

    def _is_comment(self, number: int) -> bool:
        """Return whether a row is a line after ``#``; it may also name columns: ``#id,text``, or ``# x,y`` of NumPy."""
        row = self.rows[number][1]
        start = row.cells[0] or ""
        if not start.startswith("#"):
            return False
        if len(row.cells) != self.width:
            return True
        below = self.rows[number + 1][1].cells if number + 1 < len(self.rows) else []
        return start.startswith("# ") and not any(map(is_number, below))


def is_number(cell: str | None) -> bool:
    """Return whether a cell holds a number, a date or a time: no name of a column."""
    return re.fullmatch(r"\s*[-+]?\d[\d.,:/-]*(?:[eE][-+]?\d+)?\s*", cell or "") is not None


def surveyed(
    data: bytes, whole: bool, header: bool, separator: str | None, kind: str, path: str
) -> tuple[Survey, list[str]]:
    """Find out how a file is written, from its start; and what is to be told of it.

    Of separators that leave no row ragged the one that the kind of the file (``csv``, ``tsv``, ``txt``) tells is taken
    first. ``whole`` says that it ends with these data, which begin with a row.
    """
    signs = [separator] if separator else list(SEPARATORS.values())
    if not separator and kind != "csv":
        signs.sort(key=lambda sign: sign != "\t")
    size = max(SAMPLE // 16, data.find(b'\\"', 0, SURVEYED) + 1)  # enough where nothing is odd
    rows = len(data) if whole else data.rfind(b"\n") + 1 or len(data)  # bytes that are whole lines
    while True:
        end = data.find(b"\n", size, rows) + 1 or rows
        text = data[:end].decode(**BYTES)
        best = Survey(_plain(signs[0], text, data), text, whole and end == rows, header)
        enough = len(best.rows) > 10 if len(best.usual) == len(best.rows) else size > SAMPLE
        if (enough and best.rows[0][1].problem != UNCLOSED) or end == rows:
            break
        size *= 32  # a name may hold line breaks
    told, surveys = [], [best]
    others = [sign for sign in signs[1:] if sign in (text.partition("\n")[0] if best.share == 1 else text)]
    if others or len(best.usual) < len(best.rows):
        plains = [_plain(sign, text, data) for sign in others]
        variants = _variants(best.dialect, text)
        variants += [one for plain in plains for one in (plain, *_variants(plain, text))]
        surveys += [Survey(one, text, whole and end == rows, header) for one in variants]
        # Most rows have as many cells, and the first is one of them or stands above a header.
        tables = [one for one in surveys if one.share >= 0.5 and (one.num_above or len(one.rows[0][1].cells) > 1)]
        for loose in (False, True):
            best = max((one for one in tables if loose or one.dialect.doubled), key=lambda one: one.share, default=best)
            if best.share > RARELY:
                break  # a single odd row does not tell how others are quoted
    word = best.dialect.word
    if not separator and best.dialect.separator != signs[0]:
        told.append(f"{path}: cells are separated by {word}s, it seems (data.separator={word}).")
    if not best.dialect.doubled:
        told.append(f"{path}: quotes within cells stand as they are, it seems, and are not written twice.")
    rival = next((one for one in surveys if one.share == 1 and one.dialect.separator != best.dialect.separator), None)
    if rival:
        told.append(
            f"{path}: with {word}s between them, rows have {best.width} cells; {rival.dialect.word}s would make "
            f"{rival.width} of them. If that is meant, say so: data.separator={rival.dialect.word}"
        )
    if best.num_above:
        above = (best.rows[0][1].cells[0] or "")[:40]
        told.append(f"{path}: {best.num_above} lines above the header are left out, of which the first is {above!r}.")
    return best, told


def _plain(separator: str, text: str, data: bytes) -> Dialect:
    """Return the usual dialect with a separator."""
    quote = '"' if separator != "\t" or is_quoted(data) else None
    spaced = separator != "\t" and separator + " " in text
    if spaced:  # only where it is so of all cells that hold something
        rows = list(split_rows(text[:4096].rpartition("\n")[0], Dialect(separator, quote)))
        cells = [cell for row in rows for cell in row.cells[1:] if cell]
        spaced = bool(cells) and all(cell.startswith(" ") for cell in cells)
    return Dialect(separator, quote, spaced=spaced)


def _variants(plain: Dialect, text: str) -> list[Dialect]:
    """Return the other dialects with the same separator that the start of a file may be in."""
    separator, found = plain.separator, [plain]
    if f"{separator} {plain.quote}" in text:
        found.append(plain._replace(spaced=True))
    if '\\"' in text:
        found.append(plain._replace(escape=True))
    begins = rf"(?:^|[{re.escape(separator)}\n])"
    if re.search(f"{begins}'", text) and not re.search(f'{begins}"', text):
        found.append(plain._replace(quote="'"))
    return found[1:] + [one._replace(doubled=False) for one in found if one.quote and one.quote in text]


def is_quoted(data: bytes) -> bool:
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
        rows = split_rows((header + window).decode(**BYTES), Dialect("\t", quote))
        rows_with = [row for row in rows if any(row.cells) or len(row.cells) > 1]
        widths = Counter(0 if row.problem or row.oddity == ODD_END else len(row.cells) for row in rows_with)
        [(usual, num_usual)] = widths.most_common(1) or [(0, 0)]
        surveys.append((len(rows_with) - num_usual, widths and len(rows_with[0].cells) != usual, len(rows_with)))
    plain, quoted = surveys  # rows that are broken, whether the first is one of them, and rows
    return quoted[:2] < plain[:2] or quoted == plain
