"""Files of rows, read and written by blocks: CSV, TSV, JSON lines, Parquet (each also gzipped); and, to read, fastText
lines, JSON, Excel's .xlsx, a zip file with one of all these in it, and a folder per class.

Who trains takes all blocks together, and refuses a file with a row that can't be read; who predicts keeps such a row in
its place, marked, and goes on.
"""

from __future__ import annotations

import gzip
import io
import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

import polars as pl
from polars.exceptions import PolarsError

from rosenblatt.data.delimited import Table
from rosenblatt.data.dialect import separator_of
from rosenblatt.data.lines import LABEL, JsonLines, Lines, RowReader, check_json_lines, lines_of_array
from rosenblatt.data.source import (
    BLOCK,
    EMPTY,
    TextFile,
    check_encoding,
    encoding_of,
    is_utf8,
    name_within,
    opened,
    read_bytes,
)
from rosenblatt.errors import UserError, first_line, listed
from rosenblatt.run.whole import check_free, replace

log = logging.getLogger(__name__)

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".txt": "txt",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
READ = FORMATS | {".json": "json", ".xlsx": "xlsx"}  # and what is not written
HEADER_ONLY = "{}: expected rows; the file has a header only ({})."
REMEDY = " Mend it, or leave such rows out: data.broken_rows=skip"
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


def read_frame(path: str, encoding: str = "utf-8", header: bool = True, separator: str | None = None) -> pl.DataFrame:
    """Read a file whole; see `read_blocks`, of which this is strict."""
    blocks = read_blocks(path, encoding, header, separator, block_bytes=None, strict=True)
    return pl.concat([block.frame for block in blocks])


def read_blocks(
    path: str,
    encoding: str = "utf-8",
    header: bool = True,
    separator: str | None = None,
    block_bytes: int | None = BLOCK,
    lines: bool = False,
    strict: bool = False,
    quiet: bool = False,
) -> Iterator[Block]:
    """Read a file, a block of rows at a time; rows are numbered from 1 in all messages, a header not counted.

    Blank lines, and rows of empty cells only, are no rows. Not read are CSV and TSV rows with more or fewer cells than
    the first or with a wrong quote, lines that are no JSON object or have a value of another type than the column, and
    texts that the encoding has not. The first of them is told.

    What the first block decides holds for all: the columns and types of JSON lines, how cells are separated and quoted,
    and whether a ``.txt`` holds fastText lines. What is found out of these is told.

    Args:
        path: a local file or folder, a URL, or ``hf://...``. The format follows from the name. A ``.txt`` is
            fastText lines where it holds ``__label__``, a table otherwise.
        encoding: of text files without a mark of UTF-8, UTF-16 or UTF-32 at their start.
        header: whether a table begins with the names of its columns. If not, they are ``0``, ``1``, ...
        separator: of the cells of a table, as `rosenblatt.data.dialect.separator_of` takes it; ``None``: what fits.
        block_bytes: how much is read at a time; ``None``: all.
        lines: whether a ``.txt`` that holds no ``__label__`` is one text a line, to one column ``text``, instead of a
            TSV. Blank lines are rows of it.
        strict: whether a row that can't be read is an error.
        quiet: whether nothing is told but errors.

    Yields:
        Blocks of one row at least, with the same columns in all of them. These are strings (CSV, TSV), typed (Parquet,
        JSON lines), or ``text`` and ``label`` (fastText lines, where ``label`` is a list, and folders).

    Raises:
        UserError: no such file, an unknown format, no rows, the wrong encoding, a gzip file that is not whole, a broken
            Parquet or Excel file, a zip file that does not hold one file; when that is reached.
    """
    if "://" not in path:
        path = os.path.expanduser(path)  # no shell expands the ~ in data.train=~/reviews.csv
    if "://" not in path and Path(path).is_dir():
        return _folder_blocks(Path(path), encoding, block_bytes, strict)
    name, packing = path.split("?")[0], ""
    if name.lower().endswith(".zip"):
        name, packing = name_within(path), "zip"
    kind, zipped = format_of(name, READ)
    if kind is None or (zipped and packing):
        if "://" not in path and not Path(path).exists() and not Path(path).suffix:
            read_bytes(path, packing)  # which tells that there is no such file
        within = f" in it; it holds {name!r}" if packing else ", or a folder"
        raise UserError(f"{path}: expected a file named {', '.join(READ)} (or with .gz or .zip after it){within}.")
    packing = packing or ("gz" if zipped else "")
    if kind == "parquet":
        return _parquet_blocks(path, packing, block_bytes)
    content = None
    if kind == "xlsx":
        content, kind, separator, encoding = csv_of_excel(read_bytes(path, packing), path), "csv", ",", "utf-8"
    text = TextFile(path, packing, encoding, block_bytes, content)
    return _text_blocks(text, kind, header, separator_of(separator), lines, strict, quiet)


def format_of(name: str, formats: Mapping[str, str] = FORMATS) -> tuple[str | None, bool]:
    """Return one of the values of ``formats``, or ``None``, and whether a file of this name is gzipped."""
    name = name.lower()
    return formats.get(Path(name.removesuffix(".gz")).suffix), name.endswith(".gz")


def csv_of_excel(content: bytes, path: str) -> bytes:
    """Return the first sheet of an Excel file as CSV; a `UserError` tells of what is missing, or broken."""
    try:
        import fastexcel
    except ImportError:
        raise UserError(
            f"{path}: reading Excel files needs another package. Try: pip install 'rosenblatt[excel]', or save the "
            "sheet as CSV."
        ) from None
    try:
        book = fastexcel.read_excel(content)
        sheet = book.load_sheet(0, header_row=None, dtypes="string").to_polars()
    except Exception as error:  # its own, and Rust's panics
        log.debug("%s", error)
        raise UserError(f"{path}: it is no whole Excel file of the kind .xlsx. Save it anew, or as CSV.") from None
    if len(book.sheet_names) > 1:
        log.warning("%s: its first sheet, %r, is read; it has %s.", path, book.sheet_names[0], listed(book.sheet_names))
    return sheet.write_csv(include_header=False).encode()


def _text_blocks(
    text: TextFile, kind: str, header: bool, separator: str | None, lines: bool, strict: bool, quiet: bool
) -> Iterator[Block]:
    if kind == "txt":
        kind = "fasttext" if LABEL.encode() in text.data else "lines" if lines else "txt"
    table = kind in ("csv", "tsv", "txt")
    text.check_encoding(first_line=table and header)
    reader: RowReader
    if table:
        reader = Table(text, kind, header, separator)
    elif kind in ("json", "jsonl"):
        if text.data.lstrip().startswith(b"["):
            text = lines_of_array(text)
        elif kind == "json":
            check_json_lines(text)
        reader = JsonLines(text.path)
    else:
        reader = Lines(fasttext=kind == "fasttext")
    for remark in reader.remarks if not quiet else ():
        log.warning(remark)
    num_rows, told = 0, set[str]()
    while True:
        frames: list[pl.DataFrame] = []
        first = num_rows
        broken: list[int] = []
        while rows := reader.take(text):
            for one, problem in ((rows.broken, " can't be read"), (rows.odd, "")):
                if not one or problem in told:
                    continue
                told |= {problem}
                row, at, reason = one[0]
                line = f" (line {text.line_of(at):,})" if text.has_lines else ""
                message = f"{text.path}: row {num_rows + row + 1:,}{line}{problem}: {reason}."
                if problem and strict:
                    check_encoding(text.path, text.raw, text.encoding)
                if problem and (strict or rows.frame.width == 0):
                    raise UserError(message + (REMEDY if strict else ""))
                if not quiet:
                    log.warning("%s More like it are not told.", message)
            text.at += rows.num_bytes
            broken += [num_rows + one.row for one in rows.broken]
            num_rows += rows.frame.height
            frames += [rows.frame] if rows.frame.height else []
        if frames:
            readable = ~pl.int_range(first, num_rows, eager=True).is_in(broken)
            yield Block(pl.concat(frames), readable, text.num_bytes, text.total_bytes)
        if text.last:
            break
        text.more()
    if num_rows == 0:
        raise UserError(HEADER_ONLY.format(text.path, listed(reader.columns)))
    if isinstance(reader, Table) and reader.num_headers:
        log.warning("%s: %s rows repeat the names of the columns, and are left out.", text.path, reader.num_headers)
    if reader.num_empty:
        num_empty = f"{reader.num_empty:,}"
        log.warning("%s: %s empty rows are left out, and row numbers leave them out.", text.path, num_empty)


def _parquet_blocks(path: str, packing: str, block_bytes: int | None) -> Iterator[Block]:
    source: str | io.BytesIO = path
    if packing or "://" in path:
        content = read_bytes(path, packing)
        source, total_bytes = io.BytesIO(content), len(content)
    else:
        with opened(path) as file:
            total_bytes = os.fstat(file.fileno()).st_size
    if total_bytes == 0:
        raise UserError(EMPTY.format(path))
    try:
        rows = pl.scan_parquet(source, glob=False)
        height, at = rows.select(pl.len()).collect().item(), 0
        if height == 0:
            raise UserError(HEADER_ONLY.format(path, listed(rows.collect_schema())))
        step = height if block_bytes is None else FIRST_ROWS
        while at < height:
            frame = rows.slice(at, step).collect()
            at += frame.height
            yield Block(frame, pl.repeat(True, frame.height, eager=True), total_bytes * at // height, total_bytes)
            step = max(1, int((block_bytes or 0) * frame.height / max(1, frame.estimated_size())))
    except (PolarsError, OSError) as error:
        raise UserError(f"{path}: no whole Parquet file. Was the download cut off?") from error


def _folder_blocks(folder: Path, encoding: str, block_bytes: int | None, strict: bool) -> Iterator[Block]:
    """Read some of the files ``folder/CLASS/anything`` at a time; one that the encoding has not is no readable row."""
    files: list[tuple[Path, str]] = []
    for kind in sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        texts = sorted(file for file in kind.iterdir() if file.is_file() and not file.name.startswith("."))
        if not texts:
            log.warning("%s: the folder of class %r is empty.", folder, kind.name)
        files += [(file, kind.name) for file in texts]
    if not files:
        raise UserError(f"{folder}: expected a folder with a folder for each class, such as {folder}/pos/1.txt.")
    total_bytes = sum(file.stat().st_size for file, _ in files)
    is_utf8(encoding)  # which tells where it is none
    rows: list[tuple[str, str, bool]] = []
    done, begun, told = 0, 0, False
    for file, label in files:
        content, readable = read_bytes(str(file), ""), True
        own = encoding_of(content, encoding)
        try:
            check_encoding(str(file), content, own)
        except UserError as error:
            if strict:
                raise
            if not told:
                log.warning("%s More files like it are not told.", error)
            told, readable = True, False
        rows.append((content.decode(own, "replace").removeprefix("\ufeff"), label, readable))
        done += len(content)
        if (block_bytes is not None and done - begun >= block_bytes) or file == files[-1][0]:
            frame = pl.DataFrame(rows, schema={"text": pl.String, "label": pl.String, "": pl.Boolean}, orient="row")
            yield Block(frame.drop(""), frame[""], done, total_bytes)
            rows, begun = [], done


NO_PLACE_IN_JSON = "Binary|Object"  # types of columns, or within them
NO_PLACE_IN_A_TABLE = rf"{NO_PLACE_IN_JSON}|Duration|Struct|Array|List\(List"


class FrameWriter:
    """Writes frames with the same columns below each other; a context manager.

    The file appears under its name, from which the format follows, when the context is left in order, whole, and never
    otherwise; ``overwrite`` allows to replace one. ``-`` is standard output, as CSV.

    Raises:
        UserError: the name tells of no format, there is no such folder, or there is a file of that name. Later on: the
            file can't be written, or its format has no place for the type of a column.
    """

    def __init__(self, path: str, overwrite: bool = False) -> None:
        self.name = "standard output" if path == "-" else path
        self._path = None if path == "-" else Path(os.path.expanduser(path))
        kind, self._zipped = ("csv", False) if path == "-" else format_of(path)
        if kind in (None, "txt") or (self._zipped and kind == "parquet"):
            raise UserError(
                f"{path}: expected a file named {', '.join(name for name in FORMATS if name != '.txt')} (or with "
                ".gz after it, but for Parquet), or - for standard output."
            )
        self._kind = str(kind)
        self._num_frames = 0
        self._schema: pl.Schema | None = None
        self._open = ExitStack()
        if self._path is None:
            self._file: IO[bytes] | gzip.GzipFile = sys.stdout.buffer
            return
        folder = self._path.parent
        if self._path.is_dir():
            raise UserError(f"{self._path}: expected the name of a file; it is a folder.")
        if not folder.is_dir():
            raise UserError(f"{self._path}: there is no folder {str(folder)!r}. Make it first.")
        check_free(self._path, overwrite)
        if not os.access(folder, os.W_OK):
            raise UserError(f"{self._path}: the folder {str(folder)!r} can't be written to.")
        # A folder, since Parquet can't be appended to: its parts wait there until they are joined.
        self._temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        self._whole = self._temporary / "whole"

    def __enter__(self) -> FrameWriter:
        if self._path is None:
            return self
        shutil.rmtree(self._temporary, ignore_errors=True)  # of a process that was killed and had this number
        with self._telling():
            self._temporary.mkdir()
            if self._kind != "parquet":
                self._file = self._open.enter_context(open(self._whole, "wb"))
            if self._zipped:  # level 6 takes half the time of 9; 1 % larger
                self._file = self._open.enter_context(gzip.GzipFile("", "wb", 6, self._file, mtime=0))
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Append the rows of a frame, with the same columns each time; the first makes the header, rows or not."""
        self._schema = self._schema or frame.schema
        assert frame.columns == self._schema.names()
        with self._telling():
            if self._kind == "parquet":
                frame.cast(self._schema).write_parquet(self._temporary / f"{self._num_frames:09}.parquet")
            else:
                self._file.write(self._encode(frame).getbuffer())
            if self._path is None:
                self._file.flush()
        self._num_frames += 1

    def _encode(self, frame: pl.DataFrame) -> io.BytesIO:
        is_json = self._kind == "jsonl"
        for name, dtype in frame.schema.items():
            if re.search(NO_PLACE_IN_JSON if is_json else NO_PLACE_IN_A_TABLE, str(dtype)):
                raise UserError(
                    f"{self.name}: column {name!r} holds {dtype}, for which "
                    f"{'JSON lines have' if is_json else 'a table of text has'} no place. "
                    f"Write {'.parquet' if is_json else '.jsonl or .parquet'} instead."
                )
            if isinstance(dtype, pl.List) and not is_json:  # its values with commas between them
                # As many digits as a 32-bit float has.
                value = pl.element().round_sig_figs(6) if dtype.inner.is_float() else pl.element()
                frame = frame.with_columns(pl.col(name).list.eval(value.cast(pl.String)).list.join(","))
        buffer = io.BytesIO()
        if is_json:
            frame.write_ndjson(buffer)
        else:
            separator = "\t" if self._kind == "tsv" else ","
            frame.write_csv(buffer, include_header=self._num_frames == 0, separator=separator)
        return buffer

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._path is None:
            return
        try:
            with suppress(OSError) if error else self._telling():  # a full disk has been told
                self._open.close()
                if self._kind == "parquet" and not error:
                    if self._num_frames == 0:
                        self.write(pl.DataFrame())
                    parts = sorted(self._temporary.iterdir())
                    pl.scan_parquet(parts, glob=False).sink_parquet(self._whole, maintain_order=True)
                if not error:
                    replace(self._whole, self._path)
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Tell what goes wrong in writing as a `UserError`, but that nobody reads standard output any more."""
        try:
            yield
        except BrokenPipeError:
            raise
        except (OSError, PolarsError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
            raise UserError(f"{self.name}: it can't be written: {reason}.") from None
