"""The features of texts as a table: every n-gram, what it is made of, and what it weighs."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import polars as pl

from rosenblatt.text.ngrams import Ids, Ints, NGrams
from rosenblatt.text.tokens import Characters, Words
from rosenblatt.text.weighting import Floats

# Words or characters, or both, and their n-grams.
Channels: TypeAlias = list[tuple[Words | Characters, NGrams]]

MAX_N = 1000  # length of n-grams; each text is gone through once for each
SCHEMA = {"symbol": pl.String, "prefix": pl.Int32, "last": pl.Int32, "weight": pl.Float32}


def sizes_of(channels: Channels) -> dict[str, list[int]]:
    """Return the number of n-grams of words and of characters, for n from 1 on."""
    return {type(symbols).__name__.lower(): ngrams.sizes for symbols, ngrams in channels}


def to_frame(channels: Channels, kept: Ids | None, feature_weights: Floats) -> pl.DataFrame:
    """Return what a `rosenblatt.text.encoder.TextEncoder` has learnt as a table.

    First all words, then their n-grams by n, then the same of characters. Columns: ``symbol`` is the word or
    character; an n-gram of several is the number ``prefix`` of its first n-1 symbols among those n-grams, and the
    number ``last`` of its last symbol. ``weight`` is null where it is no feature; the others are the features, in
    order.
    """
    parts = []
    for symbols, ngrams in channels:
        parts.append(pl.DataFrame({"symbol": symbols.names}, schema={"symbol": pl.String}))
        for keys in ngrams.keys:
            prefix, last = np.divmod(keys, max(ngrams.num_symbols, 1))
            parts.append(pl.DataFrame({"prefix": prefix.astype(np.int32), "last": last.astype(np.int32)}))
    frame = pl.concat(parts, how="diagonal")
    weights = np.full(frame.height, np.nan, dtype=np.float32)
    weights[slice(None) if kept is None else kept >= 0] = feature_weights
    missing = [pl.lit(None, SCHEMA[name]).alias(name) for name in SCHEMA if name not in [*frame.columns, "weight"]]
    return frame.with_columns(*missing, pl.Series("weight", weights, nan_to_null=True)).select(*SCHEMA)


def from_frame(
    frame: pl.DataFrame, sizes: dict[str, Any], min_count: int, lowercase: bool
) -> tuple[Channels, Ids | None, Floats]:
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
    if not set(sizes) <= {"words", "characters"} or any(len(levels) > MAX_N for levels in sizes.values()):
        raise ValueError("sizes are not those of a vocabulary")
    numbers = [size for levels in sizes.values() for size in levels]
    if any(type(size) is not int or size < 0 for size in numbers) or sum(numbers) != frame.height:
        raise ValueError(f"it has {frame.height:,} rows; sizes are {str(sizes)[:100]}")
    pairs = frame.select(pl.col("prefix", "last").cast(pl.Int64).fill_null(-1))
    channels: Channels = []
    start = 0
    for kind, (num_symbols, *longer) in sizes.items():
        names = frame["symbol"][start : start + num_symbols]
        long = kind == "characters" and bool((names.str.len_chars() != 1).any())
        if names.null_count() or names.n_unique() != num_symbols or long:
            raise ValueError("a symbol is missing, or there twice, or no single character")
        start += num_symbols
        symbols = Words(min_count, lowercase) if kind == "words" else Characters(lowercase)
        symbols.names = names.to_list()
        ngrams = NGrams(1 + len(longer), min_count, num_symbols)
        for size in longer:
            prefix, last = (pairs[name][start : start + size].to_numpy() for name in ("prefix", "last"))
            keys = prefix * num_symbols + last
            outside = (prefix < 0) | (prefix >= ngrams.sizes[-1]) | (last < 0) | (last >= num_symbols)
            if outside.any() or (np.diff(keys) <= 0).any():
                raise ValueError("n-grams are made of what is not there, or not in order")
            ngrams.keys.append(keys)
            start += size
        channels.append((symbols, ngrams))
    is_feature = frame["weight"].is_not_null().to_numpy()
    weights = frame["weight"].drop_nulls().to_numpy()
    if not np.isfinite(weights).all():
        raise ValueError("a weight is no number")
    kept = None if is_feature.all() else np.where(is_feature, np.cumsum(is_feature) - 1, -1).astype(np.int32)
    return channels, kept, weights


def names_of(channels: Channels, kept: Ids | None, features: Ints) -> list[str]:
    """Return features, by their numbers, as text."""
    numbers = features if kept is None else np.flatnonzero(kept >= 0)[features]
    names = np.empty(len(features), dtype=object)
    start = 0
    for symbols, ngrams in channels:
        for n, size in enumerate(ngrams.sizes, 1):
            for place in np.flatnonzero((numbers >= start) & (numbers < start + size)):
                names[place] = symbols.show(ngrams.symbols_of(n, int(numbers[place]) - start))
            start += size
    return list(names)
