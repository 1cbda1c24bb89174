"""Stretches of a text file to rows, of which some may be broken; here those of a row a line: texts, fastText, JSON."""

from __future__ import annotations

import io
import json
import logging
import math
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl
from polars.exceptions import PolarsError

from rosenblatt.data.source import BLOCK, TextFile, check_encoding
from rosenblatt.errors import UserError

log = logging.getLogger(__name__)

LABEL = "__label__"
SPOILT = re.compile("[\udc80-\udcff]")  # what "surrogateescape" makes of a byte that is no UTF-8
NOT_OF_THE_ENCODING = "it holds a byte that the encoding does not have"


class Broken(NamedTuple):
    """A row that can't be read: its number in a stretch, from 0; the byte where it begins; what is wrong with it."""

    row: int
    at: int
    reason: str


class Rows(NamedTuple):
    """What became of a stretch of a file: its rows, the bytes they took, which can't be read, and which are odd."""

    frame: pl.DataFrame
    num_bytes: int
    broken: Sequence[Broken] = ()
    odd: Sequence[Broken] = ()


class RowReader(ABC):
    """Takes rows from what is left of a file: as fast as Polars where all is in order, one by one where it is not.

    Attributes:
        columns: their names, as far as they are known before any row.
        num_empty: rows of empty cells so far, which are left out.
        remarks: what is to be told of how the file is read.
    """

    piece = 1 << 16  # bytes that are read row by row where one of them is broken
    size = BLOCK  # bytes that are tried at once
    columns: Sequence[str] = ()
    num_empty = 0
    remarks: Sequence[str] = ()

    def take(self, text: TextFile) -> Rows | None:
        """Return whole rows that a file goes on with; ``None`` where more of it has to be read for that."""
        while text.at < len(text.data):
            stop = min(text.at + self.size, len(text.data))
            last = text.last and stop == len(text.data)
            end = stop if last else self.end_of_rows(text.data, text.at, stop)
            if end > text.at:
                whole = end - text.at == len(text.data)  # then nothing has to be copied
                frame = self.quickly(text.data if whole else memoryview(text.data)[text.at : end])
                self.size = self.piece if frame is None else min(2 * self.size, BLOCK)
                if frame is not None:
                    return Rows(frame, end - text.at)
            # Where a row is broken, nobody knows which line break ends it: all lines are looked at.
            end = stop if last else text.data.rfind(b"\n", text.at, stop) + 1
            if end > text.at:
                rows = self.one_by_one(text.data[text.at : end], last, text.patience)
                if rows.num_bytes:
                    return rows
            if stop == len(text.data):
                break
            self.size = 2 * (stop - text.at)
        return None

    def end_of_rows(self, data: bytes, start: int, stop: int) -> int:
        """Return where the last whole row of a stretch of data ends; at its start or before where none does."""
        return data.rfind(b"\n", start, stop) + 1

    @abstractmethod
    def quickly(self, content: bytes | memoryview) -> pl.DataFrame | None:
        """Return whole rows where all of them are in order, ``None`` otherwise."""

    @abstractmethod
    def one_by_one(self, data: bytes, last: bool, patience: int) -> Rows:
        """Return the rows that whole lines begin with, the broken ones in their place.

        Unless the file ends there, a row with line breaks in it may go on, up to ``patience`` bytes.
        """


class Lines(RowReader):
    """Reads texts, one a line, of which blank ones are rows too, or fastText lines, which hold ``__label__``."""

    columns = ("text", "label")

    def __init__(self, fasttext: bool) -> None:
        self.fasttext = fasttext

    def quickly(self, content: bytes | memoryview) -> pl.DataFrame | None:
        """Return a row for each line."""
        try:
            return self._frame(str(content, "utf-8").removesuffix("\n").split("\n"))
        except UnicodeDecodeError:
            return None

    def one_by_one(self, data: bytes, last: bool, patience: int) -> Rows:
        """Return a row for each line, with a mark for each byte that the encoding does not have."""
        lines: list[str] = []
        broken, at = [], 0
        for line in data.removesuffix(b"\n").split(b"\n"):
            text = line.decode(errors="surrogateescape")
            if SPOILT.search(text):
                broken.append(Broken(len(lines), at, NOT_OF_THE_ENCODING))
            if text.strip() or not self.fasttext:
                lines.append(SPOILT.sub("\ufffd", text))
            at += len(line) + 1
        return Rows(self._frame(lines), len(data), broken)

    def _frame(self, lines: list[str]) -> pl.DataFrame:
        """Return ``text``, and of fastText lines that are not blank ``label``, a list."""
        frame = pl.DataFrame({"text": lines}, schema={"text": pl.String})
        text = pl.col("text")
        if not self.fasttext:
            return frame.select(text.str.strip_suffix("\r"))
        label = text.str.extract_all(rf"(?:^|\s){LABEL}\S+")
        return frame.filter(text.str.strip_chars() != "").select(
            text.str.replace_all(rf"(^|\s){LABEL}\S+", "").str.strip_chars(),
            label.list.eval(pl.element().str.strip_chars().str.strip_prefix(LABEL)).alias("label"),
        )


class JsonLines(RowReader):
    """Reads JSON lines with the columns and types of those that have been read first.

    A key that comes up later is left out, with a warning. A row with a value of another type can't be read; where the
    column holds strings, any value is one. A key that a line lacks is null.
    """

    size = sys.maxsize  # all that has been read tells the types

    def __init__(self, path: str) -> None:
        self.path = path
        self.schema: Mapping[str, Any] = {}  # names and Polars types, once there were rows
        self.watches_keys = True

    def quickly(self, content: bytes | memoryview) -> pl.DataFrame | None:
        """Return the rows where all lines are objects with values of the known types."""
        content = _standard(bytes(content))
        try:
            if self.schema:
                return self._read(content)
            frame = _inferred(content)
        except PolarsError:
            return None
        self.schema = frame.schema
        return frame

    def one_by_one(self, data: bytes, last: bool, patience: int) -> Rows:
        """Return a row a line, null where it can't be read."""
        lines = data.split(b"\n")
        self.schema = self.schema or _common_schema(_standard(data).split(b"\n"))
        kept: list[bytes] = []
        broken, at = [], 0
        for line in lines:
            if line.strip(b" \t\r"):
                row = json_object(line)
                problem = row if isinstance(row, str) else None
                values = {} if isinstance(row, str) else {name: row.get(name) for name in self.schema}
                for name, value in values.items():
                    if not _fits(value, self.schema[name]):
                        values[name] = None
                        told = json.dumps(value)[:40]
                        problem = problem or f"{name!r} is {told}; the first rows have {self.schema[name]}"
                if problem is not None:
                    broken.append(Broken(len(kept), at, problem))
                kept.append(json.dumps(values).encode())
            at += len(line) + 1
        return Rows(self._read(b"\n".join(kept)) if self.schema else pl.DataFrame(), len(data), broken)

    def _read(self, content: bytes | memoryview) -> pl.DataFrame:
        # Polars refuses a schema with a key that is in no line; so there is a line with all of them.
        named = io.BytesIO(b"".join((json.dumps(dict.fromkeys(self.schema)).encode(), b"\n", content)))
        if self.watches_keys:
            frame = pl.read_ndjson(named, schema_overrides=self.schema, infer_schema_length=None)
        else:
            frame = pl.read_ndjson(named, schema=self.schema)
        if frame.width > len(self.schema):
            self.watches_keys = False  # which takes most of the time
            new = frame.columns[len(self.schema)]
            log.warning("%s: the key %r comes up after the first block of rows only. It is left out.", self.path, new)
        return frame.select(*self.schema).slice(1)


def _standard(content: bytes) -> bytes:
    """Return JSON lines without NaN and infinity, which JSON does not have, and Python and pandas write."""
    if not re.search(rb"NaN|Infinity", content):
        return content
    lines = content.split(b"\n")
    for number, line in enumerate(lines):
        if re.search(rb"NaN|Infinity", line) and isinstance(row := json_object(line), dict):
            lines[number] = json.dumps(row).encode()
    return b"\n".join(lines)


def json_object(line: bytes) -> dict[str, Any] | str:
    """Return a JSON object, or what is wrong with it."""
    try:
        row = DECODER.decode(line.decode())
    except UnicodeDecodeError:
        return NOT_OF_THE_ENCODING
    except RecursionError:
        return "it is no JSON: it is nested too deeply"
    except json.JSONDecodeError as error:
        return f"it is no JSON: {error.msg} at character {error.colno}"
    except ValueError as error:
        return f"it is no JSON: {error}"
    return row if isinstance(row, dict) else 'expected an object such as {"text": "...", "label": "..."}'


def lines_of_array(text: TextFile) -> TextFile:
    """Return the elements of a JSON array, one a line; a `UserError` tells that it is none."""
    while not text.last:
        text.more()
    try:
        rows = DECODER.decode(text.data.decode())
    except UnicodeDecodeError:
        check_encoding(text.path, text.raw, text.encoding)
        raise
    except json.JSONDecodeError as error:
        raise UserError(
            f"{text.path}: expected an array of objects, [{{...}}, ...]; it is no JSON at line {error.lineno}, "
            f"character {error.colno} ({error.msg})."
        ) from None
    except (RecursionError, ValueError) as error:
        raise UserError(f"{text.path}: expected an array of objects; it can't be read: {error}.") from None
    if not rows:
        raise UserError(f"{text.path}: expected rows; the array is empty.")
    content = "\n".join(json.dumps(row) for row in rows).encode()
    return TextFile(text.path, "", "utf-8", None, content)


def check_json_lines(text: TextFile) -> None:
    """Raise a `UserError` for a file that holds one JSON object, and not one a line."""
    line, _, rest = text.data.strip().partition(b"\n")
    row = json_object(line)
    if isinstance(row, dict) and (rest or not all(isinstance(one, dict | list) for one in row.values())):
        return
    raise UserError(
        f"{text.path}: expected an array of objects, [{{...}}, ...], or an object a line; it holds something else. "
        'From pandas: frame.to_json(path, orient="records").'
    )


def _number(digits: str) -> float | None:
    """Return a number, ``None`` for NaN and infinity, which Python and pandas write."""
    if digits in ("NaN", "Infinity", "-Infinity"):
        return None
    if not math.isfinite(float(digits)):
        raise ValueError(f"{digits[:20]} is no number")
    return float(digits)


def _whole(digits: str) -> int:
    value = int(digits)
    if value.bit_length() > 127:
        raise ValueError(f"a number of {len(digits)} digits")
    return value


# Numbers that Polars does not read are no JSON here either.
DECODER = json.JSONDecoder(parse_constant=_number, parse_float=_number, parse_int=_whole)


def _fits(value: Any, dtype: Any) -> bool:
    """Return whether Polars reads a JSON value as this type; all that JSON has can be read as a string."""
    if value is None or dtype == pl.String:
        return True
    if isinstance(dtype, pl.List):
        return isinstance(value, list) and all(_fits(one, dtype.inner) for one in value)
    if isinstance(dtype, pl.Struct):
        return isinstance(value, dict) and all(_fits(value.get(one.name), one.dtype) for one in dtype.fields)
    if isinstance(value, bool) or dtype == pl.Boolean:
        return isinstance(value, bool) and dtype == pl.Boolean
    if dtype.is_float():
        return isinstance(value, int | float)
    return isinstance(value, int) and (dtype != pl.Int64 or -(2**63) <= value < 2**63)


def _inferred(content: bytes | memoryview) -> pl.DataFrame:
    """Return rows with the types that all of them have in common; columns without a value yet hold strings."""
    frame = pl.read_ndjson(io.BytesIO(content), infer_schema_length=None)
    return frame.cast({name: _with_strings(dtype) for name, dtype in frame.schema.items()})


def _common_schema(lines: list[bytes]) -> Mapping[str, Any]:
    """Return columns and types of the lines that are objects; none where no line is one."""
    lines = [line for line in lines if isinstance(json_object(line), dict)]
    while lines:
        try:
            return _inferred(b"\n".join(lines)).schema
        except PolarsError:  # values that have no type in common: what comes first is believed
            lines = lines[: len(lines) // 2]
    return {}


def _with_strings(dtype: Any) -> Any:
    if dtype == pl.Null:
        return pl.String()
    if isinstance(dtype, pl.List):
        return pl.List(_with_strings(dtype.inner))
    if isinstance(dtype, pl.Struct):
        return pl.Struct({one.name: _with_strings(one.dtype) for one in dtype.fields})
    return dtype
