"""The features of texts as a table: every n-gram, what it is made of, and what it weighs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from rosenblatt.text.ngrams import Ids, Ints, NGrams
from rosenblatt.text.tokens import Characters, Words
from rosenblatt.text.weighting import Floats

KINDS = {"words": Words, "characters": Characters}
MAX_N = 1000  # length of n-grams; each text is gone through once for each
SCHEMA = {"symbol": pl.String, "prefix": pl.Int32, "last": pl.Int32, "weight": pl.Float32}


class Vocabulary(NamedTuple):
    """What a text encoder has learnt; see `rosenblatt.text.encoder.TextEncoder` for each."""

    channels: list[tuple[Words | Characters, NGrams]]
    kept: Ids | None
    feature_weights: Floats


def sizes_of(channels: list[tuple[Words | Characters, NGrams]]) -> dict[str, list[int]]:
    """Return the number of n-grams of words and of characters, for n from 1 on."""
    return {type(symbols).__name__.lower(): ngrams.sizes for symbols, ngrams in channels}


def to_frame(vocabulary: Vocabulary) -> pl.DataFrame:
    """Return the table: first all words, then their n-grams by n, then the same of characters.

    Columns: ``symbol`` is the word or character; an n-gram of several is the number ``prefix`` of its first n-1
    symbols among those n-grams, and the number ``last`` of its last symbol. ``weight`` is null where it is no feature;
    the others are the features, in order.
    """
    symbols: list[pl.Series] = []
    prefixes, lasts = [], []
    for channel, ngrams in vocabulary.channels:
        names = channel.names if isinstance(channel, Words) else [chr(code) for code in channel.codes]
        symbols.append(pl.Series("symbol", names, dtype=pl.String))
        for keys in (np.zeros(ngrams.num_symbols, dtype=np.int64), *ngrams.keys):
            prefix, last = np.divmod(keys, max(ngrams.num_symbols, 1))
            prefixes.append(prefix.astype(np.int32))
            lasts.append(last.astype(np.int32))
        symbols.append(pl.Series("symbol", [None], dtype=pl.String).new_from_index(0, sum(ngrams.sizes[1:])))
    num_ngrams = sum(ngrams.num_ngrams for _, ngrams in vocabulary.channels)
    is_feature = np.ones(num_ngrams, dtype=bool) if vocabulary.kept is None else vocabulary.kept >= 0
    weights = np.full(num_ngrams, np.nan, dtype=np.float32)
    weights[is_feature] = vocabulary.feature_weights
    frame = pl.DataFrame(
        {"symbol": pl.concat(symbols), "prefix": np.concatenate(prefixes), "last": np.concatenate(lasts)}
        | {"weight": pl.Series(weights, nan_to_null=True)}
    )
    of_several = pl.col("symbol").is_null()
    return frame.with_columns(pl.when(of_several).then(pl.col("prefix")), pl.when(of_several).then(pl.col("last")))


def from_frame(frame: pl.DataFrame, sizes: dict[str, Any], min_count: int, lowercase: bool) -> Vocabulary:
    """Return what `to_frame` made a table of.

    Args:
        frame: the table.
        sizes: as `sizes_of` gives them.
        min_count: of the encoder.
        lowercase: of the encoder.

    Raises:
        ValueError: it is no such table.
    """
    if dict(frame.schema) != SCHEMA:
        raise ValueError(f"its columns are {dict(frame.schema)}")
    if not set(sizes) <= set(KINDS) or any(len(levels) > MAX_N for levels in sizes.values()):
        raise ValueError("sizes are not those of a vocabulary")
    numbers = [size for levels in sizes.values() for size in levels]
    if any(type(size) is not int or size < 0 for size in numbers) or sum(numbers) != frame.height:
        raise ValueError(f"it has {frame.height:,} rows; sizes are {str(sizes)[:100]}")
    channels: list[tuple[Words | Characters, NGrams]] = []
    start = 0
    for kind, (num_symbols, *longer) in sizes.items():
        names = frame["symbol"][start : start + num_symbols]
        if names.null_count() or names.n_unique() != num_symbols:
            raise ValueError("a symbol is missing, or there twice")
        start += num_symbols
        symbols: Words | Characters = Words(min_count, lowercase) if kind == "words" else Characters(lowercase)
        if isinstance(symbols, Words):
            symbols.names = names.to_list()
        else:
            if (names.str.len_chars() != 1).any():
                raise ValueError("a character is none")
            symbols.codes = np.array([ord(name) for name in names.to_list()], dtype=np.uint32)
        ngrams = NGrams(1 + len(longer), min_count)
        ngrams.num_symbols = num_symbols
        for size in longer:
            part = frame[start : start + size]
            keys = _keys(part["prefix"], part["last"], ngrams.sizes[-1], num_symbols)
            ngrams.keys.append(keys)
            start += size
        channels.append((symbols, ngrams))
    is_feature = frame["weight"].is_not_null().to_numpy()
    weights = frame["weight"].drop_nulls().to_numpy()
    if not np.isfinite(weights).all():
        raise ValueError("a weight is no number")
    kept = None
    if not is_feature.all():
        kept = np.where(is_feature, np.cumsum(is_feature) - 1, -1).astype(np.int32)
    return Vocabulary(channels, kept, weights)


def _keys(prefix: pl.Series, last: pl.Series, num_prefixes: int, num_symbols: int) -> Ints:
    """Return the numbers that n-grams are found by, ascending."""
    if prefix.null_count() or last.null_count():
        raise ValueError("an n-gram is not made of anything")
    first, second = prefix.to_numpy().astype(np.int64), last.to_numpy().astype(np.int64)
    keys = first * num_symbols + second
    outside = (first < 0) | (first >= num_prefixes) | (second < 0) | (second >= num_symbols)
    if outside.any() or (np.diff(keys) <= 0).any():
        raise ValueError("n-grams are made of what is not there, or not in order")
    return keys


def names_of(vocabulary: Vocabulary, features: Ints) -> list[str]:
    """Return features as text.

    Args:
        vocabulary: that they are of.
        features: their numbers.
    """
    numbers = features if vocabulary.kept is None else np.flatnonzero(vocabulary.kept >= 0)[features]
    names = np.empty(len(features), dtype=object)
    start = 0
    for symbols, ngrams in vocabulary.channels:
        for n, size in enumerate(ngrams.sizes, 1):
            for place in np.flatnonzero((numbers >= start) & (numbers < start + size)):
                names[place] = symbols.show(ngrams.symbols_of(n, int(numbers[place]) - start))
            start += size
    return list(names)
