"""JSON lines of which some may be broken: they stay in their place, and the others are read."""

from __future__ import annotations

import io
import json
import logging
import math
from collections.abc import Mapping
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from rosenblatt.data.line_rows import NO_ROWS, NOT_OF_THE_ENCODING, Rows, all_readable
from rosenblatt.data.parsers import parse_jsonl

log = logging.getLogger(__name__)

PIECE = 1024  # lines that are read one by one where one of them is broken

Schema = Mapping[str, Any]  # names and Polars types


class JsonLines:
    """Reads JSON lines with the columns and types of those that are given first.

    A key that comes up later is left out, with a warning. A row with a value of another type can't be read; where the
    column holds strings, any value is one.

    Args:
        path: for messages.
        patience: how many bytes are looked at to decide on columns and types.
    """

    def __init__(self, path: str, patience: int) -> None:
        self.path = path
        self.patience = patience
        self.schema: Schema | None = None
        self.watches_keys = True

    def take(self, data: bytes, last: bool) -> Rows:
        """Return the rows of whole lines; see `rosenblatt.data.line_rows.RowReader`."""
        content = data if last else data[: data.rfind(b"\n") + 1]
        if not content.strip() or (self.schema is None and not last and len(data) < self.patience):
            return NO_ROWS
        if self.schema is None:
            self.schema = _schema_of(content)
            if self.schema is None:
                parse_jsonl(content.decode(errors="replace").encode(), self.path)  # which tells what is wrong with it
                return NO_ROWS
        try:
            frame = self._read(content, self.schema)
            return Rows(frame, all_readable(frame.height), len(content))
        except PolarsError:
            lines = [line for line in content.split(b"\n") if line.strip(b" \t\r")]
        parts = [self._piece(lines[at : at + PIECE], self.schema) for at in range(0, len(lines), PIECE)]
        readable = pl.Series([one for _, good, _ in parts for one in good])
        reason = next((reason for _, _, reason in parts if reason), None)
        return Rows(pl.concat([frame for frame, _, _ in parts]), readable, len(content), reason)

    def _piece(self, lines: list[bytes], schema: Schema) -> tuple[pl.DataFrame, list[bool], str | None]:
        """Return rows, which of them are readable, and what is wrong with the first that is not."""
        try:
            return self._read(b"\n".join(lines), schema), [True] * len(lines), None
        except PolarsError:
            pass
        kept, readable, reason = [], [], None
        for line in lines:
            row = json_object(line)
            problem = row if isinstance(row, str) else None
            values = {} if isinstance(row, str) else {name: row.get(name) for name in schema}
            for name, value in values.items():
                if not _fits(value, schema[name]):
                    values[name] = None
                    problem = problem or f"{name!r} is {json.dumps(value)[:40]}; the first rows have {schema[name]}"
            kept.append(json.dumps(values).encode())
            readable.append(problem is None)
            reason = reason or problem
        return self._read(b"\n".join(kept), schema), readable, reason

    def _read(self, content: bytes, schema: Schema) -> pl.DataFrame:
        # Polars refuses a schema with a key that is in no line; so there is a line with all of them.
        content = json.dumps(dict.fromkeys(schema)).encode() + b"\n" + content
        if self.watches_keys:
            frame = pl.read_ndjson(io.BytesIO(content), schema_overrides=schema, infer_schema_length=None)
        else:
            frame = pl.read_ndjson(io.BytesIO(content), schema=schema)
        if frame.width > len(schema):
            self.watches_keys = False  # which takes most of the time
            new = frame.columns[len(schema)]
            log.warning("%s: the key %r comes up after the first block of rows only. It is left out.", self.path, new)
        return frame.select(*schema).slice(1)


def json_object(line: bytes) -> dict[str, Any] | str:
    """Return a JSON object, or what is wrong with it."""
    try:
        row = DECODER.decode(line.decode())
    except UnicodeDecodeError:
        return NOT_OF_THE_ENCODING
    except RecursionError:
        return "no JSON: it is nested too deeply"
    except ValueError as error:
        return f"no JSON: {error}"
    return row if isinstance(row, dict) else 'expected an object such as {"text": "..."}'


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is no number")
    return value


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


def _schema_of(content: bytes) -> Schema | None:
    """Return columns and types of these lines, those that are no objects left out; ``None`` where all are."""
    try:
        return _concrete(pl.read_ndjson(io.BytesIO(content), infer_schema_length=None).schema)
    except PolarsError:
        lines = [line for line in content.split(b"\n") if isinstance(json_object(line), dict)]
    while lines:
        try:
            return _concrete(pl.read_ndjson(io.BytesIO(b"\n".join(lines)), infer_schema_length=None).schema)
        except PolarsError:  # values that have no type in common: what comes first is believed
            lines = lines[: len(lines) // 2]
    return None


def _concrete(schema: Schema) -> Schema:
    """Replace the type of columns that have no value yet; as strings they can hold any."""
    return {name: _with_strings(dtype) for name, dtype in schema.items()}


def _with_strings(dtype: Any) -> Any:
    if dtype == pl.Null:
        return pl.String()
    if isinstance(dtype, pl.List):
        return pl.List(_with_strings(dtype.inner))
    if isinstance(dtype, pl.Struct):
        return pl.Struct(_concrete({one.name: one.dtype for one in dtype.fields}))
    return dtype
