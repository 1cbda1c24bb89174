"""JSON lines: one object a line."""

from __future__ import annotations

import io
import json
import logging
import math
import sys
from collections.abc import Mapping
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from rosenblatt.data.lines import NOT_OF_THE_ENCODING, Broken, RowReader, Rows

log = logging.getLogger(__name__)


class JsonLines(RowReader):
    """Reads JSON lines with the columns and types of those that have been read first.

    A key that comes up later is left out, with a warning. A row with a value of another type can't be read; where the
    column holds strings, any value is one. A key that a line lacks is null.

    Args:
        path: of the file, for messages.
    """

    size = sys.maxsize  # all that has been read tells the types

    def __init__(self, path: str) -> None:
        self.path = path
        self.schema: Mapping[str, Any] = {}  # names and Polars types, once there were rows
        self.watches_keys = True

    def quickly(self, content: bytes | memoryview) -> pl.DataFrame | None:
        """Return the rows where all lines are objects with values of the known types."""
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
        self.schema = self.schema or _common_schema(lines)
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


def _number(digits: str) -> float:
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
