"""A text file read block by block, in UTF-8 whatever its encoding; what its encoding does not have is kept, marked."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import stat
from collections.abc import Iterator
from typing import IO, NamedTuple

from rosenblatt.data.files import EMPTY, is_utf8, opened, to_utf8
from rosenblatt.errors import UserError

MARK = "rosenblatt-mark"  # error handler of codecs: what can't be decoded becomes one byte that is no UTF-8
PATIENCE = 1 << 20  # bytes, where blocks are smaller: how far to look for the end of something that has begun

codecs.register_error(MARK, lambda error: ("\udcff", error.end))  # type: ignore[attr-defined]


class TextFile:
    """What is left of a text file as far as it has been read; at first as much as holds a line.

    Args:
        path: of the file, see `rosenblatt.data.files.read_frame`.
        zipped: whether with gzip.
        encoding: of its text.
        block_bytes: how much is read at a time.

    Attributes:
        data: what is left, in UTF-8 but for bytes that the encoding does not have. Lines end with a line feed.
        last: whether the file ends there.
        num_bytes: how much of the file has been read.
        total_bytes: size of the file, or ``None`` where nobody knows it.
        patience: how many bytes something that has begun may go on before it is taken for broken.

    Raises:
        UserError: it can't be opened, is empty, or is no whole gzip file.
    """

    def __init__(self, path: str, zipped: bool, encoding: str, block_bytes: int) -> None:
        self.path = path
        self.encoding = encoding
        self.patience = max(block_bytes, PATIENCE)
        self.data = b""
        self.last = False
        self.num_bytes = 0
        self.total_bytes: int | None = None
        self._chunks = _chunks(path, zipped, encoding, block_bytes)
        self._raw: bytes | None = b""
        self._old_mac = False
        while not self.last and not self._has_line():
            self.more()
        if not self.data or self.data.isspace():
            raise UserError(EMPTY.format(path))
        if b"\r" in self.data and b"\n" not in self.data:
            self._old_mac = True
            self.data = self.data.replace(b"\r", b"\n")

    def _has_line(self) -> bool:
        text = self.data.lstrip()
        return b"\n" in text or (len(self.data) >= self.patience and text != b"")

    def more(self) -> None:
        """Read a block more."""
        chunk = next(self._chunks, None)
        if chunk is None:
            self.last = True
            return
        self.data += chunk.content.replace(b"\r", b"\n") if self._old_mac else chunk.content
        self.num_bytes, self.total_bytes = chunk.num_bytes, chunk.total_bytes
        if self._raw is not None:
            self._raw += chunk.raw

    def check_encoding(self, first_only: bool) -> None:
        """Raise a `UserError` where the first line, or each one that has been read first, is not of the encoding."""
        assert self._raw is not None
        for line in filter(bytes.strip, io.BytesIO(self.data)):
            try:
                line.decode()
            except UnicodeDecodeError:
                if first_only:
                    to_utf8(self.path, self._raw, self.encoding)  # which tells where
            else:
                break
        else:
            to_utf8(self.path, self._raw, self.encoding)
        self._raw = None


class _Chunk(NamedTuple):
    raw: bytes
    content: bytes  # the same in UTF-8
    num_bytes: int
    total_bytes: int | None


def _chunks(path: str, zipped: bool, encoding: str, block_bytes: int) -> Iterator[_Chunk]:
    decoder = None if is_utf8(encoding) else codecs.getincrementaldecoder(encoding)(MARK)
    num_bytes = 0
    with opened(path) as file:
        total_bytes = _size_of(path, file)
        source = gzip.GzipFile(fileobj=file) if zipped else file
        while raw := source.read(max(block_bytes, len(codecs.BOM_UTF8))):
            content = raw if decoder is None else decoder.decode(raw).encode(errors="surrogateescape")
            if num_bytes == 0 and decoder is None:
                content = content.removeprefix(codecs.BOM_UTF8)
            # Of a zipped file the size is known as it is zipped.
            num_bytes = file.tell() if zipped and total_bytes is not None else num_bytes + len(raw)
            yield _Chunk(raw, content, num_bytes, total_bytes)
    if decoder is not None:
        yield _Chunk(b"", decoder.decode(b"", True).encode(errors="surrogateescape"), num_bytes, total_bytes)


def _size_of(path: str, file: IO[bytes]) -> int | None:
    if "://" in path:
        return getattr(file, "size", None)
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None  # a pipe has no size
