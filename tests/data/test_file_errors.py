"""Every way in which a file can't be read, and what the message must contain: what was expected, what came, where."""

import gzip
import io

import polars as pl
import pytest

from rosenblatt.data import source
from rosenblatt.data.files import REMEDY, read_blocks, read_frame
from rosenblatt.errors import UserError

PACKED = gzip.compress(b"text,label\n" + b"".join(b"a%d,b\n" % number for number in range(1000)))
BUFFER = io.BytesIO()
pl.DataFrame({"text": ["a"] * 100, "label": ["b"] * 100}).write_parquet(BUFFER)
PARQUET = BUFFER.getvalue()

# name of the file, its content, options, parts of the message
BROKEN = {
    "empty": ("a.csv", "", {}, ["a.csv", "the file is empty"]),
    "only white space": ("a.jsonl", " \n\r\n", {}, ["the file is empty"]),
    "only a byte order mark": ("a.csv", b"\xef\xbb\xbf\n", {}, ["the file is empty"]),
    "empty inside gzip": ("a.csv.gz", gzip.compress(b""), {}, ["a.csv.gz", "the file is empty"]),
    "empty parquet": ("a.parquet", b"", {}, ["the file is empty"]),
    "header only": ("a.csv", "text,label\n", {}, ["a.csv", "expected rows", "header only", "'text', 'label'"]),
    "header and blank lines": ("a.csv", "text,label\n\n\n", {}, ["expected rows", "header only"]),
    "header only, tsv": ("a.tsv", "text\tlabel", {}, ["expected rows", "header only", "'text', 'label'"]),
    "too many cells": ("a.csv", "text,label\na,b\na,b,c\n", {}, ["row 2 (line 3)", "has 3 cells", "has 2", "quotes"]),
    "too few cells": ("a.csv", "text,label\na,b\na,b\nc\n", {}, ["row 3 (line 4)", "has 1 cells", "has 2"]),
    "ragged after a quoted newline": (
        "a.csv", 'text,label\n"a\nb",c\n\nd,e,f\n', {}, ["row 2 (line 5)", "has 3 cells"],
    ),
    "ragged after a blank line": ("a.csv", "text,label\na,b\n\nc\n", {}, ["row 2 (line 4)", "has 1 cells"]),
    "ragged without a header": ("a.csv", "a,b\nc,d\ne,f,g\n", {"header": False}, ["row 3 (line 3)", "has 3 cells"]),
    "short without a header": ("a.csv", "a,b\nc\n", {"header": False}, ["row 2 (line 2)", "has 1 cells"]),
    "too many cells, tsv": ("a.tsv", "text\tlabel\na\tb\tc\n", {}, ["row 1 (line 2)", "has 3 cells"]),
    "too few cells, tsv": ("a.tsv", "text\tlabel\na\tb\nc\n", {}, ["row 2 (line 3)", "has 1 cells"]),
    "too few cells, quoted tsv": ("a.tsv", 'text\tlabel\n"a"\tb\n"c"\n', {}, ["row 2 (line 3)", "has 1 cells"]),
    "a quote that does not end": (
        "a.csv", 'text,label\na,b\n"c,d\ne,f\n', {}, ["row 2 (line 3)", "not closed", "quotes around it"],
    ),
    "a word after a quoted one": ("a.csv", 'text,label\na,b\n"c" "d,e\n', {}, ["row 2 (line 3)", "written twice"]),
    "a short row far down a long text": (
        "a.csv", f'text,label\n"{"x" * 200_000}",\nb\n', {}, ["row 2 (line 3)", "has 1 cells"],
    ),
    "bad json": ("a.jsonl", '{"a": 1}\n\n{"a": 1,\n', {}, ["a.jsonl", "row 2 (line 3)", "no JSON", "character"]),
    "a cut json line": ("a.jsonl", '{"a": 1}\n{"a": 1, "b', {}, ["row 2 (line 2)", "no JSON"]),
    "no object": ("a.jsonl", '{"a": 1}\n[1, 2]\n', {}, ["row 2 (line 2)", 'expected an object such as {"text"']),
    "json that only Python takes": (
        "a.jsonl", '{"a": 1}\n\n{"a": 1e999}\n', {}, ["a.jsonl", "row 2 (line 3)", "1e999 is no number"],
    ),
    "no JSON at all": ("a.jsonl", "text\nmore\n", {}, ["row 1 (line 1)", "no JSON", "character 1"]),
    "an encoding that no line has": (
        "a.jsonl", '{"a": "好"}\n{"a": "好"}\n'.encode("gbk"), {}, ["expected text in utf-8", "line 1", "0xba"],
    ),
    "a header with an open quote": ("a.csv", 'text,"label\na,b\n', {}, ["a quote in the first row is not closed"]),
    "no parquet": ("a.parquet", "text,label\n", {}, ["a.parquet", "no whole Parquet file"]),
    "cut parquet": ("a.parquet", PARQUET[: len(PARQUET) // 2], {}, ["a.parquet", "no whole Parquet file"]),
    "cut gzip": ("a.csv.gz", PACKED[: len(PACKED) // 2], {}, ["a.csv.gz", "not a whole gzip file", "cut off?"]),
    "spoilt gzip": ("a.csv.gz", PACKED[:40] + b"????" + PACKED[44:], {}, ["a.csv.gz", "not a whole gzip file"]),
    "no gzip": ("a.csv.gz", "text,label\na,b\n", {}, ["a.csv.gz", "not a whole gzip file"]),
    "broken utf-8": (
        "a.csv", b"text,label\na,b\nab\xe9,c\n", {},
        ["a.csv", "expected text in utf-8", "line 3", "0xe9", "position 3", "data.encoding=latin-1"],
    ),
    "not in the encoding": ("a.csv", "é,b\n".encode(), {"encoding": "ascii"}, ["expected text in ascii", "line 1"]),
    "no such encoding": ("a.csv", "a,b\n", {"encoding": "utf-99"}, ["data.encoding=utf-99", "no such encoding"]),
    "no text encoding": ("a.csv", "a,b\n", {"encoding": "base64"}, ["data.encoding=base64", "no such encoding"]),
    "unknown suffix": ("a.doc", "a", {}, ["a.doc", "expected a file named .csv", ".parquet", "or a folder"]),
    "unknown suffix inside gzip": ("a.gz", gzip.compress(b"a"), {}, ["a.gz", "expected a file named .csv"]),
}  # fmt: skip


ROWS = {  # that one who predicts keeps in their place
    "too many cells", "too few cells", "ragged after a quoted newline", "ragged after a blank line",
    "ragged without a header", "short without a header", "too many cells, tsv", "too few cells, tsv",
    "too few cells, quoted tsv", "a quote that does not end", "a word after a quoted one",
    "a short row far down a long text", "bad json", "a cut json line", "no object", "json that only Python takes",
    "broken utf-8",
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_told_with_what_and_where(tmp_path, caplog, case):
    name, content, options, parts = BROKEN[case]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as error:
        read_frame(str(tmp_path / name), **options)
    for part in parts:
        assert part in str(error.value)
    for block_bytes in (3, 1 << 24):
        if case in ROWS:
            caplog.clear()
            blocks = read_blocks(str(tmp_path / name), block_bytes=block_bytes, **options)
            assert not all([block.readable.all() for block in blocks])
            if case != "broken utf-8":
                told = str(error.value).removesuffix(REMEDY)
                assert f"{told} More like it are not told." in caplog.messages
        else:
            with pytest.raises(UserError) as told:
                list(read_blocks(str(tmp_path / name), block_bytes=block_bytes, **options))
            assert str(told.value) == str(error.value).removesuffix(REMEDY)


@pytest.mark.parametrize("read", [read_frame, lambda path: list(read_blocks(path))])
@pytest.mark.parametrize("name", ["review.csv", "review.parquet", "reviews"])
def test_a_missing_file_is_told_with_the_nearest_name(tmp_path, name, read):
    for suffix in (".csv", ".parquet"):
        (tmp_path / f"reviews{suffix}").touch()
    due = name.replace("review.", "reviews.") if "." in name else "reviews.csv"
    with pytest.raises(UserError, match=rf"{name}: no such file \(seen from .*Did you mean '{due}'\?"):
        read(str(tmp_path / name))


def test_a_missing_folder_is_told(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"no such file .*There is no folder '.*nowhere' either"):
        read_frame(str(tmp_path / "nowhere" / "a.csv"))
    monkeypatch.chdir(tmp_path)  # an empty folder is one
    with pytest.raises(UserError, match=r"a\.csv: no such file \(seen from .*\)\.$"):
        read_frame("a.csv")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_a_gzip_file_that_is_cut_off_is_told_when_its_end_is_reached(tmp_path, monkeypatch, name):
    monkeypatch.setattr(source, "PATIENCE", 1000)
    row = "%d,b\n" if name == "a.csv.gz" else '{"n": %d}\n'
    packed = gzip.compress("".join(row % (number * 7919 % 10007) for number in range(20_000)).encode())
    (tmp_path / name).write_bytes(packed[:-3000])
    blocks = read_blocks(str(tmp_path / name), block_bytes=1000)
    assert next(blocks).frame.height > 10
    with pytest.raises(UserError, match=r"\.gz: not a whole gzip file. Was the download cut off\?"):
        list(blocks)


def test_names_of_columns_with_an_open_quote_are_told_before_the_whole_file_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "PATIENCE", 100)
    (tmp_path / "a.csv").write_text('text,"label\n' + "a,b\n" * 1000)
    with pytest.raises(UserError, match=r"a\.csv: a quote in the first row is not closed"):
        read_blocks(str(tmp_path / "a.csv"), block_bytes=50).__next__()


def test_a_missing_file_behind_a_url_is_told_without_talk_of_folders(tmp_path):
    with pytest.raises(UserError, match=r"^file://.*/a\.csv: it can't be opened: .*No such file"):
        read_frame(f"file://{tmp_path}/a.csv")


def test_an_unknown_protocol_is_told():
    with pytest.raises(UserError, match=r"nonsense://a\.csv: it can't be read: .*nonsense"):
        read_frame("nonsense://a.csv")


def test_a_folder_without_classes_is_told_with_an_example(tmp_path):
    (tmp_path / "1.txt").write_text("a")
    with pytest.raises(UserError, match=r"expected a folder with a folder for each class, such as .*/pos/1\.txt"):
        read_frame(str(tmp_path))
    with pytest.raises(UserError, match=r"expected a folder with a folder for each class"):
        list(read_blocks(str(tmp_path)))
