"""Labelled texts from the user's files: what ``data=text`` is."""

from __future__ import annotations

from rosenblatt.data.module import DataModule
from rosenblatt.text.rows import TextRows


class TextData(TextRows, DataModule):
    """`TextRows` as a LightningDataModule."""
