"""Texts to numbered symbols: words, or characters. Polars splits on all cores; nothing loops over rows in Python."""

from __future__ import annotations

import numpy as np
import polars as pl

from rosenblatt.data.ngrams import Sequences

# An HTML tag, a word with its apostrophes, or one other character that is no space.
WORD = r"</?[\pL][^<>]{0,80}>|[\w']+|[^\w\s]"


class Words:
    """Words and punctuation marks that occur at least ``min_count`` times in the texts that are fitted."""

    def __init__(self, min_count: int) -> None:
        self.min_count = min_count
        self.names: list[str] = []

    def fit(self, texts: pl.Series) -> Sequences:
        """Choose the words, most frequent first, and return what `transform` would."""
        tokens, offsets = self._split(texts)
        counts = tokens.value_counts(name="count").filter(pl.col("count") >= self.min_count)
        # The second key makes the order, and so a seeded run, the same whatever polars' threads did.
        self.names = counts.sort(["count", "token"], descending=[True, False])["token"].to_list()
        return self._number(tokens, offsets)

    def transform(self, texts: pl.Series) -> Sequences:
        """Number the words of N texts; -1 for one that is not among ``names``."""
        return self._number(*self._split(texts))

    @property
    def num_symbols(self) -> int:
        """The number of words."""
        return len(self.names)

    def show(self, symbols: list[int]) -> str:
        """Return an n-gram as text."""
        return " ".join(self.names[symbol] for symbol in symbols)

    def _split(self, texts: pl.Series) -> tuple[pl.Series, np.ndarray]:
        tokens = texts.str.extract_all(WORD)
        offsets = np.concatenate([[0], np.cumsum(tokens.list.len().to_numpy(), dtype=np.int64)])
        return tokens.explode().drop_nulls().rename("token"), offsets  # an empty list explodes to a null

    def _number(self, tokens: pl.Series, offsets: np.ndarray) -> Sequences:
        numbers = tokens.cast(pl.Enum(self.names), strict=False).to_physical().cast(pl.Int32)
        return Sequences(numbers.fill_null(-1).to_numpy(), offsets)


class Characters:
    """Characters of a text with a space at either end, so that n-grams know where words begin and end."""

    def __init__(self) -> None:
        self.codes = np.zeros(0, dtype=np.uint32)

    def fit(self, texts: pl.Series) -> Sequences:
        """Choose the characters and return what `transform` would."""
        codes, offsets = self._split(texts)
        self.codes = np.unique(codes)
        return self._number(codes, offsets)

    def transform(self, texts: pl.Series) -> Sequences:
        """Number the characters of N texts; -1 for one that was not seen."""
        return self._number(*self._split(texts))

    @property
    def num_symbols(self) -> int:
        """The number of characters."""
        return len(self.codes)

    def show(self, symbols: list[int]) -> str:
        """Return an n-gram as text."""
        return "".join(chr(self.codes[symbol]) for symbol in symbols)

    def _split(self, texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        texts = texts.str.replace_all(r"\s+", " ").str.strip_chars()
        texts = (" " + texts + " ").str.replace("  ", "", literal=True)  # an empty text stays empty
        offsets = np.concatenate([[0], np.cumsum(texts.str.len_chars().to_numpy(), dtype=np.int64)])
        return np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32), offsets

    def _number(self, codes: np.ndarray, offsets: np.ndarray) -> Sequences:
        at = np.searchsorted(self.codes, codes).clip(max=len(self.codes) - 1)
        return Sequences(np.where(self.codes[at] == codes, at, -1).astype(np.int32), offsets)
