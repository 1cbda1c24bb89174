"""Data that an earlier run has encoded, against the same data encoded now."""

import csv
import logging
import random
from unittest import mock

import polars as pl
import pytest
import torch

from rosenblatt.data import cache as module
from rosenblatt.data.cache import Cache
from rosenblatt.data.features import Bags
from rosenblatt.data.labelled_files import FileData
from rosenblatt.table.data import TableData
from rosenblatt.text.data import TextData
from rosenblatt.text.encoder import TextEncoder

RNG = random.Random(0)
WORDS = ["good", "bad", "film", "isn't", "пьеса", "<br />", ",", "naïve"]


def write(path, header, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


@pytest.fixture
def texts(tmp_path):
    rows = [(" ".join(RNG.choices(WORDS, k=RNG.randint(1, 8))), "ab"[i % 2]) for i in range(80)]
    return write(tmp_path / "texts.csv", ("text", "label"), rows)


@pytest.fixture
def labelled(tmp_path):
    rows = [(" ".join(RNG.choices(WORDS, k=5)), ",".join(RNG.sample("abcd", i % 3))) for i in range(60)]
    return write(tmp_path / "labelled.csv", ("text", "label"), rows)


@pytest.fixture
def prices(tmp_path):
    rows = [(" ".join(RNG.choices(WORDS, k=3)), i % 7, RNG.gauss(1e9, 7)) for i in range(80)]
    return write(tmp_path / "prices.csv", ("text", "number", "label"), rows)


@pytest.fixture
def table(tmp_path):
    rows = [("" if i % 9 == 0 else i / 7, f"code {i % 700}", "xyz"[i % 3], "abc"[i % 3]) for i in range(1500)]
    return write(tmp_path / "table.csv", ("number", "code", "kind", "label"), rows)


CASES = {
    "words": (TextData, "texts", {"char_ngrams": 0}),
    "words and characters": (TextData, "texts", {"ngrams": 3, "char_ngrams": 5, "min_count": 1}),
    "characters": (TextData, "texts", {"ngrams": 0, "char_ngrams": 2, "weighting": "tfidf", "lowercase": False}),
    "max_features": (TextData, "texts", {"char_ngrams": 3, "max_features": 20, "weighting": "count"}),
    "several labels": (TextData, "labelled", {"label_separator": ",", "task": "multilabel"}),
    "no test split": (TextData, "texts", {"fractions": [0.8, 0.2, 0.0]}),
    "dense table": (TableData, "table", {"ignore": ["code"]}),
    "texts with numbers": (TextData, "prices", {"char_ngrams": 0}),
    "table with numbers": (TableData, "prices", {"ignore": ["text"]}),
    "table of bags": (TableData, "table", {"fractions": [0.9, 0.05, 0.05]}),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request, tmp_path):
    kind, file, options = request.param
    return kind, {"train": request.getfixturevalue(file), "cache": str(tmp_path / "cache"), **options}


def set_up(kind, options):
    data = kind(**options)
    data.setup()
    return data


def tensors_of(splits):
    return {
        f"{split}/{i}": tensor
        for split, (features, target) in splits.items()
        for i, tensor in enumerate([*(features if isinstance(features, Bags) else [features]), target])
    }


def assert_equal(ours, theirs):
    assert list(ours) == list(theirs)
    for name, tensor in ours.items():
        assert tensor.dtype == theirs[name].dtype
        assert torch.equal(tensor, theirs[name])


def refuse(*_):
    raise AssertionError("encoded, or read, once more")


def test_what_is_read_is_what_was_encoded(case, monkeypatch):
    kind, options = case
    plain = set_up(kind, {**options, "cache": None})
    first = set_up(kind, options)
    monkeypatch.setattr(FileData, "_load", refuse)
    second = set_up(kind, options)
    for one in (plain, first):
        assert one.task == second.task
        assert_equal(tensors_of(one.splits), tensors_of(second.splits))
        assert one.encoder.names() == second.encoder.names()
        assert one.encoder.settings == second.encoder.settings
        assert one.encoder.num_features == second.encoder.num_features == second.sizes["num_features"]
        assert one.encoder.facts() == second.encoder.facts()
        ours, theirs = (known.encoder.vocabulary() for known in (one, second))
        assert ours is theirs is None or (ours.equals(theirs) and ours.schema == theirs.schema)
        assert one.num_repeated == second.num_repeated
        assert [one.rows(split) for split in one.splits] == [second.rows(split) for split in one.splits]


def test_an_encoder_that_was_read_encodes_new_rows_as_the_first_does(case):
    kind, options = case
    first, second = (set_up(kind, options) for _ in range(2))
    rows = {
        "number": ["1.5", None, "3", ""],
        "code": ["code 1", "new", None, "?"],
        "kind": ["x", None, "w", "x"],
        "text": ["good film , unseen", "", "naïve пьеса isn't BAD", None],
    }
    ours, theirs = (one.encoder.encode(pl.DataFrame(rows), one.columns, "new rows") for one in (first, second))
    assert_equal(tensors_of({"new": (ours, torch.zeros(0))}), tensors_of({"new": (theirs, torch.zeros(0))}))


def test_the_messages_of_encoding_are_told_again(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    rows = [("good film", "a"), ("", "b"), ("bad 100%s film", "a,b")] * 5
    train = write(tmp_path / "a.csv", ("text", "label"), rows)
    test = write(tmp_path / "b.csv", ("text", "label"), [("good", "a,unknown")])
    options = {"train": train, "val": train, "test": test, "label_separator": ",", "cache": str(tmp_path / "cache")}
    set_up(TextData, options)
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert ("WARNING", "5 of 15 training texts are empty.") in told
    assert ("WARNING", "test: 1 labels that no training row has are left out.") in told
    assert any(message.startswith("Texts are read as words") for _, message in told)
    caplog.clear()
    set_up(TextData, options)
    again = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert again[0][1].startswith(f"The encoded data are read from {tmp_path / 'cache'}")
    assert again[1:] == told


def num_entries(tmp_path):
    return len(list((tmp_path / "cache").glob("*.safetensors")))


SETTINGS = [
    {"ngrams": 1}, {"char_ngrams": 2}, {"char_ngrams": 0}, {"min_count": 1}, {"max_features": 7}, {"lowercase": False},
    {"max_features": None}, {"weighting": "tfidf"}, {"text_column": ["text", "other"]}, {"text_column": "other"},
    {"label_column": "other"}, {"split_column": None}, {"fractions": [0.5, 0.25, 0.25]}, {"label_separator": ","},
    {"header": True}, {"encoding": "utf-8-sig"}, {"task": "multiclass"}, {"seed": 1},
]  # fmt: skip


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_another_setting_is_another_entry(setting, tmp_path, monkeypatch):
    rows = [(" ".join(RNG.choices(WORDS, k=4)), "ab"[i % 2], "cd"[i // 2 % 2]) for i in range(40)]
    path = write(tmp_path / "a.csv", ("text", "label", "other"), rows)
    encode = mock.Mock(return_value={"train": (torch.zeros(1), torch.zeros(1))})
    monkeypatch.setattr(TextData, "encode", encode)
    monkeypatch.setattr(TextEncoder, "vocabulary", lambda self: None)  # nothing was learnt
    monkeypatch.setattr(TextEncoder, "learn", lambda self, facts, vocabulary: None)
    for options in ({}, setting, {}, setting):
        set_up(TextData, {"train": path, "cache": str(tmp_path / "cache"), **options})
    assert num_entries(tmp_path) == encode.call_count == 2


@pytest.mark.parametrize(
    "setting", [{"ignore": ["kind"]}, {"categorical": ["number"]}, {"min_count": 3}, {"bins": 0}], ids=str
)
def test_another_setting_of_a_table_is_another_entry(setting, table, tmp_path):
    for options in ({}, setting, {}):
        set_up(TableData, {"train": table, "cache": str(tmp_path / "cache"), **options})
    assert num_entries(tmp_path) == 2


@pytest.mark.parametrize(("given", "entries"), [((), 2), (("val",), 2), (("val", "test"), 1)], ids=str)
def test_the_seed_counts_where_a_split_is_drawn(given, entries, texts, tmp_path):
    options = {"train": texts, "cache": str(tmp_path / "cache")} | dict.fromkeys(given, texts)
    loaded = [set_up(TextData, {**options, "seed": seed}) for seed in (1, 2)]
    assert num_entries(tmp_path) == entries
    orders = [[target.tolist() for _, target in one.train_dataloader()] for one in loaded]
    assert orders[0] != orders[1]  # of the batches, in either case


def test_what_decides_nothing_about_the_features_reads_the_same_entry(texts, tmp_path):
    for batch_size in ("auto", 3):
        data = set_up(TextData, {"train": texts, "cache": str(tmp_path / "cache"), "batch_size": batch_size})
    assert num_entries(tmp_path) == 1
    assert data.batch_size == 3


def damages(path, how):
    key, folder = path.stem, path.parent
    if how == "cut off":
        path.write_bytes(path.read_bytes()[:-8])
    elif how == "other facts":
        Cache(folder).write(key, {"x": torch.zeros(1)}, {"other": 1})
    else:
        facts = Cache(folder).read(key, lambda tensors, facts: facts)
        Cache(folder).write(key, {"x": torch.zeros(1)}, facts)


@pytest.mark.parametrize("how", ["cut off", "other facts", "other tensors"])
def test_an_entry_that_is_damaged_or_foreign_is_a_warning_and_mended(how, texts, tmp_path, caplog, monkeypatch):
    options = {"train": texts, "cache": str(tmp_path / "cache")}
    first = set_up(TextData, options)
    (path,) = (tmp_path / "cache").iterdir()
    damages(path, how)
    again = set_up(TextData, options)
    assert "not a whole cache entry" in caplog.text
    assert_equal(tensors_of(first.splits), tensors_of(again.splits))
    monkeypatch.setattr(FileData, "_load", refuse)
    assert_equal(tensors_of(first.splits), tensors_of(set_up(TextData, options).splits))


def test_data_that_can_not_be_kept_are_encoded_all_the_same(texts, tmp_path, caplog, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_file", full)
    data = set_up(TextData, {"train": texts, "cache": str(tmp_path / "cache")})
    assert_equal(tensors_of(data.splits), tensors_of(set_up(TextData, {"train": texts}).splits))
    assert "the encoded data can't be kept ([Errno 28] No space left on device)" in caplog.text
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("url", ["train", "val"])
def test_data_from_elsewhere_are_not_kept(url, texts, tmp_path):
    paths = {"train": texts, "val": texts} | {url: f"file://{texts}"}
    assert set_up(TextData, {**paths, "cache": str(tmp_path / "cache")}).task.num_rows > 0
    assert not (tmp_path / "cache").exists()


def test_two_runs_on_the_same_file_have_the_same_metrics_but_for_times(train, reviews, tmp_path):
    def metrics(run, *overrides):
        done = train("data=text", f"data.train={reviews}", "data.batch_size=32", "loss=default", *overrides, run=run)
        assert done.status == 0
        assert ("The encoded data are read from" in (done.run / "train.log").read_text()) == (run == "second")
        return {name: value for name, value in done.metrics.items() if not name.startswith("seconds")}

    plain = metrics("plain", "data.cache=null")
    assert not (tmp_path / "logs").exists()
    first, second = metrics("first"), metrics("second")
    assert len(list((tmp_path / "logs" / "cache").iterdir())) == 1
    assert plain == first == second
    assert first["test/loss"] > 0
