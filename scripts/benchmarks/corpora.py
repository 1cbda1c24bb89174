"""Made-up corpora of any size: words with Zipf's frequencies, two classes that a linear model of bigrams can tell."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

CLASSES = ("neg", "pos")
CHUNK = 20_000  # documents that are in memory as numbers at a time
COMMON = 200  # the more frequent words prefer a class less, as "the" and "of" do: measured on reviews of films
SLOTS = 32  # places a word in the table that words are drawn from

Ids: TypeAlias = NDArray[np.int32]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Zipf:
    """A training and a test split.

    The word of rank r has a frequency of r ** -exponent. A share of the words is more frequent in one class, and each
    document holds pairs of neighbours of which only both words together tell the class.

    Args:
        num_documents: to train on.
        seed: of everything.
        exponent: of the frequencies.
        mean_words: mean length of a document.
        telling: share of the words whose frequency differs between the classes.
        tilt: by how much: the logarithm of the ratio of their frequencies; of the most frequent words, less.
        num_pairs: kinds of telling pairs a class.
        pairs: telling pairs a document.
        loyalty: probability that such a pair is of the document's own class.
    """

    num_documents: int
    seed: int = 0
    exponent: float = 1.1
    mean_words: int = 130
    telling: float = 0.2
    tilt: float = 1.0
    num_pairs: int = 300
    pairs: int = 2
    loyalty: float = 0.75

    @property
    def num_test(self) -> int:
        """Documents of the test split, which are none of ``num_documents``."""
        return max(self.num_documents // 10, 1)

    @property
    def num_words(self) -> int:
        """Size of the vocabulary: 200,000 with 100,000 documents, with four times as many twice that (Heaps' law)."""
        return int(200_000 * (self.num_documents / 100_000) ** 0.5)

    @property
    def name(self) -> str:
        """A name of its own for every setting."""
        return f"zipf-{self.num_documents}-{zlib.crc32(repr(self).encode()):08x}"

    def write(self, folder: Path) -> Path:
        """Write ``train`` and ``test`` as ``.parquet`` (text, label), ``.ft`` (fastText) and ``.vw``, unless they are
        there; return their folder.

        Args:
            folder: gets a folder with the corpus.
        """
        target = folder / self.name
        if target.is_dir():
            return target
        partial = folder / f".{self.name}.partial"  # renamed once whole: a corpus cut off is never taken for one
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for number, (split, size) in enumerate({"train": self.num_documents, "test": self.num_test}.items()):
            frames = []
            with (
                (partial / f"{split}.ft").open("w", encoding="ascii") as fasttext,
                (partial / f"{split}.vw").open("w", encoding="ascii") as vowpal_wabbit,
            ):
                for texts, labels in self.documents(size, number):
                    classes = [CLASSES[label] for label in labels]
                    pairs = list(zip(classes, texts, strict=True))
                    fasttext.writelines(f"__label__{label} {text}\n" for label, text in pairs)
                    vowpal_wabbit.writelines(f"{-1 if label == CLASSES[0] else 1} |w {text}\n" for label, text in pairs)
                    frames.append(pl.DataFrame({"text": texts, "label": classes}))
            pl.concat(frames).write_parquet(partial / f"{split}.parquet")
        partial.rename(target)
        return target

    def documents(self, size: int, number: int) -> Iterator[tuple[list[str], list[int]]]:
        """Yield texts and their classes (0 or 1), a chunk at a time.

        Args:
            size: how many documents.
            number: of the split: another number, other documents.
        """
        words = np.array([f"w{rank}" for rank in range(self.num_words)], dtype="S")
        draws, (first, second) = self._draws(), self._pairs()
        for chunk, start in enumerate(range(0, size, CHUNK)):
            rng = np.random.default_rng([self.seed, self.num_documents, number, chunk])
            labels, ids, offsets = self._chunk(min(CHUNK, size - start), rng, draws, first, second)
            yield _texts(words, ids, offsets), labels.tolist()

    def _draws(self) -> Ids:
        """Return (2, M) words, for each class as often as they are frequent: a draw is a look at a random place."""
        rng = np.random.default_rng([self.seed, 1])
        rank = np.arange(1, self.num_words + 1)
        frequency = rank**-self.exponent
        sign = rng.choice([-1, 0, 1], size=self.num_words, p=[self.telling / 2, 1 - self.telling, self.telling / 2])
        log_ratio = self.tilt * sign * np.sqrt(np.minimum(rank / COMMON, 1))
        places = (np.arange(SLOTS * self.num_words) + 0.5) / (SLOTS * self.num_words)
        draws = []
        for direction in (-0.5, 0.5):
            shares = np.cumsum(frequency * np.exp(direction * log_ratio))
            draws.append(np.searchsorted(shares / shares[-1], places).astype(np.int32))
        return np.stack(draws)

    def _pairs(self) -> tuple[Ids, Ids]:
        """Return first words (num_pairs,), and second words (num_pairs,) of class 0.

        Class 1 has the same words with the second ones moved by one, so that no single word tells a class.
        """
        rng = np.random.default_rng([self.seed, 2])
        ranks = rng.permutation(np.arange(COMMON, COMMON + 4 * self.num_pairs)).astype(np.int32)
        return ranks[: self.num_pairs], ranks[self.num_pairs : 2 * self.num_pairs]

    def _chunk(
        self, size: int, rng: np.random.Generator, draws: Ids, first: Ids, second: Ids
    ) -> tuple[Ints, Ids, Ints]:
        """Return classes (size,), the words of all documents in a row, and where each begins (size + 1,)."""
        labels = rng.integers(2, size=size)
        lengths = 10 + rng.gamma(2, (self.mean_words - 10) / 2, size=size).round().astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        ids = draws[np.repeat(labels, lengths), rng.integers(draws.shape[1], size=offsets[-1])]
        for _ in range(self.pairs):
            place = offsets[:-1] + rng.integers(lengths - 1)
            kind, own = rng.integers(self.num_pairs, size=size), rng.random(size) < self.loyalty
            ids[place] = first[kind]
            ids[place + 1] = second[(kind + np.where(own, labels, 1 - labels)) % self.num_pairs]
        return labels, ids, offsets


def _texts(words: NDArray[np.bytes_], ids: Ids, offsets: Ints) -> list[str]:
    """Return documents as text: all letters of a chunk at once, without a loop over words."""
    letters = words.view(np.uint8).reshape(len(words), -1)  # (num_words, longest), filled up with zeros
    spaced = np.concatenate([letters, np.full((len(words), 1), ord(" "), dtype=np.uint8)], axis=1)
    chosen = spaced[ids]  # (tokens, longest + 1)
    chosen[offsets[1:] - 1, -1] = ord("\n")
    text: bytes = chosen[chosen != 0].tobytes()
    return text.decode("ascii").splitlines()
