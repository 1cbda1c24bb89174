"""Files that are there whole or not at all: what a failure on the way leaves, and what is forced to disk when."""

from __future__ import annotations

import builtins
import os
import stat
from pathlib import Path

import pytest

from rosenblatt.run.whole import force, replace, usual_rights, write_whole

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX rights")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def full(*_):
    raise OSError(28, "No space left on device")


class FullDisk:
    """A file of which half is written before the disk is full, or all, and the disk is full as it is closed."""

    def __init__(self, file, failing):
        self.file = file
        self.failing = failing

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        if self.failing == "close":
            full()

    def write(self, content):
        self.file.write(content[: len(content) // 2] if self.failing == "write" else content)
        if self.failing == "write":
            full()


@pytest.fixture
def events(monkeypatch):
    """What is forced to disk and what gets which name, in order; of files with what they hold."""
    found, fsync, os_replace = [], os.fsync, os.replace

    def noted_fsync(number):
        is_folder = stat.S_ISDIR(os.fstat(number).st_mode)
        found.append(("forced", "folder" if is_folder else os.pread(number, 1000, 0)))
        fsync(number)

    def noted_replace(source, target):
        found.append(("named", Path(source).read_bytes(), Path(target).read_bytes()))
        os_replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    return found


def test_content_is_written_and_replaced_whole(tmp_path):
    path = tmp_path / "metrics.json"
    for content in (b"first", b"the second is longer", b"", "ünï\n".encode()):
        write_whole(path, content)
        assert path.read_bytes() == content
    assert files(tmp_path) == ["metrics.json"]


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize("failing", ["write", "close", "fsync", "replace"])
def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch, old, failing):
    path = tmp_path / "metrics.json"
    if old is not None:
        path.write_bytes(old)
    if failing in ("fsync", "replace"):
        monkeypatch.setattr(os, failing, full)
    opened = builtins.open
    monkeypatch.setattr(builtins, "open", lambda *args, **kwargs: FullDisk(opened(*args, **kwargs), failing))
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new content")
    monkeypatch.undo()
    assert files(tmp_path) == ([] if old is None else ["metrics.json"])
    assert old is None or path.read_bytes() == old


@posix
def test_the_content_is_on_disk_before_it_gets_its_name_and_the_name_after(tmp_path, events):
    path = tmp_path / "metrics.json"
    path.write_bytes(b"old")
    write_whole(path, b"new")
    assert events == [("forced", b"new"), ("named", b"new", b"old"), ("forced", "folder")]


@posix
def test_a_file_that_another_program_wrote_takes_the_place_of_the_old_one_the_same_way(tmp_path, events):
    temporary, path = tmp_path / ".last.ckpt.tmp", tmp_path / "last.ckpt"
    temporary.write_bytes(b"new")
    path.write_bytes(b"old")
    replace(temporary, path)
    assert events == [("forced", b"new"), ("named", b"new", b"old"), ("forced", "folder")]
    assert (files(tmp_path), path.read_bytes()) == (["last.ckpt"], b"new")


def test_a_file_that_is_not_there_takes_no_place(tmp_path):
    (tmp_path / "last.ckpt").write_bytes(b"old")
    with pytest.raises(FileNotFoundError):
        replace(tmp_path / ".last.ckpt.tmp", tmp_path / "last.ckpt")
    assert (tmp_path / "last.ckpt").read_bytes() == b"old"


def test_forcing_to_disk_changes_nothing_and_leaves_nothing_open(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    for target in (path, tmp_path):
        before = os.stat(target).st_mtime_ns
        descriptor = os.open(path, os.O_RDONLY)  # the lowest that is free
        os.close(descriptor)
        force(target)
        again = os.open(path, os.O_RDONLY)
        os.close(again)
        assert (os.stat(target).st_mtime_ns, again) == (before, descriptor)
    assert path.read_bytes() == b"content"


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_usual_rights_are_those_that_a_new_file_gets(tmp_path, mask):
    before = os.umask(mask)
    try:
        (tmp_path / "file").write_bytes(b"")
        assert usual_rights() == stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask
        assert os.umask(mask) == mask  # left as it was
    finally:
        os.umask(before)


@posix
def test_a_file_that_is_written_whole_has_the_usual_rights(tmp_path):
    write_whole(tmp_path / "metrics.json", b"{}")
    assert stat.S_IMODE((tmp_path / "metrics.json").stat().st_mode) == usual_rights()
