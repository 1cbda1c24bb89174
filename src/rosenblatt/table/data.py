"""Labelled rows of numbers and categories from the user's files: what ``data=table`` is."""

from __future__ import annotations

from rosenblatt.data.module import DataModule
from rosenblatt.table.rows import TableRows


class TableData(TableRows, DataModule):
    """`TableRows` as a LightningDataModule."""
