import gzip
import logging
import os
import time

import pytest
import torch
from safetensors.torch import save_file

from rosenblatt.data import cache as module
from rosenblatt.data.cache import Cache, Entry, key_of, recorded

FACTS = {"classes": ["no", "ja ✓"], "num": 2, "messages": [[30, "100% odd"]], "none": None}


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "logs" / "cache")


def entry_of(value, size=3):
    return Entry({"ids": torch.full((size,), value, dtype=torch.int32), "nothing": torch.zeros(0, 2)}, FACTS)


def assert_same(found, expected):
    assert found is not None
    assert found.facts == expected.facts
    assert found.tensors.keys() == expected.tensors.keys()
    for name, tensor in expected.tensors.items():
        assert found.tensors[name].dtype == tensor.dtype
        assert torch.equal(found.tensors[name], tensor)


def files(cache):
    return sorted(path.name for path in cache.folder.iterdir())


def test_what_is_written_is_read_back_and_nothing_else_is_left_behind(cache):
    assert cache.read("a") is None
    assert not cache.folder.exists()  # made by the first entry, not by a look
    for value in (1, 2):  # the second time in place of the first
        cache.write("a", entry_of(value))
        assert_same(cache.read("a"), entry_of(value))
    assert cache.read("b") is None
    assert files(cache) == ["a.safetensors"]


@pytest.mark.skipif(os.name == "nt", reason="has no such rights")
def test_an_entry_has_the_rights_of_any_other_new_file(cache):
    before = os.umask(0o027)
    try:
        cache.write("a", entry_of(1))
    finally:
        os.umask(before)
    assert cache.path("a").stat().st_mode & 0o777 == 0o640


def foreign(path):
    save_file({"x": torch.zeros(2)}, path)


def of_other_facts(path):
    save_file({"x": torch.zeros(2)}, path, {"facts": "no JSON"})


def flip(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1  # in the middle of a tensor
    path.write_bytes(content)


DAMAGES = {
    "one bit": flip,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("text,label\n" * 9),
    "header cut off": lambda path: path.write_bytes(path.read_bytes()[:20]),
    "end cut off": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "without facts": foreign,
    "with other facts": of_other_facts,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_file_that_is_no_whole_entry_is_a_warning_and_can_be_mended(cache, damage, caplog):
    cache.write("a", entry_of(1))
    damage(cache.path("a"))
    assert cache.read("a") is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"{cache.path('a')}: not a whole cache entry (" in caplog.text
    assert "the data are encoded again" in caplog.text
    cache.write("a", entry_of(2))
    assert_same(cache.read("a"), entry_of(2))


def test_a_disk_that_is_full_is_a_warning_and_leaves_what_there_was(cache, monkeypatch, caplog):
    cache.write("a", entry_of(1))

    def stop_halfway(tensors, path, *_):
        with open(path, "wb") as file:
            file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_file", stop_halfway)
    for key in ("a", "b"):
        cache.write(key, entry_of(2))
    assert_same(cache.read("a"), entry_of(1))
    assert cache.read("b") is None
    assert files(cache) == ["a.safetensors"]
    assert (
        caplog.messages
        == [
            f"{cache.folder}: the encoded data can't be kept ([Errno 28] No space left on device); "
            "data.cache=null does not try."
        ]
        * 2
    )


def test_a_file_in_place_of_the_folder_is_a_warning(tmp_path, caplog):
    (tmp_path / "cache").write_text("a file")
    cache = Cache(tmp_path / "cache")
    assert cache.read("a") is None
    cache.write("a", entry_of(1))
    assert "the encoded data can't be kept" in caplog.text
    assert (tmp_path / "cache").read_text() == "a file"


def key(letter):
    """A name as `key_of` gives it."""
    return letter * 32


def aged(cache, **hours):
    for letter, age in hours.items():
        os.utime(cache.path(key(letter)), (0, 1_700_000_000 - 3600 * age))


def test_entries_that_were_longest_not_used_go_first(cache, monkeypatch):
    for letter in "abcd":
        cache.write(key(letter), entry_of(1, size=1000))
    aged(cache, a=1, b=4, c=3, d=2)
    size = cache.path(key("a")).stat().st_size
    monkeypatch.setattr(module, "MAX_BYTES", 3 * size)
    cache.read(key("b"))  # in use again, and so the newest of the four
    cache.write(key("e"), entry_of(1, size=1000))
    assert files(cache) == [f"{key(letter)}.safetensors" for letter in "abe"]


def test_the_current_entry_stays_however_large_it_is(cache, monkeypatch):
    cache.write(key("a"), entry_of(1))
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    cache.write(key("b"), entry_of(1, size=1000))
    assert files(cache) == [f"{key('b')}.safetensors"]


def test_files_that_are_none_of_ours_stay_whatever_their_size_and_age(cache, monkeypatch):
    others = ["MODEL.safetensors", "bert-base.safetensors", f"{key('a')}0.safetensors", "model.part", "notes.txt"]
    cache.folder.mkdir(parents=True)
    for name in others:
        (cache.folder / name).write_bytes(bytes(1000))
        os.utime(cache.folder / name, (0, 0))
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    cache.write(key("b"), entry_of(1))
    assert files(cache) == sorted([*others, f"{key('b')}.safetensors"])


def test_a_part_of_a_process_that_was_killed_goes_after_a_day(cache):
    cache.folder.mkdir(parents=True)
    now = time.time()
    for name, age in (("encoded-old.part", module.DAY + 60), ("encoded-being-written.part", module.DAY - 60)):
        (cache.folder / name).write_bytes(b"half")
        os.utime(cache.folder / name, (now - age, now - age))
    cache.write(key("a"), entry_of(1))
    assert files(cache) == [f"{key('a')}.safetensors", "encoded-being-written.part"]


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
        logging.getLogger("rosenblatt.run").warning("elsewhere")
    logging.getLogger("rosenblatt.data").warning("afterwards")
    assert messages == [(logging.WARNING, "100% of 3"), (logging.INFO, "read")]
    assert caplog.messages == ["100% of 3", "read", "elsewhere", "afterwards"]
