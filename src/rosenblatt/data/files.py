"""One reader for every file: CSV, TSV, JSON lines, Parquet (each also gzipped), fastText lines, a folder per class."""

from __future__ import annotations

import codecs
import gzip
import logging
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import polars as pl
from polars.exceptions import PolarsError

from rosenblatt.data.parsers import parse_csv, parse_fasttext, parse_jsonl, parse_parquet, parse_tsv
from rosenblatt.errors import UserError, listed, nearest

log = logging.getLogger(__name__)

BLOCK = 1 << 24  # bytes
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
EMPTY = "{}: the file is empty."
HEADER_ONLY = "{}: expected rows; the file has a header only ({})."


def read_frame(path: str, encoding: str = "utf-8", header: bool = True) -> pl.DataFrame:
    """Read a file into a frame; its rows are numbered from 1 in all messages, a header not counted.

    Blank lines, and rows of empty cells only, are no rows.

    Args:
        path: a local file or folder, a URL, or ``hf://...``. The format follows from the name. A ``.txt`` is
            fastText lines where it holds ``__label__``, tab-separated otherwise.
        encoding: of text files.
        header: whether a CSV or TSV begins with the names of its columns. If not, they are ``0``, ``1``, ...

    Returns:
        All columns as strings (CSV, TSV), typed (Parquet, JSON lines), or ``text`` and ``label`` (fastText lines,
        where ``label`` is a list, and folders).

    Raises:
        UserError: no such file, an unknown format, broken content (with the row), no rows.
    """
    path, kind, zipped = format_of(path)
    if kind == "folder":
        files = class_files(Path(path))
        texts = [to_utf8(str(file), read_bytes(str(file), zipped=False), encoding).decode() for file, _ in files]
        return pl.DataFrame({"text": texts, "label": [label for _, label in files]})
    content = read_bytes(path, zipped)
    if kind != "parquet":
        content = to_utf8(path, content, encoding)
        if b"\r" in content and b"\n" not in content:
            content = content.replace(b"\r", b"\n")  # line ends of old Macs, and of Excel's "CSV (Macintosh)"
    if not content or content.isspace():
        raise UserError(EMPTY.format(path))
    if kind == "txt":
        kind = "fasttext" if b"__label__" in content else "tsv"
    if kind == "parquet":
        frame = parse_parquet(content, path)
    elif kind == "jsonl":
        frame = parse_jsonl(content, path)
    elif kind == "fasttext":
        frame = parse_fasttext(content)
    elif kind == "tsv":
        frame = parse_tsv(content, path, header)
    else:
        frame = parse_csv(content, path, header)
    if frame.height == 0:
        raise UserError(HEADER_ONLY.format(path, listed(frame.columns)))
    return frame


def format_of(path: str) -> tuple[str, str, bool]:
    """Return the path with its ``~`` expanded, the kind of file (``folder`` is one), and whether it is gzipped.

    Raises:
        UserError: the name tells of no format that can be read.
    """
    if "://" not in path:
        path = os.path.expanduser(path)  # no shell expands the ~ in data.train=~/reviews.csv
        if Path(path).is_dir():
            return path, "folder", False
    name = path.split("?")[0].lower()
    zipped = name.endswith(".gz")
    suffix = Path(name.removesuffix(".gz")).suffix
    if suffix not in FORMATS:
        if "://" in path or Path(path).exists() or suffix:
            raise UserError(f"{path}: expected a file named {', '.join(FORMATS)} (or with .gz after it), or a folder.")
        read_bytes(path, zipped)  # which tells that there is no such file
    return path, FORMATS[suffix], zipped


def column(frame: pl.DataFrame, name: str | int, key: str, where: str) -> pl.Series:
    """Return a column by name or by number (from 0).

    Args:
        frame: where to look.
        name: the column.
        key: the option that named it, for the message.
        where: the file, for the message.

    Raises:
        UserError: no such column, with a list of those there are.
    """
    if isinstance(name, int) and str(name) not in frame.columns:
        if not 0 <= name < frame.width:
            raise UserError(f"{key}={name}: {where} has columns 0 to {frame.width - 1}.")
        return frame.to_series(name)
    if str(name) not in frame.columns:
        hint = nearest(str(name), frame.columns) or f" A file without a header has columns by number: {key}=1"
        raise UserError(f"{key}={name}: no such column in {where}, which has {listed(frame.columns)}.{hint}")
    return frame[str(name)]


def as_strings(values: pl.Series, where: str) -> pl.Series:
    """Return a column as strings.

    Args:
        values: of any type that has a text: strings, numbers, dates, ...
        where: the file, for the message.

    Raises:
        UserError: lists, objects or bytes, as JSON lines and Parquet can hold.
    """
    try:
        if not values.dtype.is_nested():
            return values.cast(pl.String)
    except PolarsError:
        pass
    raise UserError(f"{where}: expected words or numbers in column {values.name!r}; it holds {values.dtype}.")


def read_bytes(path: str, zipped: bool) -> bytes:
    """Return the content of a file, unzipped.

    Raises:
        UserError: it can't be opened or read, or is no whole gzip file.
    """
    with opened(path) as file:
        content: bytes = file.read()
        return gzip.decompress(content) if zipped else content


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """Open a local file or a URL; what goes wrong while it is open is told as a `UserError`."""
    try:
        if "://" in path:
            import fsspec

            with fsspec.open(path, "rb") as file:
                yield file
        else:
            with open(path, "rb") as file:
                yield file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path}: not a whole gzip file ({error}). Was the download cut off?") from None
    except FileNotFoundError as error:
        if "://" in path:  # fsspec says so of a server that refuses, or that can't be reached, too
            raise UserError(f"{path}: it can't be opened: {error.__cause__ or error}") from None
        folder = Path(path).parent
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        hint = nearest(Path(path).name, names) if names else f" There is no folder {str(folder)!r} either."
        raise UserError(f"{path}: no such file (seen from {Path.cwd()}).{hint}") from None
    except ImportError as error:
        raise UserError(
            f"{path}: opening it needs another package: {error}. Try: pip install 'rosenblatt[hf]'"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: it can't be read: {error}") from None


def is_utf8(encoding: str) -> bool:
    """Return whether this is a name of UTF-8.

    Raises:
        UserError: there is no such encoding.
    """
    try:
        "a".encode(encoding)
    except LookupError:
        raise UserError(f"data.encoding={encoding}: no such encoding. Try utf-8, latin-1, cp1251 or utf-16.") from None
    return encoding.lower().replace("_", "-") in ("utf-8", "utf8")


def to_utf8(path: str, content: bytes, encoding: str) -> bytes:
    """Check, or convert, the encoding; a byte order mark is dropped.

    Raises:
        UserError: a byte that is none in that encoding, with its place.
    """
    try:
        if not is_utf8(encoding):
            return content.decode(encoding).encode()
        _check_utf8(content)
        return content.removeprefix(codecs.BOM_UTF8)
    except UnicodeDecodeError as error:
        before = content[: error.start]
        guess = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        raise UserError(
            f"{path}: expected text in {encoding}; line {before.count(10) + 1} has the byte "
            f"{content[error.start]:#04x} at position {error.start - before.rfind(10)}, which is none. "
            f"If the file has another encoding, say so: data.encoding={guess}"
        ) from None


def _check_utf8(content: bytes) -> None:
    """Raise UnicodeDecodeError where bytes are no UTF-8; ten times as fast as any parser after it.

    By blocks: as a whole, a text with one emoji would take four bytes a character.
    """
    start = 0
    try:
        while start < len(content):
            start += codecs.utf_8_decode(content[start : start + BLOCK], "strict", start + BLOCK >= len(content))[1]
    except UnicodeDecodeError:
        content.decode()  # raises it again, with its place in the whole


def class_files(folder: Path) -> list[tuple[Path, str]]:
    """Return the files ``folder/CLASS/anything``, each a text, with the name of their folder, the label.

    Raises:
        UserError: there are none.
    """
    found: list[tuple[Path, str]] = []
    for kind in sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        files = sorted(file for file in kind.iterdir() if file.is_file() and not file.name.startswith("."))
        if not files:
            log.warning("%s: the folder of class %r is empty.", folder, kind.name)
        found += [(file, kind.name) for file in files]
    if not found:
        raise UserError(f"{folder}: expected a folder with a folder for each class, such as {folder}/pos/1.txt.")
    return found
