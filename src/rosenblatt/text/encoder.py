"""Texts to bags: words, word n-grams and character n-grams, counted and weighted; fitted on the training split."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from rosenblatt.data.columns import Columns
from rosenblatt.data.encoder import Encoder
from rosenblatt.data.features import Bags, offsets_of
from rosenblatt.data.recipe import ROW_NORM, Auto, char_ngrams_for, max_features_for, weighting_for
from rosenblatt.errors import UserError, check_choice
from rosenblatt.text.counting import Counts, count, counted, in_stretches, only
from rosenblatt.text.ngrams import Ids, Ints, NGrams, Sequences
from rosenblatt.text.tokens import Characters, Words

log = logging.getLogger(__name__)

Weighting: TypeAlias = Literal["auto", "count", "binary", "tfidf", "log_count_ratio"]
Floats: TypeAlias = NDArray[np.float32]
# Words or characters, or both, and their n-grams.
Channels: TypeAlias = list[tuple[Words | Characters, NGrams]]
COUNTED = ("count", "tfidf")  # weightings that ask how often a feature occurs in a row
MAX_N = 1000  # length of n-grams; each text is gone through once for each
SCHEMA = {"symbol": pl.String, "prefix": pl.Int32, "last": pl.Int32, "weight": pl.Float32}


@dataclass(eq=False)
class TextEncoder(Encoder):
    """Turns texts into `Bags`.

    Args:
        ngrams: longest word n-gram; 0 for no words.
        char_ngrams: longest character n-gram, over the text with a space at either end; 0 for none; ``"auto"``: 5
            where they are cheap, or nearly all that is said is in them (`rosenblatt.data.recipe.char_ngrams_for`).
        min_count: how often a word, character or n-gram has to occur in the training split.
        max_features: keep that many of the most frequent features; ``None`` for all; ``"auto"``: as many as keep a
            linear model at 16 million weights.
        weighting: ``count`` (how often), ``binary`` (1), ``tfidf`` (``(1 + ln count) * (1 + ln((1 + N) / (1 + df)))``,
            as scikit-learn's sublinear tf-idf), ``log_count_ratio`` (how much more frequent in one class than in the
            others, Wang & Manning 2012; for more than two classes the largest over the classes), or ``auto``: the last
            of two classes, else tf-idf. Rows of these are scaled to one length, `rosenblatt.data.recipe.ROW_NORM`;
            words and characters alike first, so that each have their say.
        lowercase: whether ``Good`` and ``good`` are one word.
        punctuation: whether punctuation marks are words.

    Attributes:
        channels: words or characters, or both, and their n-grams; after `fit_transform`.
        kept: (number of n-grams,) the number of each as a feature, -1 for none; ``None``: all are features.
        feature_weights: (num_features,) what a feature weighs, before its row is scaled.
        row_norm: the L2 norm that each row is scaled to.
        weighs: the weighting that was chosen.
        word_share: the L2 norm of the words of a row, where that of its characters is 1; ``None``: they are scaled
            together, as before 0.3.0.

    Raises:
        UserError: both n-gram settings 0, or a setting out of range.
    """

    ngrams: int = 2
    char_ngrams: int | Auto = "auto"
    min_count: int = 2
    max_features: int | Auto | None = "auto"
    weighting: Weighting = "log_count_ratio"
    lowercase: bool = True
    punctuation: bool = True

    def __post_init__(self) -> None:
        for name, least in (("ngrams", 0), ("char_ngrams", 0), ("min_count", 1), ("max_features", 1)):
            value = getattr(self, name)
            if isinstance(value, int) and value < least:
                raise UserError(f"data.{name}: expected a whole number of at least {least}; got {value}.")
        if self.ngrams == 0 and self.char_ngrams == 0:
            raise UserError("data.ngrams and data.char_ngrams are both 0, so there is nothing to learn from.")
        check_choice("data.weighting", self.weighting, get_args(Weighting))
        self.channels: Channels = []
        self.kept: Ids | None = None
        self.feature_weights: Floats = np.zeros(0, dtype=np.float32)
        self.row_norm = 1.0
        self.weighs = self.weighting
        self.word_share: float | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments; ``punctuation`` only where it is left out, so that models of before 0.3.0 lack nothing."""
        return {name: value for name, value in super().settings.items() if name != "punctuation" or not value}

    @property
    def num_features(self) -> int:
        """Size of the vocabulary."""
        return len(self.feature_weights)

    def fit_transform(self, texts: pl.Series, rows_of_class: Sequence[Ints], num_outputs: int = 1) -> Bags:
        """Choose the vocabulary and its weights, and encode N training texts.

        Args:
            texts: N strings.
            rows_of_class: the numbers of the rows of each class, for ``log_count_ratio``.
            num_outputs: of the model, for ``max_features="auto"``.

        Raises:
            UserError: no feature is left.
        """
        texts, num_texts = texts.fill_null(""), len(texts)
        read: list[tuple[Words | Characters, int, Sequences]] = []
        read_as = []
        self.weighs = weighting_for(len(rows_of_class)) if self.weighting == "auto" else self.weighting
        unseen = 1.0  # where no words are read, as good as all are unknown
        if self.ngrams:
            words = Words(self.min_count, self.lowercase, self.punctuation)
            read.append((words, self.ngrams, words.fit(texts)))
            unseen = words.unseen
            read_as.append(f"words{f' and their n-grams up to {self.ngrams}' if self.ngrams > 1 else ''}")
        char_ngrams = self.char_ngrams
        if char_ngrams == "auto":
            char_ngrams = char_ngrams_for(unseen, int(texts.str.len_chars().sum()), num_outputs)
        if char_ngrams:
            characters = Characters(self.min_count, self.lowercase)
            read.append((characters, char_ngrams, characters.fit(texts)))
            read_as.append(f"characters and their n-grams up to {char_ngrams}")
        del texts  # what follows needs as much memory as they do
        estimated = self.ngrams and self.char_ngrams == "auto"
        rule = f" (about {unseen:.1%} of the words in new texts will be unknown)" if estimated else ""
        log.info("Texts are read as %s%s.", " and as ".join(read_as), rule)
        self.channels, found = [], []
        for symbols, longest, sequences in read:
            ngrams = NGrams(longest, self.min_count)
            self.channels.append((symbols, ngrams))
            found.append(ngrams.fit(sequences, len(symbols.names)))
        del read, sequences

        self.kept = None
        found_counts = count(found, None, self.weighs in COUNTED)
        del found  # as large as the bags
        num_ngrams = sum(sum(ngrams.sizes) for _, ngrams in self.channels)
        frequency = counted(found_counts.ids, found_counts.offsets, num_ngrams)
        most = max_features_for(num_outputs) if self.max_features == "auto" else self.max_features
        if most is not None and most < len(frequency):
            if self.max_features == "auto":
                log.info(
                    "Of %s features the %s most frequent are kept, since each has %s weights to learn "
                    "(data.max_features).", f"{len(frequency):,}", f"{most:,}", f"{num_outputs:,}",
                )  # fmt: skip
            order = np.sort(np.argsort(-frequency, kind="stable")[:most])
            self.kept = np.full(len(frequency), -1, dtype=np.int32)
            self.kept[order] = np.arange(len(order))
            frequency = frequency[order]
            found_counts = only(found_counts, self.kept)
        if len(frequency) == 0:
            raise UserError(
                f"The vocabulary is empty: no word or n-gram occurs {self.min_count} times in the "
                f"{num_texts:,} training texts. Try data.min_count=1, or data.char_ngrams=4 where texts are "
                "single words."
            )
        if self.weighs == "tfidf":
            # As scikit-learn's TfidfTransformer(smooth_idf=True).
            self.feature_weights = (1 + np.log((1 + num_texts) / (1 + frequency))).astype(np.float32)
        elif self.weighs == "log_count_ratio":
            self.feature_weights = log_count_ratio(found_counts.ids, found_counts.offsets, frequency, rows_of_class)
        else:
            self.feature_weights = np.ones(len(frequency), dtype=np.float32)
        self.row_norm = ROW_NORM.get(self.weighs, 1.0)
        self.word_share = 1 - unseen  # words that are unknown in new texts would leave the few others too much weight
        return self._weigh(found_counts)

    def transform(self, texts: pl.Series) -> Bags:
        """Encode N texts; words that were not seen in training are left out, so that a bag may be empty."""
        texts = texts.fill_null("")
        found = [ngrams.transform(symbols.transform(texts)) for symbols, ngrams in self.channels]
        return self._weigh(count(found, self.kept, self.weighs in COUNTED))

    def _weigh(self, found: Counts) -> Bags:
        weights = np.empty(len(found.ids), dtype=np.float32)

        def weigh_rows(first: int, last: int) -> None:
            start, stop = found.offsets[first], found.offsets[last]
            some = weights[start:stop]
            np.take(self.feature_weights, found.ids[start:stop], out=some, mode="clip")  # with raise, it copies
            if found.counts is not None:
                counts = found.counts[start:stop]
                some *= counts if self.weighs == "count" else 1 + np.log(counts, dtype=np.float32)
            if self.weighs in ROW_NORM:
                scale(some, *self._parts(found, first, last))

        for _ in in_stretches(weigh_rows, found.offsets):
            pass
        return Bags(torch.from_numpy(found.ids), torch.from_numpy(weights), torch.from_numpy(found.offsets))

    def _parts(self, found: Counts, first: int, last: int) -> tuple[Ints, Floats]:
        """Return where words and characters of some rows begin, and the L2 norm of each part."""
        offsets = found.offsets[first : last + 1] - found.offsets[first]
        if len(self.channels) < 2 or self.word_share is None:
            return offsets, np.full(len(offsets) - 1, self.row_norm, dtype=np.float32)
        num_words = sum(self.channels[0][1].sizes)  # of n-grams; the features among them come first in each row
        num_words = num_words if self.kept is None else int((self.kept[:num_words] >= 0).sum())
        is_word = found.ids[found.offsets[first] : found.offsets[last]] < num_words
        words = np.diff(offsets_of(is_word.astype(np.int64))[offsets])
        starts = np.empty(2 * len(words) + 1, dtype=np.int64)
        starts[::2], starts[1::2] = offsets, offsets[:-1] + words
        norms = np.array([max(self.word_share, 1e-6), 1.0]) * (np.diff(starts) > 0).reshape(-1, 2)  # (N, 2)
        norms *= self.row_norm / np.maximum(np.sqrt(np.square(norms).sum(axis=1, keepdims=True)), 1e-12)
        return starts, norms.reshape(-1).astype(np.float32)

    def facts(self) -> dict[str, Any]:
        """Return what was learnt, as JSON takes it, but for `vocabulary`: also the number of n-grams, by kind and n."""
        sizes = {type(symbols).__name__.lower(): ngrams.sizes for symbols, ngrams in self.channels}
        since = {} if self.word_share is None else {"word_share": self.word_share, "weighting": self.weighs}
        return {"row_norm": self.row_norm, "sizes": sizes, **since}

    def vocabulary(self) -> pl.DataFrame:
        """Return every n-gram and its weight.

        First all words, then their n-grams by n, then the same of characters. Columns: ``symbol`` is the word or
        character; an n-gram of several is the number ``prefix`` of its first n-1 symbols among those n-grams, and the
        number ``last`` of its last symbol. ``weight`` is null where it is no feature; the others are the features, in
        order.
        """
        parts = [pl.DataFrame(schema=SCHEMA)]
        for symbols, ngrams in self.channels:
            parts.append(pl.DataFrame({"symbol": symbols.names}, schema={"symbol": pl.String}))
            for keys in ngrams.keys:
                prefix, last = np.divmod(keys, max(ngrams.num_symbols, 1))
                parts.append(pl.DataFrame({"prefix": prefix.astype(np.int32), "last": last.astype(np.int32)}))
        frame = pl.concat(parts, how="diagonal")
        weights = np.full(frame.height, np.nan, dtype=np.float32)
        weights[slice(None) if self.kept is None else self.kept >= 0] = self.feature_weights
        return frame.with_columns(pl.Series("weight", weights, nan_to_null=True))

    def learn(self, facts: dict[str, Any], vocabulary: pl.DataFrame | None) -> None:
        """Take back what `facts` and `vocabulary` returned."""
        if vocabulary is None:
            raise ValueError("there is no vocabulary")
        if dict(vocabulary.schema) != SCHEMA:
            raise ValueError(f"its columns are {dict(vocabulary.schema)}")
        row_norm, sizes = float(facts["row_norm"]), facts["sizes"]
        share, weighs = facts.get("word_share", 1.0), facts.get("weighting", self.weighting)
        if type(share) is not float or not 0 <= share <= 1:
            raise ValueError("word_share is no share")
        if weighs == "auto" or weighs not in get_args(Weighting) or self.weighting not in ("auto", weighs):
            raise ValueError("weighting is none, or another than was asked for")
        if not set(sizes) <= {"words", "characters"} or any(len(levels) > MAX_N for levels in sizes.values()):
            raise ValueError("sizes are not those of a vocabulary")
        numbers = [size for levels in sizes.values() for size in levels]
        if any(type(size) is not int or size < 0 for size in numbers) or sum(numbers) != vocabulary.height:
            raise ValueError(f"it has {vocabulary.height:,} rows; sizes are {str(sizes)[:100]}")
        pairs = vocabulary.select(pl.col("prefix", "last").cast(pl.Int64).fill_null(-1))
        channels: Channels = []
        start = 0
        for kind, (num_symbols, *longer) in sizes.items():
            names = vocabulary["symbol"][start : start + num_symbols]
            long = kind == "characters" and bool((names.str.len_chars() != 1).any())
            if names.null_count() or names.n_unique() != num_symbols or long:
                raise ValueError("a symbol is missing, or there twice, or no single character")
            start += num_symbols
            words = Words(self.min_count, self.lowercase, self.punctuation)
            symbols = words if kind == "words" else Characters(self.min_count, self.lowercase)
            symbols.names = names.to_list()
            ngrams = NGrams(1 + len(longer), self.min_count, num_symbols)
            for size in longer:
                prefix, last = pairs[start : start + size].to_numpy().T
                keys = prefix * num_symbols + last
                outside = (prefix < 0) | (prefix >= ngrams.sizes[-1]) | (last < 0) | (last >= num_symbols)
                if outside.any() or (np.diff(keys) <= 0).any():
                    raise ValueError("n-grams are made of what is not there, or not in order")
                ngrams.keys.append(keys)
                start += size
            channels.append((symbols, ngrams))
        weights = vocabulary["weight"]
        if not weights.is_finite().all():  # null is no feature
            raise ValueError("a weight is no number")
        there = weights.is_not_null().to_numpy()
        self.kept = None if there.all() else np.where(there, np.cumsum(there) - 1, -1).astype(np.int32)
        self.row_norm, self.channels, self.feature_weights = row_norm, channels, weights.drop_nulls().to_numpy()
        self.word_share, self.weighs = facts.get("word_share"), weighs

    def encode(self, frame: pl.DataFrame, columns: Columns, where: str) -> Bags:
        """Encode the texts of N rows."""
        return self.transform(columns.texts_of(frame, where))

    def names(self, numbers: Ints | None = None) -> list[str]:
        """Return features as text, by number; all of them by default."""
        numbers = np.arange(self.num_features) if numbers is None else numbers
        ngram_of = numbers if self.kept is None else np.flatnonzero(self.kept >= 0)[numbers]
        names = np.empty(len(ngram_of), dtype=object)
        start = 0
        for symbols, ngrams in self.channels:
            for n, size in enumerate(ngrams.sizes, 1):
                for place in np.flatnonzero((ngram_of >= start) & (ngram_of < start + size)):
                    names[place] = symbols.show(ngrams.symbols_of(n, int(ngram_of[place]) - start))
                start += size
        return list(names)


def log_count_ratio(ids: Ids, offsets: Ints, frequency: Ints, rows_of_class: Sequence[Ints]) -> Floats:
    """Return how telling each feature is: the largest ``|ln(p / q)|`` over the classes.

    ``p`` is the share of a feature in all (row, feature) pairs of a class, ``q`` the share in those of all other
    classes, each count plus one (Wang & Manning 2012, equation for r). The pairs are those of `Counts`, the frequency
    is how many rows hold each feature.
    """
    total = frequency + 2.0
    largest = np.zeros(len(frequency))
    # With two classes, one or the other, the ratio of one is minus that of the other.
    num_rows = len(offsets) - 1
    opposite = len(rows_of_class) == 2 and (np.bincount(np.concatenate(rows_of_class), minlength=num_rows) == 1).all()
    for rows in rows_of_class[1:] if opposite else rows_of_class:
        inside = counted(ids, offsets, len(frequency), rows) + 1.0
        p, q = inside / inside.sum(), (total - inside) / (total - inside).sum()
        np.maximum(largest, np.abs(np.log(p / q)), out=largest)
    return largest.astype(np.float32)


def scale(weights: Floats, offsets: Ints, norms: Floats) -> None:
    """Scale each row, or part of one, to its L2 norm, in place, so that a long text weighs as much as a short one."""
    lengths = np.diff(offsets)
    filled = lengths > 0
    if filled.any():
        squares = np.add.reduceat(weights * weights, offsets[:-1][filled])
        weights *= np.repeat(norms[filled] / np.sqrt(np.maximum(squares, 1e-24)), lengths[filled])
