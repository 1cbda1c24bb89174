import logging
import os
import shutil
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load_file, save_file

from rosenblatt.data import cache as module
from rosenblatt.data.cache import Cache, recorded

FACTS = {"classes": ["no", "ja ✓"], "num": 2, "messages": [[30, "100% odd"]], "none": None}


class Entry(NamedTuple):
    tensors: dict
    facts: dict


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "logs" / "cache")


def entry_of(value, size=3):
    return Entry({"ids": torch.full((size,), value, dtype=torch.int32), "nothing": torch.zeros(0, 2)}, FACTS)


def read(cache, key):
    return cache.read(key, Entry)


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
    assert read(cache, "a") is None
    assert not cache.folder.exists()  # made by the first entry, not by a look
    for value in (1, 2):  # the second time in place of the first
        cache.write("a", *entry_of(value))
        assert_same(read(cache, "a"), entry_of(value))
    assert read(cache, "b") is None
    assert files(cache) == ["a.safetensors"]


@pytest.mark.skipif(os.name == "nt", reason="has no such rights")
def test_an_entry_has_the_rights_of_any_other_new_file(cache):
    before = os.umask(0o027)
    try:
        cache.write("a", *entry_of(1))
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
    cache.write("a", *entry_of(1))
    damage(cache.path("a"))
    assert read(cache, "a") is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"{cache.path('a')}: not a whole cache entry (" in caplog.text
    assert "the data are encoded again" in caplog.text
    cache.write("a", *entry_of(2))
    assert_same(read(cache, "a"), entry_of(2))


def test_a_disk_that_is_full_is_a_warning_and_leaves_what_there_was(cache, monkeypatch, caplog):
    cache.write("a", *entry_of(1))

    def stop_halfway(tensors, path, *_):
        with open(path, "wb") as file:
            file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_file", stop_halfway)
    for key in ("a", "b"):
        cache.write(key, *entry_of(2))
    assert_same(read(cache, "a"), entry_of(1))
    assert read(cache, "b") is None
    assert files(cache) == ["a.safetensors"]
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"{cache.folder}: the encoded data can't be kept ([Errno 28] No space left on device); "
        "data.cache=null does not try."
    ] * 2


def test_a_file_in_place_of_the_folder_is_a_warning(tmp_path, caplog):
    (tmp_path / "cache").write_text("a file")
    cache = Cache(tmp_path / "cache")
    assert read(cache, "a") is None
    cache.write("a", *entry_of(1))
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
        cache.write(key(letter), *entry_of(1, size=1000))
    aged(cache, a=1, b=4, c=3, d=2)
    size = cache.path(key("a")).stat().st_size
    monkeypatch.setattr(module, "MAX_BYTES", 3 * size)
    read(cache, key("b"))  # in use again, and so the newest of the four
    cache.write(key("e"), *entry_of(1, size=1000))
    assert files(cache) == [f"{key(letter)}.safetensors" for letter in "abe"]


def test_the_current_entry_stays_however_large_it_is(cache, monkeypatch):
    cache.write(key("a"), *entry_of(1))
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    cache.write(key("b"), *entry_of(1, size=1000))
    assert files(cache) == [f"{key('b')}.safetensors"]


def test_files_that_are_none_of_ours_stay_whatever_their_size_and_age(cache, monkeypatch):
    others = ["MODEL.safetensors", "bert-base.safetensors", f"{key('a')}0.safetensors", "model.part", "notes.txt"]
    cache.folder.mkdir(parents=True)
    for name in others:
        (cache.folder / name).write_bytes(bytes(1000))
        os.utime(cache.folder / name, (0, 0))
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    cache.write(key("b"), *entry_of(1))
    assert files(cache) == sorted([*others, f"{key('b')}.safetensors"])


def test_a_part_of_a_process_that_was_killed_goes_after_a_day(cache):
    cache.folder.mkdir(parents=True)
    now = time.time()
    for name, age in (("encoded-old.part", module.DAY + 60), ("encoded-being-written.part", module.DAY - 60)):
        (cache.folder / name).write_bytes(b"half")
        os.utime(cache.folder / name, (now - age, now - age))
    cache.write(key("a"), *entry_of(1))
    assert files(cache) == [f"{key('a')}.safetensors", "encoded-being-written.part"]


def test_an_entry_is_a_file_that_safetensors_itself_can_read(cache):
    tensors = {"floats": torch.randn(3, 5).T, "empty": torch.zeros(0, 2), "ids": torch.arange(7, dtype=torch.int32)}
    tensors |= {"words": torch.tensor([1, 255], dtype=torch.uint8), "norm": torch.tensor(0.5, dtype=torch.float64)}
    cache.write("a", tensors, FACTS)
    found = load_file(cache.path("a"))
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


@pytest.mark.parametrize("wing", ["data", "text", "table", "tasks"])
def test_an_entry_is_of_the_code_that_made_it(tmp_path, monkeypatch, wing):
    engine = tmp_path / "engine"
    shutil.copytree(Path(module.__file__).parents[1], engine, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "__file__", str(engine / "data" / "cache.py"))
    (tmp_path / "rows.csv").write_text("text,label\na,b\n")
    before = module.key_of({"train": str(tmp_path / "rows.csv")}, {})
    assert module.key_of({"train": str(tmp_path / "rows.csv")}, {}) == before
    file = max((engine / wing).glob("*.py"))
    file.write_text(file.read_text() + "\n")
    assert module.key_of({"train": str(tmp_path / "rows.csv")}, {}) != before


def test_what_another_thread_logs_is_not_recorded():
    log = logging.getLogger("rosenblatt.other")
    with recorded("rosenblatt") as messages:
        other = threading.Thread(target=log.warning, args=("of another",))
        other.start()
        other.join()
        log.warning("of this one")
    assert messages == [(logging.WARNING, "of this one")]
