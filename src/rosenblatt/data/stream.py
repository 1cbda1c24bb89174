"""Files that need not fit into memory: all that `rosenblatt.data.files.read_frame` reads, block by block.

A row that can't be read is no reason to stop here: it stays in its place, marked, and the others are read. What is
wrong with the file as a whole is told as `read_frame` tells it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl
from polars.exceptions import PolarsError

from rosenblatt.data.files import EMPTY, HEADER_ONLY, class_files, format_of, is_utf8, opened, read_bytes, to_utf8
from rosenblatt.data.json_rows import JsonLines
from rosenblatt.data.line_rows import SPOILT, Lines, RowReader, all_readable
from rosenblatt.data.parsers import LABEL, broken_parquet, check_parquet, parse_parquet
from rosenblatt.data.table_rows import Table
from rosenblatt.data.text_file import MARK, TextFile
from rosenblatt.errors import UserError, listed

log = logging.getLogger(__name__)

FIRST_ROWS = 1024  # of Parquet, to see how large rows are


class Block(NamedTuple):
    """Some rows of a file.

    Attributes:
        frame: the rows.
        readable: (num_rows,), Boolean. The cells of a row that is not are kept as far as they can be told, and null
            otherwise.
        num_bytes: of the input that have been read so far.
        total_bytes: size of the input, or ``None`` where nobody knows it.
    """

    frame: pl.DataFrame
    readable: pl.Series
    num_bytes: int
    total_bytes: int | None


def read_blocks(
    path: str, encoding: str = "utf-8", header: bool = True, block_bytes: int = 1 << 24, lines: bool = False
) -> Iterator[Block]:
    """Read a file as `rosenblatt.data.files.read_frame` does, a block of rows at a time.

    Not read are CSV and TSV rows with more or fewer cells than the first or with a wrong quote, lines that are no JSON
    object or have a value of another type than the column, and texts that the encoding has not. The first of them is
    told in a warning. What a whole file decides elsewhere is decided on the first block: the columns and types of JSON
    lines, whether a TSV has quotes around its cells, and whether a ``.txt`` holds fastText lines.

    Args:
        path: see `read_frame`, as for ``encoding`` and ``header``.
        encoding: of text files.
        header: whether a CSV or TSV begins with the names of its columns.
        block_bytes: how much is read at a time.
        lines: whether a ``.txt`` that holds no ``__label__`` is one text a line, to one column ``text``, instead of a
            TSV. Blank lines are rows of it.

    Yields:
        Blocks of one row at least, with the same columns in all of them.

    Raises:
        UserError: no such file, an unknown format, no rows, the wrong encoding, two columns of one name, a gzip file
            that is not whole, a broken Parquet file; when that is reached.
    """
    path, kind, zipped = format_of(path)
    if kind == "folder":
        yield from _folder_blocks(Path(path), encoding, block_bytes)
    elif kind == "parquet":
        yield from _parquet_blocks(path, zipped, block_bytes)
    else:
        yield from _text_blocks(TextFile(path, zipped, encoding, block_bytes), kind, header, lines)


def _text_blocks(text: TextFile, kind: str, header: bool, lines: bool) -> Iterator[Block]:
    if kind == "txt":
        kind = "fasttext" if LABEL.encode() in text.data else "lines" if lines else "tsv"
    table = kind in ("csv", "tsv")
    text.check_encoding(first_only=table and header)
    reader: RowReader
    if table:
        reader = Table(text.path, kind, header, text.patience)
    elif kind == "jsonl":
        reader = JsonLines(text.path, text.patience)
    else:
        reader = Lines(fasttext=kind == "fasttext")
    num_rows, num_empty, told = 0, 0, False
    while True:
        rows = reader.take(text.data, text.last)
        num_empty += rows.num_empty
        text.data = text.data[rows.num_bytes :]
        if rows.reason and not told:
            told = True
            row = num_rows + int((~rows.readable).arg_true()[0]) + 1
            log.warning("%s: row %s can't be read: %s. More like it are not told.", text.path, f"{row:,}", rows.reason)
        num_rows += rows.frame.height
        if rows.frame.height:
            yield Block(rows.frame, rows.readable, text.num_bytes, text.total_bytes)
        if text.last:
            break
        text.more()
    if num_rows == 0:
        raise UserError(HEADER_ONLY.format(text.path, listed(rows.frame.columns)))
    if num_empty:
        log.warning("%s: %s empty rows are left out.", text.path, f"{num_empty:,}")


def _parquet_blocks(path: str, zipped: bool, block_bytes: int) -> Iterator[Block]:
    if zipped or "://" in path:
        content = read_bytes(path, zipped)
        total_bytes = len(content)
        rows = parse_parquet(content, path).lazy() if content else pl.LazyFrame()
    else:
        with opened(path) as file:
            start, total_bytes = file.read(8), os.fstat(file.fileno()).st_size
        if start:
            check_parquet(start, path)
        rows = pl.scan_parquet(path, glob=False)
    if total_bytes == 0:
        raise UserError(EMPTY.format(path))
    try:
        height, at, step = rows.select(pl.len()).collect().item(), 0, FIRST_ROWS
        if height == 0:
            raise UserError(HEADER_ONLY.format(path, listed(rows.collect_schema())))
        while at < height:
            frame = rows.slice(at, step).collect()
            at += frame.height
            readable = all_readable(frame.height)
            yield Block(frame, readable, total_bytes * at // height, total_bytes)
            step = max(1, int(block_bytes * frame.height / max(1, frame.estimated_size())))
    except (PolarsError, OSError) as error:
        raise broken_parquet(path, error) from None


def _folder_blocks(folder: Path, encoding: str, block_bytes: int) -> Iterator[Block]:
    """Read some files at a time; a text that the encoding has not is a row that can't be read."""
    files = class_files(folder)
    sizes = [file.stat().st_size for file, _ in files]
    handler = "surrogateescape" if is_utf8(encoding) else MARK
    rows: list[tuple[str, str, bool]] = []
    done = num_bytes = 0
    told = False
    for (file, label), size in zip(files, sizes, strict=True):
        content = read_bytes(str(file), zipped=False)
        try:
            rows.append((to_utf8(str(file), content, encoding).decode(), label, True))
        except UserError as error:
            rows.append((SPOILT.sub("\ufffd", content.decode(encoding, handler)), label, False))
            if not told:
                told = True
                log.warning("%s More files like it are not told.", error)
        done, num_bytes = done + size, num_bytes + size
        if num_bytes >= block_bytes or file == files[-1][0]:
            frame = pl.DataFrame(rows, schema={"text": pl.String, "label": pl.String, "": pl.Boolean}, orient="row")
            yield Block(frame.drop(""), frame[""], done, sum(sizes))
            rows, num_bytes = [], 0
