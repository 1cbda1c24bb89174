"""Texts to numbered symbols: words, or characters. Polars splits on all cores; nothing loops over rows in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rosenblatt.data.features import offsets_of
from rosenblatt.text.counting import counted
from rosenblatt.text.ngrams import Ids, Ints, Sequences

WORD = r"</?[\pL][^<>]{0,80}>|[\w']+"  # an HTML tag, or a word with its apostrophes
MARK = r"[^\w\s]"  # one other character that is no space
FREQUENT = 100  # times; a word that occurs more often is taken to be one of several texts
CHUNK = 4_000  # texts that a thread splits at a time: the strings of a chunk are gone before the next one comes


def map_chunks(split: Callable[[pl.Series], tuple[Any, Ints]], texts: pl.Series) -> tuple[Any, Ints]:
    """Apply ``split`` to stretches of the texts, on all cores, and join what it returns, in order.

    Polars works on one column with one core; it gives the interpreter free while it does, so threads are enough.
    """
    chunks: Iterator[pl.Series] = (texts[start : start + CHUNK] for start in range(0, max(len(texts), 1), CHUNK))
    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        parts = list(threads.map(split, chunks))
    return np.concatenate([symbols for symbols, _ in parts]), np.concatenate([counts for _, counts in parts])


class Words:
    """Words, and where they count too punctuation marks, that occur ``min_count`` times in the texts that are fitted.

    Attributes:
        names: the words, most frequent first.
        unseen: the share of words of a new text that the fitted texts do not have: the share of words that each of the
            fitted texts has and no other one has. (Good & Turing's estimate, Good 1953, for texts in place of words.)
    """

    def __init__(self, min_count: int, lowercase: bool = True, punctuation: bool = True) -> None:
        self.min_count = min_count
        self.lowercase = lowercase
        self.pattern = f"{WORD}|{MARK}" if punctuation else WORD
        self.names: list[str] = []
        self.unseen = 0.0

    def fit(self, texts: pl.Series) -> Sequences:
        """Choose the words and return what `transform` would."""
        kind = pl.Categorical(pl.Categories.random())  # one numbering, from 0 on, for all chunks
        keeper = pl.Series([""], dtype=kind)  # polars forgets the numbering when no column has it any more
        codes, counts = map_chunks(lambda chunk: self._split(chunk, kind), texts)
        words = pl.Series(np.arange(codes.max(initial=0) + 1, dtype=np.uint32)).cat.to(kind).cast(pl.String)
        del keeper
        offsets = offsets_of(counts)
        total = counted(codes, offsets, len(words))
        self.unseen = _share_in_one_text(codes, counts, total)
        table = pl.DataFrame({"word": words, "count": total, "code": np.arange(len(words), dtype=np.int32)})
        # The second key makes the order, and so a seeded run, the same whatever the threads did.
        kept = table.filter(pl.col("count") >= self.min_count).sort(["count", "word"], descending=[True, False])
        self.names = kept["word"].to_list()
        number = np.full(len(words), -1, dtype=np.int32)
        number[kept["code"].to_numpy()] = np.arange(kept.height)
        return Sequences(number[codes], offsets)

    def transform(self, texts: pl.Series) -> Sequences:
        """Number the words of N texts; -1 for one that is not among ``names``."""
        # Not pl.Enum: to cast to that takes ten times as long. Words that are new get numbers after those of the names.
        kind = pl.Categorical(pl.Categories.random())
        keeper = pl.Series(self.names, dtype=pl.String).cast(kind)
        symbols, counts = map_chunks(lambda chunk: self._split(chunk, kind), texts)
        known = keeper.to_physical().to_numpy()
        number = np.full(max(symbols.max(initial=0), known.max(initial=0)) + 1, -1, dtype=np.int32)
        number[known] = np.arange(len(keeper))
        return Sequences(number[symbols], offsets_of(counts))

    def show(self, symbols: list[int]) -> str:
        """Return an n-gram as text."""
        return " ".join(self.names[symbol] for symbol in symbols)

    def _split(self, texts: pl.Series, kind: pl.Categorical) -> tuple[Ids, Ints]:
        """Return the numbers of all words of the texts in a row, and how many words each text has."""
        tokens = (texts.str.to_lowercase() if self.lowercase else texts).str.extract_all(self.pattern)
        counts = tokens.list.len().to_numpy().astype(np.int64)
        flat = tokens.explode().drop_nulls()  # an empty list explodes to a null
        return flat.cast(kind).to_physical().cast(pl.Int32).to_numpy(), counts


def _share_in_one_text(codes: Ids, counts: Ints, total: Ints) -> float:
    """Return which share of all words, whose numbers and totals are given, stand in texts that alone have them."""
    first, last = np.zeros(len(total), dtype=np.int64), np.zeros(len(total), dtype=np.int64)
    place = np.flatnonzero((total <= FREQUENT)[codes])  # of the others it goes without saying
    text_of = np.searchsorted(np.cumsum(counts), place, side="right")
    last[codes[place]] = text_of  # where a word comes again and again, NumPy keeps the last
    first[codes[place[::-1]]] = text_of[::-1]
    return float(total[(first == last) & (total <= FREQUENT)].sum() / max(len(codes), 1))


class Characters:
    """Characters of a text with a space at either end, so that n-grams know where words begin and end.

    Attributes:
        names: the characters that occur ``min_count`` times in the fitted texts, in the order of Unicode.
    """

    def __init__(self, min_count: int, lowercase: bool = True) -> None:
        self.min_count = min_count
        self.lowercase = lowercase
        self.names: list[str] = []

    def fit(self, texts: pl.Series) -> Sequences:
        """Choose the characters and return what `transform` would."""
        codes, counts = map_chunks(self._split, texts)
        total = counted(codes, counts, 0x110000)  # one place for each character of Unicode
        self.names = [chr(code) for code in np.flatnonzero(total >= self.min_count)]
        return self._number(codes, counts)

    def transform(self, texts: pl.Series) -> Sequences:
        """Number the characters of N texts; -1 for one that was not seen."""
        return self._number(*map_chunks(self._split, texts))

    def show(self, symbols: list[int]) -> str:
        """Return an n-gram as text, in quotation marks: a space at either end is part of it."""
        return f"'{''.join(self.names[symbol] for symbol in symbols)}'"

    def _split(self, texts: pl.Series) -> tuple[NDArray[np.uint32], Ints]:
        texts = texts.str.to_lowercase() if self.lowercase else texts
        texts = texts.str.replace_all(r"\s+", " ").str.strip_chars()
        texts = (" " + texts + " ").str.replace("  ", "", literal=True)  # an empty text stays empty
        codes = np.frombuffer((texts.str.join().item() or "").encode("utf-32-le"), dtype=np.uint32)
        return codes, texts.str.len_chars().to_numpy().astype(np.int64)

    def _number(self, codes: NDArray[np.uint32], counts: Ints) -> Sequences:
        number = np.full(0x110000, -1, dtype=np.int32)
        number[[ord(name) for name in self.names]] = np.arange(len(self.names))
        return Sequences(number[codes], offsets_of(counts))
