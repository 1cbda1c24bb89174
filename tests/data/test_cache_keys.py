import gzip
import logging
import os

import pytest

from rosenblatt.data import cache as module
from rosenblatt.data.cache import key_of, recorded


@pytest.fixture
def paths(tmp_path):
    for name in ("train.csv", "val.csv"):
        (tmp_path / name).write_text(f"text,label\n{name},1\n")
    return {split: str(tmp_path / f"{split}.csv") for split in ("train", "val")}


def test_the_same_content_and_settings_have_one_key_wherever_they_lie(paths, tmp_path, monkeypatch):
    settings = {"ngrams": 2, "seed": None}
    key = key_of(paths, settings)
    (tmp_path / "other.csv").write_bytes((tmp_path / "val.csv").read_bytes())
    assert key_of({"val": str(tmp_path / "other.csv"), "train": paths["train"]}, settings) == key
    assert key_of(paths, dict(reversed(settings.items()))) == key
    os.utime(paths["train"], (0, 0))
    assert key_of(paths, settings) == key
    monkeypatch.setenv("HOME", str(tmp_path))
    assert key_of({"train": "~/train.csv", "val": "~/val.csv"}, settings) == key


def test_another_byte_split_or_setting_has_another_key(paths, tmp_path, monkeypatch):
    settings = {"ngrams": 2, "seed": None}
    keys = [key_of(paths, settings)]
    keys += [key_of(paths, {**settings, **other}) for other in ({"ngrams": 1}, {"seed": 0}, {"lowercase": True})]
    keys.append(key_of({"train": paths["train"]}, settings))
    keys.append(key_of({"train": paths["train"], "test": paths["val"]}, settings))
    keys.append(key_of({"train": paths["val"], "val": paths["train"]}, settings))
    (tmp_path / "val.csv").write_text("text,label\nval.csv,2\n")
    keys.append(key_of(paths, settings))
    monkeypatch.setattr(module, "FORMAT", module.FORMAT + 1)
    keys.append(key_of(paths, settings))
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("names", [("a.csv", "a.tsv"), ("a.csv.gz", "a.tsv.gz")], ids=" ".join)
def test_the_same_bytes_in_another_format_have_another_key(names, tmp_path):
    for name in names:  # a comma or a tab divides the columns
        (tmp_path / name).write_bytes(gzip.compress(b"text\tlabel,label\n", mtime=0))
    one, other = (key_of({"train": str(tmp_path / name)}, {}) for name in names)
    assert one != other


def folder_of(root, **texts):
    for name, text in texts.items():
        kind, file = name.split("_")
        (root / kind).mkdir(parents=True, exist_ok=True)
        (root / kind / f"{file}.txt").write_text(text)
    return root


def test_a_folder_has_the_key_of_all_that_is_in_it(tmp_path):
    contents = [
        {"pos_1": "good", "neg_1": "bad"},
        {"pos_1": "good", "neg_1": "bad", "neg_2": ""},
        {"pos_1": "bad", "neg_1": "good"},
        {"pos_1": "goodbad", "neg_1": ""},
        {"pos_1": "good", "not_1": "bad"},
    ]
    keys = [key_of({"train": str(folder_of(tmp_path / f"{i}", **texts))}, {}) for i, texts in enumerate(contents)]
    assert len(set(keys)) == len(contents)
    assert keys[0] == key_of({"train": str(folder_of(tmp_path / "again", **contents[0]))}, {})


def test_a_class_that_is_a_link_to_a_folder_counts_too(tmp_path):
    elsewhere = folder_of(tmp_path / "elsewhere", pos_1="good")
    folder = folder_of(tmp_path / "data", neg_1="bad")
    (folder / "pos").symlink_to(elsewhere / "pos", target_is_directory=True)  # which read_frame follows
    before = key_of({"train": str(folder)}, {})
    (elsewhere / "pos" / "1.txt").write_text("great")
    assert key_of({"train": str(folder)}, {}) != before


def test_messages_are_collected_with_their_level_and_still_told(caplog):
    caplog.set_level(logging.INFO)
    with recorded("rosenblatt.data") as messages:
        logging.getLogger("rosenblatt.data.files").warning("%s of %d", "100%", 3)
        logging.getLogger("rosenblatt.data").info("read")
        logging.getLogger("rosenblatt.run.folder").warning("elsewhere")
    logging.getLogger("rosenblatt.data").warning("afterwards")
    assert messages == [(logging.WARNING, "100% of 3"), (logging.INFO, "read")]
    assert caplog.messages == ["100% of 3", "read", "elsewhere", "afterwards"]
