import json

import numpy as np
import polars as pl
import pytest
import torch

from rosenblatt.data.features import Bags
from rosenblatt.table.data import TableData
from rosenblatt.table.encoder import SCALE
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.regression import Regression
from rosenblatt.text.data import TextData
from rosenblatt.text.rows import groups_of


def rows_of(count, first=0):
    return [
        (f"word{number % 3} common row{number}", "pos" if number % 2 else "neg")
        for number in range(first, first + count)
    ]


def write(path, rows, header=("text", "label"), separator=","):
    lines = [header, *rows] if header else rows
    path.write_text("".join(separator.join(map(str, row)) + "\n" for row in lines))
    return str(path)


def set_up(kind, **options):
    data = kind(**options)
    data.setup("fit")
    return data


def as_dense(bags, num_features):
    matrix = np.zeros((bags.num_rows, num_features), dtype=np.float32)
    rows = np.repeat(np.arange(bags.num_rows), np.diff(bags.offsets))
    matrix[rows, bags.ids] = bags.weights
    return matrix


def words_of(data, split):
    names = np.array(data.encoder.names())
    return [set(names[row > 0]) for row in as_dense(data.splits[split][0], len(names))]


def test_a_file_for_each_split_is_used_as_it_is(tmp_path):
    paths = {
        split: write(tmp_path / f"{split}.csv", rows_of(count))
        for split, count in {"train": 9, "val": 4, "test": 3}.items()
    }
    data = set_up(TextData, **paths, ngrams=1, char_ngrams=0, min_count=1, weighting="count")
    assert {split: target.tolist() for split, (_, target) in data.splits.items()} == {
        "train": [int(bool(words & {"row1", "row3", "row5", "row7"})) for words in words_of(data, "train")],
        "val": [0, 1, 0, 1],
        "test": [0, 1, 0],
    }
    assert words_of(data, "val") == [{f"word{number % 3}", "common", f"row{number}"} for number in range(4)]
    assert data.task == Binary(("neg", "pos"), num_rows=9, class_counts=(5, 4))
    assert data.sizes == {"num_features": 3 + 1 + 9, "bags": True}


def test_training_texts_are_shuffled_once_with_their_labels(tmp_path):
    paths = dict.fromkeys(
        ("train", "val", "test"), write(tmp_path / "a.csv", sorted(rows_of(60), key=lambda row: row[1]))
    )
    first, other = (set_up(TextData, **paths, ngrams=1, char_ngrams=0, min_count=1, seed=seed) for seed in (1, 2))
    in_file, shuffled = words_of(first, "val"), words_of(first, "train")
    assert shuffled == words_of(other, "train") != in_file  # of the seed it is free, so that a cache can keep it
    assert sorted(map(sorted, shuffled)) == sorted(map(sorted, in_file))
    label_of = {frozenset(words): label for words, label in zip(in_file, first.splits["val"][1].tolist(), strict=True)}
    assert first.splits["train"][1].tolist() == [label_of[frozenset(words)] for words in shuffled]
    assert 5 < first.splits["train"][1][:30].sum() < 25  # the classes, which the file keeps apart, are mixed


def test_a_split_column_is_used_where_there_is_one(tmp_path):
    rows = [(*row, split) for row, split in zip(rows_of(8), ["train"] * 4 + ["dev", "test"] * 2, strict=True)]
    data = set_up(TextData, train=write(tmp_path / "a.csv", rows, ("text", "label", "split")), ngrams=1, min_count=1)
    assert {split: len(target) for split, (_, target) in data.splits.items()} == {"train": 4, "val": 2, "test": 2}
    assert "row3" in data.encoder.names()
    assert "row4" not in data.encoder.names()


def test_a_split_that_the_column_lacks_is_taken_from_train(tmp_path):
    rows = [(*row, "test" if number < 10 else "train") for number, row in enumerate(rows_of(100))]
    data = set_up(TextData, train=write(tmp_path / "a.csv", rows, ("text", "label", "split")))
    sizes = {split: len(target) for split, (_, target) in data.splits.items()}
    assert sizes["test"] == 10
    assert sizes["val"] == pytest.approx(10, abs=2)
    assert sum(sizes.values()) == 100


@pytest.mark.parametrize("split_column", [None, "fold"])
def test_a_split_column_can_be_left_alone_or_named(tmp_path, split_column):
    rows = [(*row, "train" if number < 60 else "val") for number, row in enumerate(rows_of(100))]
    path = write(tmp_path / "a.csv", rows, ("text", "label", "split" if split_column is None else "fold"))
    data = set_up(TextData, train=path, split_column=split_column, fractions=[0.5, 0.5, 0])
    assert list(data.splits) == ["train", "val"]
    assert data.task.num_rows == pytest.approx(50 if split_column is None else 60, abs=2)


def test_fractions_divide_one_file_the_same_way_each_time(tmp_path):
    path = write(tmp_path / "a.csv", rows_of(200))
    options = {"train": path, "ngrams": 1, "min_count": 1, "fractions": [0.6, 0.3, 0.1]}
    first, same, other = (set_up(TextData, seed=seed, **options) for seed in (1, 1, 2))
    sizes = {split: len(target) for split, (_, target) in first.splits.items()}
    assert sizes == {split: pytest.approx(size, abs=3) for split, size in {"train": 120, "val": 60, "test": 20}.items()}
    assert sum(sizes.values()) == 200
    assert first.encoder.names() == same.encoder.names() != other.encoder.names()
    for split, (bags, target) in first.splits.items():
        assert all(torch.equal(a, b) for a, b in zip(bags, same.splits[split][0], strict=True))
        assert torch.equal(target, same.splits[split][1])
        assert target.float().mean() == pytest.approx(0.5, abs=0.1)


def test_several_text_columns_are_joined(tmp_path):
    rows = [("great", "a film", 1, "pos"), ("", "poor show", 2, "neg"), ("great", "", 3, "pos")]
    path = write(tmp_path / "a.csv", rows, ("title", "body", "stars", "label"))
    data = set_up(TextData, train=path, val=path, test=path, text_column=["title", "body", "stars"], min_count=1)
    assert {"great a", "film 1", "show 2", "great 3"} <= set(data.encoder.names())


def test_a_split_column_beside_files_of_their_own_is_not_learnt_from(tmp_path):
    rows = [(i, "train" if i % 3 else "val", "yes" if i % 2 else "no") for i in range(30)]
    path = write(tmp_path / "a.csv", rows, ("x", "split", "label"))
    data = set_up(TableData, train=path, test=path)
    assert data.encoder.names() == ["x", "x is missing"]


@pytest.mark.parametrize("split_column", [2, "2"])
def test_columns_by_number_mean_that_there_is_no_header(tmp_path, split_column):
    rows = [(label, text, "val" if number > 5 else "train") for number, (text, label) in enumerate(rows_of(8))]
    path = write(tmp_path / "a.tsv", rows, None, "\t")
    options = {"text_column": 1, "label_column": 0, "split_column": split_column, "fractions": [0.9, 0.1, 0]}
    data = set_up(TextData, train=path, ngrams=1, min_count=1, **options)
    assert data.task.num_rows == 6
    assert data.task.classes == ("neg", "pos")


def test_columns_by_number_can_be_those_of_a_file_with_a_header(tmp_path):
    path = write(tmp_path / "a.csv", rows_of(9))
    data = set_up(TextData, train=path, val=path, test=path, text_column=0, label_column=1, header=True)
    assert data.task.num_rows == 9


@pytest.mark.parametrize("kind", ["separator", "jsonl", "fasttext"])
def test_several_labels_make_a_multilabel_task(tmp_path, kind):
    rows = [("one", ["b", "a"]), ("two", ["b"]), ("three", []), ("four", ["c"]), ("five", ["a"])]
    path, options = tmp_path / "a.jsonl", {}
    if kind == "separator":
        path, options = tmp_path / "a.tsv", {"label_separator": ","}
        path.write_text("text\tlabel\n" + "".join(f"{text}\t{', '.join(labels)}\n" for text, labels in rows))
    elif kind == "fasttext":
        path = tmp_path / "a.txt"
        path.write_text(
            "".join(" ".join([*(f"__label__{name}" for name in labels), text, "\n"]) for text, labels in rows)
        )
    else:
        path.write_text("".join(json.dumps({"text": text, "label": labels}) + "\n" for text, labels in rows))
    data = set_up(TextData, train=str(path), val=str(path), test=str(path), min_count=1, **options)
    assert (data.task.name, data.task.classes, data.task.class_counts) == ("multilabel", ("a", "b", "c"), (2, 2, 1))
    assert data.splits["test"][1].tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1], [1, 0, 0]]


def test_nothing_of_val_and_test_reaches_the_vocabulary(tmp_path):
    train, val = write(tmp_path / "a.csv", rows_of(10)), write(tmp_path / "b.csv", rows_of(10))
    other = write(tmp_path / "c.csv", [("common common unseen", "pos"), *[("word1 secret", "pos")] * 50])
    options = {"ngrams": 2, "char_ngrams": 2, "min_count": 1, "weighting": "tfidf"}
    data = set_up(TextData, train=train, val=val, test=val, **options)
    again = set_up(TextData, train=train, val=other, test=other, **options)
    assert data.encoder.names() == again.encoder.names()
    assert data.task == again.task
    assert all(torch.equal(a, b) for a, b in zip(data.splits["train"][0], again.splits["train"][0], strict=True))
    assert not {"unseen", "secret"} & set(again.encoder.names())


def table_rows(count, scale=1.0):
    return [(number * scale, "abc"[number % 3], number, "yes" if number % 2 else "no") for number in range(count)]


def test_nothing_of_val_and_test_reaches_scales_and_categories(tmp_path):
    header = ("x", "kind", "id", "label")
    train, val = (write(tmp_path / name, table_rows(10), header) for name in ("a.csv", "b.csv"))
    other = write(tmp_path / "c.csv", [(1e9, "new", 5, "yes")], header)
    data = set_up(TableData, train=train, val=val, test=val)
    again = set_up(TableData, train=train, val=other, test=other)
    assert data.encoder.columns == again.encoder.columns
    assert data.task == again.task
    assert torch.equal(data.splits["train"][0], again.splits["train"][0])
    assert again.encoder.names() == [
        "x",
        "x is missing",
        "kind = a",
        "kind = b",
        "kind = c",
        "kind is missing",
        "id",
        "id is missing",
    ]
    assert again.splits["test"][0][0, 2:6].tolist() == [0, 0, 0, 0]


def test_a_table_is_encoded_without_its_label_split_and_ignored_columns(tmp_path):
    rows = [(*row, "train" if number < 20 else "test") for number, row in enumerate(table_rows(40))]
    path = write(tmp_path / "a.csv", rows, ("x", "kind", "id", "label", "split"))
    data = set_up(TableData, train=path, ignore=["id"], fractions=[0.9, 0.1, 0.0])
    assert data.encoder.names() == ["x", "x is missing", "kind = a", "kind = b", "kind = c", "kind is missing"]
    features = data.splits["train"][0]
    assert features[:, 0].median() == pytest.approx(0, abs=SCALE / 10)
    assert features[:, 0].abs().max() < 3 * SCALE
    sizes = {"num_features": 6, "bags": False, "columns": [2, 4], "numbers": [0], "peaked": []}
    assert (data.sizes, data.task.name) == (sizes, "binary")


def test_a_table_without_a_header_has_columns_by_number(tmp_path):
    path = write(tmp_path / "a.csv", table_rows(30), None)
    data = set_up(TableData, train=path, label_column=3, ignore=[2], categorical=[0], fractions=[0.8, 0.1, 0.1])
    assert data.task.classes == ("no", "yes")
    assert data.encoder.names()[-5:] == ["0 is missing", "1 = a", "1 = b", "1 = c", "1 is missing"]


def test_a_typed_table_is_read_from_parquet(tmp_path):
    frame = pl.DataFrame({"x": [1.0, None, 3.0] * 10, "on": [True, False, None] * 10, "label": [1, 2, 10] * 10})
    frame.write_parquet(tmp_path / "a.parquet")
    data = set_up(TableData, train=str(tmp_path / "a.parquet"))
    assert (data.task.classes, data.task.name) == (("1", "2", "10"), "multiclass")
    assert data.encoder.names() == ["x", "x is missing", "on", "on is missing"]


def test_batches_hold_every_training_row_once_an_epoch(tmp_path):
    path = write(tmp_path / "a.csv", rows_of(30))
    data = set_up(TextData, train=path, val=path, test=path, min_count=1, batch_size=8)
    sizes = []
    for bags, target in data.train_dataloader():
        assert isinstance(bags, Bags)
        sizes.append(target.shape[0])
    assert sizes == [8, 8, 8, 6]
    assert [target.shape[0] for _, target in data.test_dataloader()] == [30]


def house(number):
    area, rooms = 30 + number * 37 % 170, 1 + number % 7
    return area, rooms, "abc"[number % 3], 1000 * area + 5000 * rooms + 0.25


HOUSES, FLATS = [house(number) for number in range(300)], ("area", "rooms", "district", "price")


def test_a_column_of_numbers_is_predicted_as_numbers_in_its_own_units(tmp_path, caplog):
    caplog.set_level("INFO")
    path = write(tmp_path / "a.csv", HOUSES, FLATS)
    data = set_up(TableData, train=path, label_column="price", seed=3)
    sizes = {split: len(target) for split, (_, target) in data.splits.items()}
    assert sizes == {split: pytest.approx(size, abs=3) for split, size in {"train": 240, "val": 30, "test": 30}.items()}
    every = torch.cat([target for _, target in data.splits.values()])
    assert every.dtype == torch.float64
    assert sorted(every.tolist()) == sorted(row[3] for row in HOUSES)
    train = data.splits["train"][1]
    assert data.task == Regression(num_rows=len(train), mean=float(train.mean()), std=float(train.std(correction=0)))
    assert data.sizes["num_features"] == data.splits["train"][0].shape[1] == sum(data.sizes["columns"])
    assert not any("price" in name for name in data.encoder.names())
    assert f"{path}, column 'price' holds numbers (" in caplog.text
    kept = pl.read_parquet(data.rows("test"))
    assert kept["price"].cast(pl.Float64).to_list() == data.splits["test"][1].tolist()
    assert data.rows("val") is None


def test_numbers_are_split_the_same_way_each_time_and_evenly(tmp_path):
    path = write(tmp_path / "a.csv", HOUSES, FLATS)
    first, same, other = (set_up(TableData, train=path, label_column="price", seed=seed) for seed in (1, 1, 2))
    for split in ("train", "val", "test"):
        assert torch.equal(first.splits[split][1], same.splits[split][1])
        assert not torch.equal(first.splits[split][1], other.splits[split][1])
        assert abs(first.splits[split][1].mean() - first.task.mean) < first.task.std


def test_files_of_their_own_need_not_hold_numbers_that_training_had(tmp_path):
    train = write(tmp_path / "a.csv", HOUSES, FLATS)
    other = write(tmp_path / "b.csv", [(50, 2, "a", -1), (50, 2, "a", "1e9")], FLATS)
    data = set_up(TableData, train=train, val=other, test=other, label_column="price")
    assert data.splits["val"][1].tolist() == data.splits["test"][1].tolist() == [-1.0, 1e9]
    assert data.task.num_rows == 300


def test_texts_may_have_numbers_and_words_that_tell_them_apart_weigh_the_most(tmp_path):
    words = ("poor", "fine")
    rows = [(f"{words[number % 2]} film {number % 5}", number % 2 * 40 + number / 8) for number in range(200)]
    options = {"train": write(tmp_path / "a.csv", rows), "ngrams": 1, "char_ngrams": 0, "min_count": 1}
    data = set_up(TextData, **options, weighting="count")
    assert isinstance(data.task, Regression)
    assert data.sizes == {"num_features": 8, "bags": True}
    text_of = {number: set(text.split()) for text, number in rows}
    for split in ("train", "val", "test"):
        assert words_of(data, split) == [text_of[number] for number in data.splits[split][1].tolist()]
    data = set_up(TextData, **options)
    bags, names = data.splits["train"][0], data.encoder.names()
    weight = dict(zip([names[i] for i in bags.ids.tolist()], bags.weights.abs().tolist(), strict=True))
    assert min(weight["fine"], weight["poor"]) > 2 * max(weight["film"], weight["3"])


@pytest.mark.parametrize(
    ("target", "above"),
    [([1.0, 2.0, 3.0, 4.0], [2, 3]), ([0.0, 0.0, 0.0, 9.0], [3]), ([1.0, 9.0, 9.0, 9.0], [1, 2, 3])],
)
def test_numbers_make_two_groups_of_which_none_is_empty(target, above):
    below = sorted({0, 1, 2, 3} - set(above))
    assert [group.tolist() for group in groups_of(Regression(), torch.tensor(target))] == [below, above]


def test_a_task_with_classes_that_is_set_keeps_numbers_classes(tmp_path):
    path = write(tmp_path / "a.csv", [(number, f"{number % 25}.5") for number in range(200)], ("x", "label"))
    assert set_up(TableData, train=path).task.name == "regression"
    assert len(set_up(TableData, train=path, task="multiclass").task.classes) == 25
    few = write(tmp_path / "b.csv", [(number, number % 3) for number in range(60)], ("x", "label"))
    assert set_up(TableData, train=few).task.classes == ("0", "1", "2")
    assert set_up(TableData, train=few, task="regression").task.mean == pytest.approx(1, abs=0.2)
