"""Which columns of a file hold what, and how it is read: as in training, so also when a saved model meets new files."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import polars as pl
from polars.exceptions import PolarsError

from rosenblatt.data.delimited import TWICE
from rosenblatt.data.files import Block, read_blocks
from rosenblatt.data.numbers import numbers_of
from rosenblatt.errors import UserError, listed, nearest

BrokenRows: TypeAlias = Literal["refuse", "skip"]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Columns:
    """How labelled rows are read from a file.

    Args:
        label: name, or number from 0, of the column with the label.
        text: the same, of the columns with the text; none for a table, whose encoder knows its columns by name.
        label_separator: what stands between several labels in a cell, or ``None``.
        header: whether CSV and TSV files begin with column names; ``None``: they do unless columns are given by number.
        encoding: of text files.
        separator: of the cells of a table, as it is typed; ``None``: what fits.
        broken_rows: ``refuse`` a file to learn from that has a row that can't be read, or ``skip`` such rows.
        decimal: of labels that are numbers as people write them, see `rosenblatt.data.numbers.Reading`; or empty.
    """

    label: str | int = "label"
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
        label: str | int | None = None,
        **how: Any,
    ) -> Columns:
        """Return the columns of a file that names them otherwise, or is written otherwise; ``None``: as here."""
        return replace(
            self,
            text=self.text if text is None else (text,) if isinstance(text, str | int) else tuple(text),
            label=self.label if label is None else label,
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
        if num_broken := int((~readable).sum()):
            if 2 * num_broken > len(readable):
                raise UserError(
                    f"{path}: {num_broken:,} of {len(readable):,} rows can't be read: too many to leave out. Is "
                    f"data.separator right ({self.separator or 'it was found out'})?"
                )
            log.warning(
                "%s: %s of %s rows can't be read, and are left out.", path, f"{num_broken:,}", f"{len(readable):,}"
            )
            frame = frame.filter(readable)
        return frame

    def blocks(self, path: str, **options: Any) -> Iterator[Block]:
        """Read a file block by block, with options of `rosenblatt.data.files.read_blocks`."""
        numbers = [str(name) for name in (self.label, *self.text) if isinstance(name, int)]
        header = not numbers if self.header is None else self.header
        blocks = read_blocks(path, self.encoding, header, self.separator, **options)
        first = next(blocks)
        if self.header is None and not header and set(numbers) <= set(map(str, first.frame.row(0))):
            # The first row is a header after all: a column may be called 2020.
            yield from read_blocks(path, self.encoding, separator=self.separator, **options)
        else:
            yield first
            yield from blocks

    def label_name(self, frame: pl.DataFrame, where: str) -> str:
        """Return the name of the column with the label."""
        return column(frame, self.label, "data.label_column", where).name

    def labels_of(self, frame: pl.DataFrame, where: str) -> pl.Series:
        """Return the labels of each row of a file, as lists of strings."""
        labels = column(frame, self.label, "data.label_column", where)
        if self.decimal and labels.dtype == pl.String:  # what is no number stays what it is, for the message
            labels = numbers_of(labels, self.decimal).cast(pl.String).fill_null(labels)
        return to_lists(labels, self.label_separator, f"{where}, column {self.label!r}")

    def texts_of(self, frame: pl.DataFrame, where: str) -> pl.Series:
        """Return the text of each row of a file: several columns joined with a space; nothing is an empty text."""
        parts = [column(frame, name, "data.text_column", where) for name in self.text]
        parts = [as_strings(part, where).fill_null("").alias(str(i)) for i, part in enumerate(parts)]
        if len(parts) == 1:
            return parts[0]
        return pl.DataFrame(parts).select(pl.concat_str(pl.all(), separator=" ")).to_series().rename("text")


def to_lists(labels: pl.Series, separator: str | None, where: str) -> pl.Series:
    """Return labels as lists of strings.

    Args:
        labels: strings, numbers, or lists of them.
        separator: what stands between several labels in a cell, or ``None`` for one label a cell.
        where: file and column, for messages.

    Raises:
        UserError: a null label (an empty cell), with its row; with a separator it means a row without labels.
    """
    if isinstance(labels.dtype, pl.List | pl.Array) and not labels.dtype.inner.is_nested():
        return _distinct(labels.cast(pl.List(pl.String)).fill_null([]))
    texts = as_strings(labels, where).str.strip_chars()
    if texts.drop_nulls().str.contains(r"^-?\d+\.0+$").all():
        texts = texts.str.replace(r"\.0+$", "")  # 1.0 and 1 are one class, as in a file that pandas has written
    if separator is not None:
        return _distinct(texts.fill_null("").str.split(separator))
    empty = texts.is_null() | (texts == "")
    if empty.any():
        row = int(empty.arg_true()[0]) + 1
        raise UserError(
            f"{where}: {int(empty.sum()):,} of {len(texts):,} rows have no label (first in row {row}). "
            "Fill them in or take these rows out."
        )
    return texts.to_frame("label").select(pl.concat_list("label")).to_series()


def _distinct(labels: pl.Series) -> pl.Series:
    """Return lists without empty names and repetitions, in their order."""
    name = pl.element().str.strip_chars()
    return labels.list.eval(name.filter(name != "")).list.unique(maintain_order=True)


def column(frame: pl.DataFrame, name: str | int, key: str, where: str) -> pl.Series:
    """Return a column by name or by number (from 0).

    Args:
        frame: where to look.
        name: the column.
        key: the option that named it, for the message.
        where: the file, for the message.

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
