"""The content of one file, in UTF-8, to a frame; and, where that fails, the row that is to blame."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
from typing import Literal

import polars as pl
from polars.exceptions import PolarsError

from rosenblatt.errors import UserError, first_line

log = logging.getLogger(__name__)

LABEL = "__label__"


def parse_csv(content: bytes, path: str, header: bool) -> pl.DataFrame:
    """Parse comma- or semicolon-separated rows, quoted as in RFC 4180; an empty cell is null.

    Args:
        content: of the file.
        path: for messages.
        header: whether the first row names the columns; if not, they are ``0``, ``1``, ...

    Raises:
        UserError: a row with more or fewer cells than the first, with its number.
    """
    return read_cells(content, path, header, separator_of(content), quote='"')


def separator_of(content: bytes) -> str:
    """Return what stands between the cells of a CSV: ``,`` or, where the comma is the decimal point, ``;``."""
    first = content.split(b"\n", 1)[0]
    return ";" if b";" in first and b"," not in first else ","


def parse_tsv(content: bytes, path: str, header: bool) -> pl.DataFrame:
    """Parse tab-separated rows, with or without quotes around cells.

    A lone ``"`` at the start of a cell is common where nobody thought of quoting, and a parser that believes in it
    swallows all rows up to the next one. So quotes are believed only where no row is lost by it, or where rows are
    ragged without them (a tab or a line break within quotes).

    Raises:
        UserError: a row with more or fewer cells than the first, with its number.
    """
    plain, ragged = None, None
    try:
        plain = read_cells(content, path, header, "\t", quote=None)
    except UserError as error:
        ragged = error
    if re.search(rb'(^|[\t\n])"', content):
        try:
            quoted = read_cells(content, path, header, "\t", quote='"')
        except UserError:
            quoted = None
        if quoted is not None and (plain is None or quoted.shape == plain.shape):
            return quoted
    if plain is None:
        assert ragged is not None
        raise ragged
    return plain


def parse_fasttext(content: bytes) -> pl.DataFrame:
    """Parse lines such as ``__label__a __label__b some text`` to ``text`` and ``label``, a list."""
    line = pl.Series("line", content.decode().split("\n"))
    return (
        line.filter(line.str.strip_chars() != "")
        .to_frame()
        .select(
            pl.col("line").str.replace_all(rf"(^|\s){LABEL}\S+", "").str.strip_chars().alias("text"),
            pl.col("line")
            .str.extract_all(rf"(?:^|\s){LABEL}\S+")
            .list.eval(pl.element().str.strip_chars().str.strip_prefix(LABEL))
            .alias("label"),
        )
    )


def parse_jsonl(content: bytes, path: str) -> pl.DataFrame:
    """Parse one JSON object a line.

    Raises:
        UserError: a line that is none, with its number.
    """
    try:
        return pl.read_ndjson(io.BytesIO(content), infer_schema_length=None)
    except PolarsError as error:
        reason = first_line(error)
    for number, line in enumerate(content.split(b"\n"), start=1):
        try:
            value = json.loads(line.decode()) if line.strip() else {}
        except json.JSONDecodeError as bad:
            raise UserError(f"{path}: line {number} is no JSON: {bad.msg} at character {bad.colno}.") from None
        if not isinstance(value, dict):
            raise UserError(f'{path}: line {number}: expected an object such as {{"text": "...", "label": "..."}}.')
    raise UserError(f"{path}: it can't be read as JSON lines: {reason}")


def parse_parquet(content: bytes, path: str) -> pl.DataFrame:
    """Parse a Parquet file.

    Raises:
        UserError: the file is none, or a broken one.
    """
    check_parquet(content, path)
    try:
        return pl.read_parquet(io.BytesIO(content))
    except (PolarsError, OSError) as error:
        raise broken_parquet(path, error) from None


def check_parquet(start: bytes, path: str) -> None:
    """Raise a `UserError` where a file that begins so is no Parquet file."""
    if start[:4] != b"PAR1":
        raise UserError(f"{path}: not a Parquet file (it begins with {start[:8]!r}, not with b'PAR1').")


def broken_parquet(path: str, error: Exception) -> UserError:
    """Return what to tell of a Parquet file that Polars can't read."""
    return UserError(f"{path}: a broken Parquet file: {first_line(error)}")


def read_cells(content: bytes, path: str, header: bool, separator: str, quote: str | None) -> pl.DataFrame:
    """Read rows, blank lines left out; raise a `UserError` for a row that is too long or too short."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    try:
        frame, num_empty, sure = quick_cells(content, header, separator, quote)
        if header and quote:  # polars 2.1 leaves quotes within a name as they are written: twice
            frame = frame.rename(lambda name: name.replace(2 * quote, quote))
    except PolarsError as error:
        _check_widths(content, path, header, separator, quoting)
        raise UserError(f"{path}: it can't be read: {first_line(error)}") from None
    if num_empty:
        log.info("%s: %s empty rows are left out, and row numbers leave them out.", path, f"{num_empty:,}")
    if not sure:
        _check_widths(content, path, header, separator, quoting)
    twice = [name for name in frame.columns if re.search(r"_duplicated_\d+$", name)] if header else []
    if twice:
        name = re.sub(r"_duplicated_\d+$", "", twice[0])
        raise UserError(f"{path}: two columns are named {name!r}. Which one is meant? Rename one of them.")
    return frame if header else frame.rename({name: str(i) for i, name in enumerate(frame.columns)})


def quick_cells(content: bytes, header: bool, separator: str, quote: str | None) -> tuple[pl.DataFrame, int, bool]:
    """Read rows, all cells as strings.

    Returns:
        The rows that are not empty, the number of empty ones, and whether surely no row is too short.

    Raises:
        PolarsError: a row is too long, or has a wrong quote.
    """
    frame = pl.read_csv(
        io.BytesIO(content),
        has_header=header,
        separator=separator,
        quote_char=quote,
        infer_schema=False,  # all strings: what is a number is decided on the training rows
    )
    if frame.width == 1 or not frame.to_series(-1).null_count():
        return frame, 0, True
    # Polars fills a blank line and a short row with nulls; only then is it worth a second look.
    kept = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    num_empty = frame.height - kept.height
    if not kept.to_series(-1).null_count():
        return kept, num_empty, True
    first = re.match(rb"\s*[^\n]*", content)
    if num_empty or (header and first and b'"' in first[0]):
        return kept, num_empty, False
    # No row has more separators than its share, so that none has less where their sum is right.
    within = kept.select(pl.sum_horizontal(pl.all().str.count_matches(separator, literal=True)).sum()).item()
    return kept, 0, content.count(separator.encode()) == (kept.height + header) * (kept.width - 1) + within


def _check_widths(content: bytes, path: str, header: bool, separator: str, quoting: Literal[0, 3]) -> None:
    """Raise a `UserError` that names the first row with other cells than the first, or with a wrong quote."""
    # The csv module ends a row at a lone carriage return too, and has a limit of 131,072 characters a cell.
    text = content.decode().replace("\r\n", "\n").replace("\r", " ")
    limit = csv.field_size_limit(len(text) + 1)
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=separator, quoting=quoting, strict=True)
    width, number = 0, 0 if header else 1
    try:
        for row in filter(any, reader):  # blank lines are no rows
            if width and len(row) != width:
                raise UserError(
                    f"{path}: row {number} (line {reader.line_num}) has {len(row)} cells, and the first line has "
                    f'{width}. A cell that holds the separator needs quotes around it: "a, b".'
                )
            width, number = len(row), number + 1
    except csv.Error as error:
        raise UserError(
            f"{path}: row {number} (up to line {reader.line_num}): {error}. A cell with quotes around it ends with "
            'them, and quotes within it are written twice: "so ""called""".'
        ) from None
    finally:
        csv.field_size_limit(limit)
