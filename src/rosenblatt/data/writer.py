"""Frames to one file, as they come: CSV, TSV, JSON lines (each also gzipped) and Parquet."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import polars as pl
from polars.exceptions import PolarsError

from rosenblatt.data.files import FORMATS, format_of
from rosenblatt.errors import UserError, first_line
from rosenblatt.run.whole import check_free, replace


class FrameWriter:
    """Writes frames with the same columns below each other; a context manager.

    The file appears under its name when the context is left in order, whole, and never otherwise.

    Args:
        path: of the file; the format follows from its name. ``-`` is standard output, as CSV.
        overwrite: whether a file of that name may be replaced.

    Attributes:
        num_rows: written so far.

    Raises:
        UserError: the name tells of no format, there is no such folder, or there is a file of that name. Later on: the
            file can't be written, or its format has no place for the type of a column.
    """

    def __init__(self, path: str, overwrite: bool = False) -> None:
        self.num_rows = 0
        self.path = Path(os.path.expanduser(path))
        self.name = "standard output" if path == "-" else path
        self._kind, self._zipped = "csv", False
        self._to_stdout = path == "-"
        if not self._to_stdout:
            kind, self._zipped = format_of(self.path.name)
            if kind in (None, "txt") or (self._zipped and kind == "parquet"):
                raise UserError(
                    f"{path}: expected a file named {', '.join(name for name in FORMATS if name != '.txt')} (or with "
                    ".gz after it, but for Parquet), or - for standard output."
                )
            self._kind = kind or ""
            self._check_place(overwrite)
        # Parquet can't be appended to: its parts wait in a folder until they are joined.
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        self._num_frames = 0
        self._schema: pl.Schema | None = None
        self._file: IO[bytes] | None = None
        self._zip: gzip.GzipFile | None = None

    def _check_place(self, overwrite: bool) -> None:
        if self.path.is_dir():
            raise UserError(f"{self.path}: expected the name of a file; it is a folder.")
        if not self.path.parent.is_dir():
            raise UserError(f"{self.path}: there is no folder {str(self.path.parent)!r}. Make it first.")
        check_free(self.path, overwrite)
        if not os.access(self.path.parent, os.W_OK):
            raise UserError(f"{self.path}: the folder {str(self.path.parent)!r} can't be written to.")

    def __enter__(self) -> FrameWriter:
        try:
            if self._to_stdout:
                self._file = sys.stdout.buffer
            elif self._kind == "parquet":
                shutil.rmtree(self._temporary, ignore_errors=True)  # of a process that was killed and had this number
                self._temporary.mkdir()
            else:
                self._file = open(self._temporary, "wb")
                if self._zipped:
                    self._zip = gzip.GzipFile("", "wb", 6, self._file, mtime=0)  # half the time of level 9, 1 % larger
        except OSError as error:
            raise self._not_written(error) from None
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Append the rows of a frame.

        Args:
            frame: with the same columns each time; the names of the first make the header, if it has rows or not.

        Raises:
            UserError: the file can't be written, or the format has no place for the type of a column.
        """
        if self._schema is None:
            self._schema = frame.schema
        assert frame.columns == self._schema.names()
        try:
            if self._kind == "parquet":
                frame.cast(self._schema).write_parquet(self._temporary / f"{self._num_frames:09}.parquet")
            else:
                file = self._zip or self._file
                assert file is not None, "FrameWriter is a context manager"
                file.write(self._encode(frame).getbuffer())
                if self._to_stdout:
                    file.flush()
        except BrokenPipeError:  # nobody reads standard output any more, which is no mistake
            raise
        except (OSError, PolarsError) as error:
            raise self._not_written(error) from None
        self._num_frames += 1
        self.num_rows += frame.height

    def _encode(self, frame: pl.DataFrame) -> io.BytesIO:
        unfit = [name for name, dtype in frame.schema.items() if not _has_place(dtype, self._kind)]
        if unfit:
            raise UserError(
                f"{self.name}: column {unfit[0]!r} holds {frame.schema[unfit[0]]}, for which "
                f"{'JSON lines have' if self._kind == 'jsonl' else 'a table of text has'} no place. "
                f"Write {'.parquet' if self._kind == 'jsonl' else '.jsonl or .parquet'} instead."
            )
        buffer = io.BytesIO()
        if self._kind == "jsonl":
            frame.write_ndjson(buffer)
        else:
            frame = frame.with_columns(
                _joined(name, dtype) for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)
            )
            separator = "\t" if self._kind == "tsv" else ","
            frame.write_csv(buffer, include_header=self._num_frames == 0, separator=separator)
        return buffer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._to_stdout:
            return
        try:
            if error is None:
                self._finish()
        except (OSError, PolarsError) as failed:
            raise self._not_written(failed) from None
        finally:
            with suppress(OSError):  # of a full disk, which has been told
                self._close()
            if self._kind == "parquet":
                shutil.rmtree(self._temporary, ignore_errors=True)
            else:
                self._temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        """Force what has been written to disk and give it its name."""
        whole = self._temporary
        if self._kind == "parquet":
            if self._num_frames == 0:
                self.write(pl.DataFrame())
            parts = sorted(self._temporary.iterdir())
            whole = self._temporary / "whole"
            pl.scan_parquet(parts, glob=False).sink_parquet(whole, maintain_order=True)
        else:
            self._close()
        replace(whole, self.path)

    def _close(self) -> None:
        try:
            if self._zip is not None:
                self._zip.close()
        finally:
            if self._file is not None:
                self._file.close()

    def _not_written(self, error: Exception) -> UserError:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        return UserError(f"{self.name}: it can't be written: {reason}.")


def _has_place(dtype: pl.DataType, kind: str) -> bool:
    if kind == "jsonl":
        if isinstance(dtype, pl.List | pl.Array):
            return _has_place(dtype.inner, kind)  # type: ignore[arg-type]
        if isinstance(dtype, pl.Struct):
            return all(_has_place(one.dtype, kind) for one in dtype.fields)  # type: ignore[arg-type]
        return dtype not in (pl.Binary, pl.Object)
    if isinstance(dtype, pl.List):
        return not dtype.inner.is_nested() and _has_place(dtype.inner, kind)  # type: ignore[arg-type]
    return not dtype.is_nested() and dtype not in (pl.Binary, pl.Object, pl.Duration)


def _joined(name: str, dtype: pl.DataType) -> pl.Expr:
    """Return the values of a list with commas between them."""
    assert isinstance(dtype, pl.List)
    value = pl.element()
    if dtype.inner.is_float():
        value = value.round_sig_figs(6)  # as many as a 32-bit float has
    return pl.col(name).list.eval(value.cast(pl.String)).list.join(",")
