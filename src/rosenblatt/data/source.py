"""The bytes of a file: opened, whole or block by block; text in UTF-8 whatever its encoding."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO

from rosenblatt.errors import UserError, listed, nearest

EMPTY = "{}: the file is empty."
BLOCK = 1 << 24  # bytes
PATIENCE = 1 << 20  # bytes that are looked at to decide how a file is read, and to find the end of what has begun
MARKS = {  # at the start of a text, and its encoding; of two that begin alike the longer one comes first
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
OTHERS = {  # how files begin that have the name of another kind
    b"pk\x03\x04": "an Excel file, or another zip. Name it .xlsx, or .zip",
    b"\x1f\x8b": "packed with gzip. Add .gz to its name",
    b"par1\x15": "a Parquet file. Name it .parquet",
    b"<!doctype html": "a web page. Did the download want a password?",
    b"<html": "a web page. Did the download want a password?",
}
MARK = "rosenblatt-mark"  # error handler of codecs: what can't be decoded becomes one byte that is no UTF-8

codecs.register_error(MARK, lambda error: ("\udcff", error.end))  # type: ignore[attr-defined]


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
    except (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error):
        kind = "zip" if path.lower().endswith(".zip") else "gzip"
        raise UserError(f"{path}: not a whole {kind} file. Was the download cut off?") from None
    except FileNotFoundError as error:
        if "://" in path:  # fsspec says so of a server that refuses, or that can't be reached, too
            raise UserError(f"{path}: it can't be opened: {error.__cause__ or error}") from None
        name, folder = Path(path).name, Path(path).parent
        hint = nearest(name, os.listdir(folder)) if folder.is_dir() else f" There is no folder {str(folder)!r} either."
        raise UserError(f"{path}: no such file (seen from {Path.cwd()}).{hint}") from None
    except ImportError as error:
        kind = path.partition("://")[0]
        package = (
            "pip install 'rosenblatt[hf]'" if kind == "hf" else f"pip install the one that fsspec has for {kind}://"
        )
        raise UserError(f"{path}: opening it needs another package. Try: {package}") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: it can't be read: {error}") from None


def unpacked(file: IO[bytes], packing: str, path: str) -> IO[bytes]:
    """Return the content of an open file, whose packing is ``gz``, ``zip`` (of one file) or nothing, to be read."""
    if packing == "gz":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if packing == "zip":
        archive = zipfile.ZipFile(file)
        [member] = _members(archive, path)
        try:
            return archive.open(member)
        except (RuntimeError, NotImplementedError):
            raise UserError(f"{path}: it needs a password, or is packed in an unusual way. Unpack it first.") from None
    return file


def name_within(path: str) -> str:
    """Return the name of the only file in a zip file."""
    with opened(path) as file:
        return _members(zipfile.ZipFile(file), path)[0]


def _members(archive: zipfile.ZipFile, path: str) -> list[str]:
    names = [name for name in archive.namelist() if not re.search(r"(^|/)(\.|__MACOSX/)|/$", name)]
    if len(names) != 1:
        there = f"it holds {listed(names, 6)}" if names else "it holds none"
        raise UserError(f"{path}: expected a zip file with one file in it; {there}. Unpack it, and give one of them.")
    return names


def read_bytes(path: str, packing: str) -> bytes:
    """Return the content of a file, unpacked; see `opened` and `unpacked`."""
    with opened(path) as file:
        return unpacked(file, packing, path).read()


def encoding_of(content: bytes, encoding: str) -> str:
    """Return what the mark at the start of a text says, or ``encoding`` where there is none.

    UTF-16 without a mark, read as UTF-8, would be a text with a NUL beside each letter.
    """
    for mark, name in MARKS.items():
        if content.startswith(mark):
            return name
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if is_utf8(encoding) and content[first:64:2].count(0) > 16:
            return name
    return encoding


def is_utf8(encoding: str) -> bool:
    """Return whether this is a name of UTF-8; a `UserError` tells that there is no such encoding."""
    try:
        "a".encode(encoding)
    except LookupError:
        raise UserError(f"data.encoding={encoding}: no such encoding. Try utf-8, latin-1, cp1251 or utf-16.") from None
    return encoding.lower().replace("_", "-") in ("utf-8", "utf8")


def check_encoding(path: str, content: bytes, encoding: str) -> None:
    """Raise a `UserError` for the first byte that is none in that encoding, with its place."""
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        before = content[: error.start]
        raise UserError(
            f"{path}: expected text in {encoding}; line {before.count(10) + 1} has the byte "
            f"{content[error.start]:#04x} at position {error.start - before.rfind(10)}, which is none. "
            "If the file has another encoding, say so: data.encoding="
            + ("cp1252" if re.search(rb"[\x80-\x9f]", content) else "latin-1")
        ) from None


class TextFile:
    """What is left of a text file as far as it has been read; at first as much as tells how to read it.

    Args:
        path: see `rosenblatt.data.files.read_blocks`, as for ``encoding`` and ``block_bytes``.
        packing: see `unpacked`.
        content: of the file, if that has been read already, as lines that are not its own.

    Attributes:
        data: what has been read, in UTF-8 but for bytes that the encoding does not have. Lines end with a line feed.
        at: where in ``data`` the rows begin that are not done with.
        last: whether the file ends there.
        num_bytes: how much of the file has been read, of ``total_bytes``, which nobody knows of a pipe.
        raw: what has been read first, as it stands in the file.
        patience: how many bytes something that has begun may go on before it is taken for broken.

    Raises:
        UserError: it can't be opened, is empty, or is no whole gzip file.
    """

    def __init__(
        self, path: str, packing: str, encoding: str, block_bytes: int | None, content: bytes | None = None
    ) -> None:
        is_utf8(encoding)  # tells if there is no such encoding
        self.path = path
        self.encoding = encoding
        self.patience = max(block_bytes or 0, PATIENCE)
        self.data, self.at = b"", 0
        self._num_lines = 0  # before data
        self.last = False
        self.num_bytes = 0
        self.total_bytes: int | None = None
        self.raw = b""
        self._old_mac = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._translate: Callable[[bytes], bytes] | None = None
        self._held = b""
        self.has_lines = content is None
        self._chunks = self._read(packing, block_bytes) if content is None else iter([content])
        while not self.last and (block_bytes is None or len(self.data) < self.patience or self.data.isspace()):
            self.raw += self.more()
        if not self.data or self.data.isspace():
            raise UserError(EMPTY.format(path))
        for start, kind in OTHERS.items():
            if self.data[:64].lstrip().lower().startswith(start):
                raise UserError(f"{path}: expected text; it is {kind}.")
        if b"\r" in self.data and b"\n" not in self.data:  # line ends of old Macs, and of Excel's "CSV (Macintosh)"
            self._old_mac = True
            self.data = self.data.replace(b"\r", b"\n")

    def more(self) -> bytes:
        """Read a block more, and return it as it stands in the file."""
        chunk = next(self._chunks, None)
        if chunk is None:
            self.last = True
            self.data, self._held = self.data + self._held, b""
            return b""
        content = chunk
        if not self.raw and not self.data:
            self.encoding = encoding_of(chunk, self.encoding)
            if not is_utf8(self.encoding):
                self._decoder = codecs.getincrementaldecoder(self.encoding)(MARK)
            content = chunk.removeprefix(codecs.BOM_UTF8).removeprefix(codecs.BOM_UTF8)  # some programs add another
        if self._decoder is not None:
            content = self._decoder.decode(chunk, final=not chunk).encode(errors="surrogateescape")
        if self._translate is not None:
            content = self._held + content
            end = len(content) - (len(content) - len(content.rstrip(b"\\"))) % 2  # what follows on it decides
            content, self._held = self._translate(content[:end]), content[end:]
        self._num_lines += self.data.count(b"\n", 0, self.at)
        content = content.replace(b"\r", b"\n") if self._old_mac else content
        self.data = b"".join((memoryview(self.data)[self.at :], content)) if self.data else content
        self.at = 0
        return chunk

    def translate(self, translate: Callable[[bytes], bytes]) -> None:
        """Have all that follows translated, pairs of a backslash and what it stands before left whole."""
        self.data, self._translate = translate(self.data), translate

    def skip(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Leave out what is at the start, and return it."""
        found = pattern.match(self.data)
        if found and found.end():
            self._num_lines += self.data.count(b"\n", 0, found.end())
            self.data = self.data[found.end() :]
        return found

    def line_of(self, num_bytes: int) -> int:
        """Return the number of the line, from 1, in which something stands so far behind the rows that were read."""
        return self._num_lines + self.data.count(b"\n", 0, self.at + num_bytes) + 1

    def check_encoding(self, first_line: bool) -> None:
        """Raise a `UserError` unless the first line, or any, of what has been read first is of the encoding."""
        lines = islice(filter(bytes.strip, io.BytesIO(self.data)), 1 if first_line else None)
        if not any(line.decode(errors="ignore").encode() == line for line in lines):
            check_encoding(self.path, self.raw, self.encoding)

    def _read(self, packing: str, block_bytes: int | None) -> Iterator[bytes]:
        """Yield the file as it stands there, unpacked; an empty block tells a decoder that it ends."""
        with opened(self.path) as file:
            local = "://" not in self.path
            self.total_bytes = (os.fstat(file.fileno()).st_size if local else getattr(file, "size", None)) or None
            source = unpacked(file, packing, self.path)
            while raw := source.read(-1 if block_bytes is None else max(block_bytes, 0 if self.num_bytes else 64)):
                # Of a packed file the size is known as it is packed.
                known = packing and self.total_bytes is not None
                self.num_bytes = file.tell() if known else self.num_bytes + len(raw)
                yield raw
        if self._decoder is not None:
            yield b""
