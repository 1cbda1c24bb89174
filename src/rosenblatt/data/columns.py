"""Which columns of a file hold what, and how it is read: as in training, so also when a saved model meets new files."""

from __future__ import annotations

import ast
import json
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import polars as pl
from polars.exceptions import PolarsError

from rosenblatt.data.delimited import TWICE
from rosenblatt.data.dialect import is_number
from rosenblatt.data.files import Block, read_blocks
from rosenblatt.data.numbers import numbers_of
from rosenblatt.data.source import PATIENCE
from rosenblatt.errors import UserError, listed, nearest
from rosenblatt.tasks.inference import MAX_NUMBER

BrokenRows: TypeAlias = Literal["refuse", "skip"]
log = logging.getLogger(__name__)

ZERO_OR_ONE = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True)
class Columns:
    """How labelled rows are read from a file.

    Args:
        label: name, or number from 0, of the column with the label; several, of 0 and 1: labels that a row may have.
        text: the same, of the columns with the text; none for a table, whose encoder knows its columns by name.
        label_separator: what stands between several labels in a cell, or ``None``.
        header: whether CSV and TSV files begin with column names; ``None``: they do unless columns are given by number.
        encoding: of text files.
        separator: of the cells of a table, as it is typed; ``None``: what fits.
        broken_rows: ``refuse`` a file to learn from that has a row that can't be read or has no label, or ``skip`` it.
        decimal: of labels that are numbers as people write them, see `rosenblatt.data.numbers.Reading`; or empty.
    """

    label: str | int | tuple[str | int, ...] = "label"
    text: tuple[str | int, ...] = ()
    label_separator: str | None = None
    header: bool | None = None
    encoding: str = "utf-8"
    separator: str | None = None
    broken_rows: BrokenRows = "refuse"
    decimal: str = ""

    def named(
        self,
        text: str | int | Sequence[str | int] | None = None,
        label: str | int | Sequence[str | int] | None = None,
        **how: Any,
    ) -> Columns:
        """Return the columns of a file that names them otherwise, or is written otherwise; ``None``: as here."""
        if label == []:
            raise UserError("data.label_column is empty. Give the name of a column, or several of 0 and 1: [toxic,bad]")
        labels = (label,) if isinstance(label, str | int) else tuple(label or ())
        return replace(
            self,
            text=self.text if text is None else (text,) if isinstance(text, str | int) else tuple(text),
            label=self.label if not labels else labels[0] if len(labels) == 1 else labels,
            **{key: value for key, value in how.items() if value is not None},
        )

    def read(self, path: str) -> pl.DataFrame:
        """Read a file whole.

        Raises:
            UserError: a row can't be read; or, where such rows are skipped, most can't.
        """
        refuse = self.broken_rows == "refuse"
        blocks = list(self.blocks(path, block_bytes=None, strict=refuse))
        frame, readable = pl.concat([one.frame for one in blocks]), pl.concat([one.readable for one in blocks])
        hint = f"Is data.separator right ({self.separator or 'it was found out'})?"
        return _without(frame, readable, path, "can't be read", hint, len(readable) / 2)

    def labelled(
        self, frame: pl.DataFrame, labels: pl.Series, where: str, task: str | None
    ) -> tuple[pl.DataFrame, pl.Series]:
        """Return rows and their labels, see `labels_of`, without those that have none."""
        lack, there = "no number for a label" if task == "regression" else "no label", labels.is_not_null()
        hint = "Is data.label_column the right column?"
        return _without(frame, there, where, f"have {lack}", hint, 1), labels.filter(there)

    def blocks(self, path: str, **options: Any) -> Iterator[Block]:
        """Read a file block by block, with options of `rosenblatt.data.files.read_blocks`."""
        header = self.settled(path).header is not False
        return read_blocks(path, self.encoding, header, self.separator, **options)

    def settled(self, path: str) -> Columns:
        """Return these columns with a header, or without, where columns by number leave that to the rows of a file."""
        names = [*self.labels, *self.text]
        numbers = [str(name) for name in names if isinstance(name, int)]
        if self.header is not None or not numbers:
            return self
        frame = next(read_blocks(path, self.encoding, False, self.separator, PATIENCE, quiet=True)).frame
        row = [None if cell is None else str(cell) for cell in frame.row(0)]
        # 2020 may be a name, but not of a column that holds it again.
        alone = [one for one, cells in zip(row, frame, strict=True) if one and one not in cells[1:].cast(pl.String)]
        named = set(numbers) <= set(alone) or any(one in row for one in names if isinstance(one, str))
        header = named or self._begins_with_word(frame)
        if header:
            log.info("%s: its first row is taken for a header. If it is none: data.header=false", path)
        return replace(self, header=header)

    def _begins_with_word(self, frame: pl.DataFrame) -> bool:
        """Return whether a word stands above labels that are all numbers, or all 0 and 1 or words for them."""
        name = str(self.labels[0])
        if frame.columns[0] != "0" or name not in frame.columns:
            return False
        cells = frame[name].str.strip_chars()
        known = _as_marks(cells).is_not_null()
        for form in ("", ".", ","):
            known |= numbers_of(cells, form).is_not_null()
        return len(known) > 1 and bool(cells[0]) and not known[0] and bool(known[1:].all())

    @property
    def labels(self) -> tuple[str | int, ...]:
        """Names or numbers of the columns with labels."""
        return self.label if isinstance(self.label, tuple) else (self.label,)

    def label_names(self, frame: pl.DataFrame, where: str) -> list[str]:
        """Return the names of the columns with labels: each is there, is given once, and is none of the text."""
        names = [column(frame, name, "data.label_column", where).name for name in self.labels]
        if twice := [name for name in names if names.count(name) > 1]:
            raise UserError(f"data.label_column: {twice[0]!r} is there twice. Take one of them out.")
        texts = [name for name in self.text if isinstance(name, int) or str(name) in frame.columns]
        if both := [one for one in (column(frame, name, "", where).name for name in texts) if one in names]:
            raise UserError(f"data.text_column and data.label_column are the same column, {both[0]!r}.")
        return names

    def labels_of(self, frame: pl.DataFrame, where: str, task: str | None = None) -> pl.Series:
        """Return the labels of each row of a file, as lists of strings; null where it has none and may be skipped.

        Rows of the task ``multilabel``, where it is known, may have no label; those of ``regression`` need a number.
        """
        names, skip = self.label_names(frame, where), self.broken_rows == "skip"
        if isinstance(self.label, tuple):
            marks = pl.DataFrame([_marks(frame[name], where, skip) for name in names])
            lists = pl.concat_list([pl.when(name).then(pl.lit(name)) for name in names]).list.drop_nulls()
            return marks.select(pl.when(pl.all_horizontal(pl.all().is_not_null())).then(lists))[:, 0].rename("label")
        labels = frame[names[0]]
        if self.decimal and labels.dtype == pl.String:  # what is no number stays what it is, for the message
            labels = numbers_of(labels, self.decimal).cast(pl.String).fill_null(labels)
        found = to_lists(labels, self.label_separator, f"{where}, column {self.label!r}", skip)
        if not skip or task == "multilabel" or (found.list.len() > 1).any():
            return found
        there = found.list.len() == 1
        if task == "regression":
            there &= found.list.first().cast(pl.Float64, strict=False).abs() <= MAX_NUMBER
        return pl.select(pl.when(there).then(found))[:, 0].rename("label")

    def texts_of(self, frame: pl.DataFrame, where: str) -> pl.Series:
        """Return the text of each row of a file: several columns joined with a space; nothing is an empty text."""
        parts = [column(frame, name, "data.text_column", where) for name in self.text]
        parts = [as_strings(part, where).fill_null("").alias(str(i)) for i, part in enumerate(parts)]
        if len(parts) == 1:
            return parts[0]
        return pl.DataFrame(parts).select(pl.concat_str(pl.all(), separator=" ")).to_series().rename("text")


def _without(frame: pl.DataFrame, kept: pl.Series, where: str, what: str, hint: str, least: float) -> pl.DataFrame:
    """Return the rows that are kept, which have to be so many at least; the others are told."""
    if not (num_others := int((~kept).sum())):
        return frame
    told = f"{where}: {num_others:,} of {len(kept):,} rows {what}"
    if len(kept) - num_others < least:
        raise UserError(f"{told}: too many to leave out. {hint}")
    log.warning("%s, and are left out.", told)
    return frame.filter(kept)


def _marks(values: pl.Series, where: str, skip: bool) -> pl.Series:
    words = as_strings(values, where)
    found = _as_marks(words)
    others = found.is_null()
    if skip:
        others &= words.fill_null("").str.strip_chars() != ""
    if num_others := others.sum():
        row = int(others.arg_true()[0])
        raise UserError(
            f"{where}, column {values.name!r}: expected 0 or 1 (or true and false, yes and no), as in each column of "
            f"data.label_column; {num_others:,} of {len(found):,} rows have something else (row {row + 1} has "
            f"{words[row] or 'nothing'!r}). Correct them, or take the column or these rows out."
        )
    return found


def _as_marks(words: pl.Series) -> pl.Series:
    plain = words.str.strip_chars().str.to_lowercase().str.replace(r"^([01])\.0+$", "$1")
    return plain.replace_strict(ZERO_OR_ONE, default=None, return_dtype=pl.Boolean)


def are_lists(labels: pl.Series) -> bool:
    """Return whether all cells that are not empty are lists as pandas, NumPy or JSON write them: ``['bad', 'new']``."""
    cells = (labels if labels.dtype == pl.String else pl.Series(dtype=pl.String)).drop_nulls().str.strip_chars()
    return bool((cells != "").any()) and bool(cells.str.contains(r"(?s)^(\[.*\])?$").all())


def _names_in(cell: str, where: str) -> list[str]:
    cell = re.sub(r"(['\"])\s+(?=['\"])", r"\1, ", cell)  # NumPy writes ['a' 'b']
    for parse in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            values = [one for one in parse(cell) if one is not None and one == one]
            if not all(isinstance(one, str | int | float) for one in values):
                raise UserError(f"{where}: expected names or numbers in each list; there is {cell[:80]!r}.")
            return [f"{one:.0f}" if isinstance(one, float) and one.is_integer() else str(one) for one in values]
    return [name.strip().strip("'\"") for name in cell[1:-1].split(",")]


def to_lists(labels: pl.Series, separator: str | None, where: str, skip: bool = False) -> pl.Series:
    """Return labels, which are strings, numbers, or lists of them, also as text, as lists of strings.

    Raises:
        UserError: an empty cell, unless such rows may be skipped: null then; with a separator it holds no labels.
    """
    if isinstance(labels.dtype, pl.List | pl.Array) and not labels.dtype.inner.is_nested():
        return _distinct(labels.cast(pl.List(pl.String)).fill_null([]))
    texts = as_strings(labels, where).str.strip_chars()
    if are_lists(texts):
        names = {cell: _names_in(cell, where) for cell in texts.unique().drop_nulls() if cell}
        return _distinct(pl.Series([names.get(cell, []) for cell in texts], dtype=pl.List(pl.String)))
    if texts.drop_nulls().str.contains(r"^-?\d+\.0+$").all():
        texts = texts.str.replace(r"\.0+$", "")  # 1.0 and 1 are one class, as in a file that pandas has written
    if separator is not None:
        return _distinct(texts.fill_null("").str.split(separator))
    empty = texts.is_null() | (texts == "")
    if empty.any() and not skip:
        row = int(empty.arg_true()[0]) + 1
        raise UserError(
            f"{where}: {int(empty.sum()):,} of {len(texts):,} rows have no label (first in row {row}). "
            "Fill them in, or leave such rows out: data.broken_rows=skip"
        )
    return texts.to_frame("label").select(pl.when(~empty).then(pl.concat_list("label"))).to_series()


def _distinct(labels: pl.Series) -> pl.Series:
    """Return lists without empty names and repetitions, in their order."""
    name = pl.element().str.strip_chars()
    return labels.list.eval(name.filter(name != "")).list.unique(maintain_order=True)


def column(frame: pl.DataFrame, name: str | int, key: str, where: str) -> pl.Series:
    """Return a column by name, or by number from 0; for messages, ``key`` is the option that named it.

    Raises:
        UserError: no such column, with a list of those there are; or several of that name.
    """
    if isinstance(name, int) and str(name) not in frame.columns:
        if not 0 <= name < frame.width:
            raise UserError(f"{key}={name}: {where} has columns 0 to {frame.width - 1}.")
        return frame.to_series(name)
    if str(name) not in frame.columns:
        start = TWICE.format(name, "").strip().removesuffix(")")
        several = [one for one in frame.columns if one.startswith(start)]
        if several:
            raise UserError(
                f"{key}={name}: {len(several)} columns of {where} are named {str(name)!r}. Which one is meant? Rename "
                f"one of them, or say {listed(several)}."
            )
        hint = nearest(str(name), frame.columns)
        words = frame.select(pl.col(pl.String, pl.Boolean, pl.Int64).cast(pl.String))
        marked = [one.name for one in words if key == "data.label_column" and not _as_marks(one).null_count()]
        if len(marked) > 1:
            hint += f" Several columns of 0 and 1 are labels together in brackets: '{key}=[{','.join(marked)}]'"
        if key == "data.label_column" and not hint:
            hint = " Say which one has the labels; rows that have none are for scripts/predict.py."
        if not hint or any(map(is_number, frame.columns)):
            hint += f" A file without a header has columns by number: {key}=1"
        raise UserError(f"{key}={name}: no such column in {where}, which has {listed(frame.columns)}.{hint}")
    return frame[str(name)]


def as_strings(values: pl.Series, where: str) -> pl.Series:
    """Return a column as strings; a `UserError` tells of lists, objects or bytes, as JSON lines and Parquet have."""
    try:
        if not values.dtype.is_nested():
            return values.cast(pl.String)
    except PolarsError:
        pass
    raise UserError(f"{where}: expected words or numbers in column {values.name!r}; it holds {values.dtype}.")
