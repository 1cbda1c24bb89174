"""What an encoder has learnt, from a stranger who gave it the right digests; and sizes that are to fill the memory."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from perceptron.models import MLP
from rosenblatt.saved.folder import MAX_JSON, write
from rosenblatt.saved.known import path_of
from rosenblatt.saved.refusal import ModelRefused
from saved_models import CODES, KINDS, correct, new_rows, points, read, rows, texts, write_json

VOCABULARY = "vocabulary.parquet"
SCHEMA = {"symbol": pl.String, "prefix": pl.Int32, "last": pl.Int32, "weight": pl.Float32}


@contextmanager
def little_memory() -> Iterator[None]:
    """Assert that the process does not come to hold more than 300 MB more than it ever did."""
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert more * (1 if sys.platform == "darwin" else 1024) < 300e6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of 14 words and 192 pairs of them, as many characters, and pairs of these."""
    write(texts(char_ngrams=2), tmp_path / "model", "card")
    return tmp_path / "model"


def description(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "model.json").read_text(encoding="utf-8"))


def with_cell(column: str, row: int, value: Any) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(frame):
        values = frame[column].to_list()
        values[row] = value(values) if callable(value) else value
        return frame.with_columns(pl.Series(column, values, dtype=SCHEMA[column]))

    return change


def swapped(first: int, second: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(frame):
        order = np.arange(frame.height)
        order[[first, second]] = order[[second, first]]
        return frame[order]

    return change


WORD, PAIR, CHARACTER = 0, 20, 14 + 192 + 3  # rows of each
FRAMES = {
    "other columns": lambda frame: frame.rename({"last": "first"}),
    "one column less": lambda frame: frame.drop("weight"),
    "one column more": lambda frame: frame.with_columns(more=1),
    "wider numbers": lambda frame: frame.with_columns(pl.col("prefix").cast(pl.Int64)),
    "weights of 64 bits": lambda frame: frame.with_columns(pl.col("weight").cast(pl.Float64)),
    "symbols that are numbers": lambda frame: frame.with_columns(symbol=pl.lit(1)),
    "one row less": lambda frame: frame[:-1],
    "one row more": lambda frame: pl.concat([frame, frame[-1:]]),
    "no rows": lambda frame: frame[:0],
    "a word twice": with_cell("symbol", WORD, lambda words: words[1]),
    "a word missing": with_cell("symbol", WORD, None),
    "a character twice": with_cell("symbol", CHARACTER, lambda symbols: symbols[CHARACTER + 1]),
    "a character of two": with_cell("symbol", CHARACTER, "ab"),
    "a character of none": with_cell("symbol", CHARACTER, ""),
    "a prefix below 0": with_cell("prefix", PAIR, -1),
    "a prefix that is not there": with_cell("prefix", PAIR, 14),
    "the largest prefix": with_cell("prefix", PAIR, 2**31 - 1),
    "no prefix": with_cell("prefix", PAIR, None),
    "a last below 0": with_cell("last", PAIR, -(2**31)),
    "a last that is not there": with_cell("last", PAIR, 14),
    "no last": with_cell("last", PAIR, None),
    "not in order": swapped(PAIR, PAIR + 1),
    "twice the same": lambda frame: pl.concat([frame[:PAIR], frame[PAIR + 1 : PAIR + 2], frame[PAIR + 1 :]]),
    "NaN": with_cell("weight", PAIR, float("nan")),
    "infinity": with_cell("weight", PAIR, float("-inf")),
    "one feature less": with_cell("weight", PAIR, None),
}


@pytest.mark.parametrize("change", FRAMES)
def test_a_vocabulary_that_no_encoder_learns_is_refused(folder, change):
    frame = pl.read_parquet(folder / VOCABULARY)
    assert frame["symbol"].is_not_null().arg_true().to_list()[:15] == [*range(14), 14 + 192]  # see the rows above
    FRAMES[change](frame).write_parquet(folder / VOCABULARY)
    correct(folder)
    with pytest.raises(ModelRefused, match=r"vocabulary\.parquet: the model is refused: "):
        read(folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"symbol,prefix\n", b"\xff" * 4000, b"PAR1\xff\xff\xff\x7fPAR1"],
)
def test_a_vocabulary_that_is_no_parquet_is_refused(folder, content):
    whole = (folder / VOCABULARY).read_bytes()
    for broken in (content, whole[:-9], whole[9:], whole[: len(whole) // 2]):
        (folder / VOCABULARY).write_bytes(broken)
        correct(folder)
        with pytest.raises(ModelRefused, match=r"(vocabulary\.parquet|model\.json): the model is refused: "):
            read(folder)


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")
def test_whatever_bytes_are_changed_the_answer_is_a_refusal_or_a_model_that_works(folder):
    rng, original = np.random.default_rng(0), {path.name: path.read_bytes() for path in folder.iterdir()}
    refused = 0
    for step in range(200):
        name = (VOCABULARY, "weights.safetensors")[step % 2]
        content = bytearray(original[name])
        ends = [*range(min(300, len(content))), *range(-300, 0)] if step % 4 < 2 else range(len(content))
        for place in rng.choice(ends, rng.integers(1, 4)):  # mostly where the layout is told
            content[place] ^= 1 << rng.integers(0, 8)
        (folder / name).write_bytes(content)
        correct(folder)
        try:
            found = read(folder)
        except ModelRefused as refusal:
            refused += str(refusal).startswith(str(folder))
        else:
            assert len(found.predict(new_rows("words"))) == new_rows("words").height
        (folder / name).write_bytes(original[name])
    assert 30 < refused < 200


SIZES_OF_NGRAMS = [
    {}, {"words": []}, {"words": [14, -1, 193]}, {"words": [14.0, 192]}, {"words": ["14", 192]}, {"words": [True, 205]},
    {"lines": [14, 192]}, {"words": [206]}, {"words": [13, 193]}, {"words": [192, 14]}, {"words": 206}, [14, 192], None,
    {"words": [14, 192, *[0] * 200_000]}, {"words": [14, 192], "characters": [0, 1]}, {"words": [14, 10**30]},
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(SIZES_OF_NGRAMS)))
def test_sizes_that_are_not_those_of_the_vocabulary_are_refused(tmp_path, number):
    write(texts(), tmp_path, "card")
    content = description(tmp_path)
    assert content["encoder"]["learnt"]["sizes"] == {"words": [14, 192]}
    content["encoder"]["learnt"]["sizes"] = SIZES_OF_NGRAMS[number]
    write_json(tmp_path, content)
    with pytest.raises(ModelRefused, match=r"the model is refused: "):
        read(tmp_path)


def test_a_vocabulary_that_is_missing_or_that_nothing_asks_for_is_no_harm(tmp_path, folder):
    content = description(folder)
    write_json(folder, content | {"files": {name: one for name, one in content["files"].items() if name != VOCABULARY}})
    with pytest.raises(ModelRefused, match=r"model\.json: .*there is no vocabulary"):
        read(folder)
    write(points(), tmp_path / "points", "card")
    (tmp_path / "points" / VOCABULARY).write_bytes(b"not named, so not read")
    assert read(tmp_path / "points").predict_proba(new_rows("points")).shape == (40, 2)


AGE = ["NumberColumn", "age", 50.0, 20.0, [30.0, 60.0]]
COLUMNS = {
    "no scale": [*AGE[:3], 0.0, AGE[4]],
    "a scale below 0": [*AGE[:3], -20.0, AGE[4]],
    "a mean that is a word": [*AGE[:2], "50.0", *AGE[3:]],
    "bins that are one word": [*AGE[:4], "36"],
    "bins that go down": [*AGE[:4], [60.0, 30.0]],
    "bins twice": [*AGE[:4], [30.0, 30.0]],
    "bins within bins": [*AGE[:4], [[30.0], [60.0]]],
    "one part less": AGE[:4],
    "one part more": [*AGE, 1],
    "another kind": ["os.system", *AGE[1:]],
    "no kind": [None, *AGE[1:]],
    "a name that is none": ["NumberColumn", ["age"], *AGE[2:]],
    "categories twice": ["CategoryColumn", "age", ["a", "b", "b", "c"]],
    "categories that are one word": ["CategoryColumn", "age", "abcd"],
    "categories that are numbers": ["CategoryColumn", "age", [1, 2, 3, 4]],
    "one word": "NumberColumn",
    "nothing": [],
}


@pytest.mark.parametrize("facts", COLUMNS)
def test_columns_that_no_encoder_learns_are_refused(tmp_path, facts):
    write(rows(), tmp_path, "card")
    content = description(tmp_path)
    assert content["encoder"]["learnt"]["columns"][0][:2] == [
        "RobustColumn",
        "age",
    ]  # of five features, as each of these
    for column, refused in ((AGE, False), (COLUMNS[facts], True)):
        content["encoder"]["learnt"]["columns"][0] = column
        write_json(tmp_path, content)
        if not refused:
            assert read(tmp_path).encoder.columns[0].center == 50.0
            continue
        with pytest.raises(ModelRefused, match=r"model\.json: the model is refused: "):
            read(tmp_path)


@pytest.mark.parametrize("row_group_size", [None, 100_000_000])
def test_rows_that_only_a_few_bytes_stand_for_take_no_memory(folder, row_group_size):
    frame = pl.DataFrame({name: pl.repeat(None, 20_000_000, dtype=kind, eager=True) for name, kind in SCHEMA.items()})
    frame.write_parquet(folder / VOCABULARY, row_group_size=row_group_size)
    del frame
    assert (folder / VOCABULARY).stat().st_size < 1_000_000
    correct(folder)
    with little_memory(), pytest.raises(ModelRefused, match=r"vocabulary\.parquet: .*20,000,000 rows"):
        read(folder)


SIZES = {
    "features": ("sizes", {"num_features": 10**12}),
    "all that can be said": ("sizes", {"num_features": 2**53 - 1}),
    "hidden": ("model", {"_target_": path_of(MLP), "arguments": {"hidden": [10**9, 10**9]}}),
    "hidden beyond 64 bits": ("model", {"_target_": path_of(MLP), "arguments": {"hidden": [10**10, 10**10]}}),
    "hidden beyond all bits": ("model", {"_target_": path_of(MLP), "arguments": {"hidden": [10**40]}}),
    "layers": ("model", {"_target_": path_of(MLP), "arguments": {"hidden": [1] * 200_000}}),
    "classes": (
        "task",
        {"name": "multilabel", "classes": [f"{k}" for k in range(10**5)], "class_counts": [1] * 10**5},
    ),
}


@pytest.mark.parametrize("size", SIZES)
def test_sizes_that_are_only_said_take_no_memory(tmp_path, size):
    write(points(), tmp_path, "card")
    content, (part, said) = description(tmp_path), SIZES[size]
    write_json(tmp_path, content | {part: content[part] | said})
    with little_memory(), pytest.raises(ModelRefused):
        read(tmp_path)


def test_half_a_million_categories_are_still_read(tmp_path):
    write(KINDS["table of bags"](), tmp_path, "card")
    assert (tmp_path / "model.json").stat().st_size / CODES * 500_000 < MAX_JSON
