"""The cache and files that move, that can't be read, or that are none."""

import logging
import os
import threading
from pathlib import Path
from unittest import mock

import pytest

from rosenblatt.data import source
from rosenblatt.errors import UserError
from rosenblatt.text.data import TextData

ROWS = "text,label\n" + "good film,a\nbad film,b\n" * 10


def set_up(train, tmp_path, cache="cache"):
    data = TextData(str(train), cache=cache and str(tmp_path / cache))
    data.setup()
    return data


def test_a_message_told_again_names_the_files_where_they_are_now(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    for name in ("good", "bad", "neither"):
        (tmp_path / "before" / name).mkdir(parents=True)
    for i in range(20):
        (tmp_path / "before" / ("good", "bad")[i % 2] / f"{i}.txt").write_text(f"{('good', 'bad')[i % 2]} film")
    set_up(tmp_path / "before", tmp_path)
    assert f"{tmp_path / 'before'}: the folder of class 'neither' is empty." in caplog.messages
    (tmp_path / "before").rename(tmp_path / "after")
    caplog.clear()
    set_up(tmp_path / "after", tmp_path)
    assert any("are read from" in message for message in caplog.messages)
    assert f"{tmp_path / 'after'}: the folder of class 'neither' is empty." in caplog.messages
    assert str(tmp_path / "before") not in caplog.text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_read_once_and_not_kept(tmp_path):
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(ROWS,), daemon=True)
    writer.start()
    assert set_up(pipe, tmp_path).task.classes == ("a", "b")
    writer.join(timeout=10)
    assert not (tmp_path / "cache").exists()


def test_a_file_that_cannot_be_read_is_told_as_without_a_cache(tmp_path):
    (tmp_path / "a.csv").write_text(ROWS)
    refuse = mock.Mock(side_effect=PermissionError(13, "Permission denied"))
    messages = []
    with mock.patch.object(Path, "open", refuse), mock.patch.object(source, "open", refuse, create=True):
        for cache in (None, "cache"):
            with pytest.raises(UserError, match=r"a\.csv: it can't be read: .*Permission denied") as caught:
                set_up(tmp_path / "a.csv", tmp_path, cache)
            messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_a_name_that_begins_with_a_tilde_but_names_nobody_is_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no such file"):
        set_up("~backup.csv", tmp_path)
    Path("~backup.csv").write_text(ROWS)
    assert set_up("~backup.csv", tmp_path).task.classes == ("a", "b")


def test_no_file_at_all_is_told():
    with pytest.raises(UserError, match=r"data\.train is empty"):
        TextData("")
