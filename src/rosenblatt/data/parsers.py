"""The content of one file, in UTF-8, to a frame; and, where that fails, the row that is to blame."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Literal

import polars as pl
from polars.exceptions import PolarsError

from rosenblatt.errors import UserError

LABEL = "__label__"
NO_SEPARATOR = "\x1f"  # ASCII unit separator, in place of a column separator: it stands in no text


def parse_csv(content: bytes, path: str, header: bool) -> pl.DataFrame:
    """Parse comma-separated rows, quoted as in RFC 4180; an empty cell is null.

    Args:
        content: of the file.
        path: for messages.
        header: whether the first row names the columns; if not, they are ``0``, ``1``, ...

    Raises:
        UserError: a row with more or fewer cells than the first, with its number.
    """
    frame = _read_csv(content, path, header, ",", quote='"')
    # Polars fills a short row with nulls, which shows in the last column. Only then is it worth a second, slow look.
    if frame.height and frame.to_series(-1).null_count():
        _check_widths(content, path, header, ",", csv.QUOTE_MINIMAL)
    return frame


def parse_tsv(content: bytes, path: str, header: bool) -> pl.DataFrame:
    """Parse tab-separated rows, with or without quotes around cells.

    A lone ``"`` at the start of a cell is common where nobody thought of quoting, and a parser that believes in it
    swallows all rows up to the next one. So quotes are believed only where no row is lost by it.

    Raises:
        UserError: a row with more or fewer cells than the first, with its number.
    """
    plain = _read_csv(content, path, header, "\t", quote=None)
    if re.search(rb'(^|[\t\n])"', content):
        try:
            quoted = _read_csv(content, path, header, "\t", quote='"')
        except UserError:
            quoted = plain
        if quoted.shape == plain.shape:
            return quoted
    if plain.height and plain.to_series(-1).null_count():
        _check_widths(content, path, header, "\t", csv.QUOTE_NONE)
    return plain


def parse_fasttext(content: bytes, path: str) -> pl.DataFrame:
    """Parse lines such as ``__label__a __label__b some text`` to ``text`` and ``label``, a list."""
    line = _read_csv(content, path, header=False, separator=NO_SEPARATOR, quote=None).to_series().rename("line")
    line = line.drop_nulls()
    return line.to_frame().select(
        pl.col("line").str.replace_all(rf"(^|\s){LABEL}\S+", "").str.strip_chars().alias("text"),
        pl.col("line")
        .str.extract_all(rf"(?:^|\s){LABEL}\S+")
        .list.eval(pl.element().str.strip_chars().str.strip_prefix(LABEL))
        .alias("label"),
    )


def parse_jsonl(content: bytes, path: str) -> pl.DataFrame:
    """Parse one JSON object a line.

    Raises:
        UserError: a line that is none, with its number.
    """
    try:
        return pl.read_ndjson(io.BytesIO(content), infer_schema_length=None)
    except PolarsError as error:
        reason = _first_line(error)
    for number, line in enumerate(content.split(b"\n"), start=1):
        try:
            value = json.loads(line) if line.strip() else {}
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
    if content[:4] != b"PAR1":
        raise UserError(f"{path}: not a Parquet file (it begins with {content[:8]!r}, not with b'PAR1').")
    try:
        return pl.read_parquet(io.BytesIO(content))
    except (PolarsError, OSError) as error:
        raise UserError(f"{path}: a broken Parquet file: {_first_line(error)}") from None


def _read_csv(content: bytes, path: str, header: bool, separator: str, quote: str | None) -> pl.DataFrame:
    try:
        frame = pl.read_csv(
            io.BytesIO(content),
            has_header=header,
            separator=separator,
            quote_char=quote,
            infer_schema=False,  # all strings: what is a number is decided on the training rows
        )
    except PolarsError as error:
        _check_widths(content, path, header, separator, csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE)
        raise UserError(f"{path}: it can't be read: {_first_line(error)}") from None
    return frame if header else frame.rename({name: str(i) for i, name in enumerate(frame.columns)})


def _check_widths(content: bytes, path: str, header: bool, separator: str, quoting: Literal[0, 3]) -> None:
    """Raise a `UserError` that names the first row with another number of cells than the first."""
    rows = csv.reader(io.StringIO(content.decode(), newline=""), delimiter=separator, quoting=quoting)
    first = next(rows, [])
    for number, row in enumerate(rows, start=1 if header else 2):
        if row and len(row) != len(first):
            raise UserError(
                f"{path}: row {number} (line {rows.line_num}) has {len(row)} cells, and the first line has "
                f'{len(first)}. A cell that holds the separator needs quotes around it: "a, b".'
            )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
