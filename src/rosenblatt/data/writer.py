"""Frames to one file, as they come: CSV, TSV, JSON lines (each also gzipped) and Parquet."""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import polars as pl
from polars.exceptions import PolarsError

from rosenblatt.data.files import FORMATS, format_of
from rosenblatt.errors import UserError, first_line
from rosenblatt.run.whole import check_free, replace

NO_PLACE_IN_JSON = "Binary|Object"  # types of columns, or within them
NO_PLACE_IN_A_TABLE = rf"{NO_PLACE_IN_JSON}|Duration|Struct|Array|List\(List"


class FrameWriter:
    """Writes frames with the same columns below each other; a context manager.

    The file appears under its name when the context is left in order, whole, and never otherwise.

    Args:
        path: of the file; the format follows from its name. ``-`` is standard output, as CSV.
        overwrite: whether a file of that name may be replaced.

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
        """Append the rows of a frame.

        Args:
            frame: with the same columns each time; the names of the first make the header, if it has rows or not.

        Raises:
            UserError: the file can't be written, or the format has no place for the type of a column.
        """
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._path is None:
            return
        try:
            with suppress(OSError) if error else self._telling():  # a full disk has been told
                self._open.close()
            if error is None:
                with self._telling():
                    self._finish(self._path)
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _finish(self, path: Path) -> None:
        """Force what has been written to disk and give it its name."""
        if self._kind == "parquet":
            if self._num_frames == 0:
                self.write(pl.DataFrame())
            parts = sorted(self._temporary.iterdir())
            pl.scan_parquet(parts, glob=False).sink_parquet(self._whole, maintain_order=True)
        replace(self._whole, path)

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
