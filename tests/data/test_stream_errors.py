"""What is wrong with a file as a whole is told in the same words, whether it is read whole or in blocks."""

import gzip

import pytest

from rosenblatt.data import text_file
from rosenblatt.data.files import read_frame
from rosenblatt.data.stream import read_blocks
from rosenblatt.errors import UserError

FILES_AT_FAULT = {
    "empty": ("a.csv", b""),
    "white space": ("a.jsonl", b" \n\r\n" * 200),
    "a header only": ("a.csv", b"text,label\n\n"),
    "an empty gzip": ("a.csv.gz", gzip.compress(b"")),
    "no gzip": ("a.csv.gz", b"text,label\na,b\n"),
    "two columns of a name": ("a.csv", b"text,text\na,b\n"),
    "no parquet": ("a.parquet", b"text,label\n"),
    "a cut parquet": ("a.parquet", b"PAR1 and no more"),
    "an empty parquet": ("a.parquet", b""),
    "another encoding": ("a.csv", "text,label\né,b\n".encode("utf-16")),
    "an unknown format": ("a.xlsx", b"a"),
    "no JSON at all": ("a.jsonl", b"text\nmore\n"),
    "an encoding that no line has": ("a.jsonl", '{"a": "好"}\n{"a": "好"}\n'.encode("gbk")),
    "a header with an open quote": ("a.csv", b'text,"label\na,b\n'),
    "a folder without classes": (".", b""),
}


@pytest.mark.parametrize("case", FILES_AT_FAULT)
@pytest.mark.parametrize("block_bytes", [3, 1 << 24])
def test_what_is_wrong_with_a_whole_file_is_told_as_elsewhere(tmp_path, case, block_bytes):
    name, content = FILES_AT_FAULT[case]
    if name != ".":
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as whole:
        read_frame(str(tmp_path / name))
    with pytest.raises(UserError) as blocks:
        list(read_blocks(str(tmp_path / name), block_bytes=block_bytes))
    assert str(blocks.value) == str(whole.value)


@pytest.mark.parametrize("encoding", ["utf-99", "base64"])
def test_an_encoding_that_is_none_is_told(tmp_path, encoding):
    (tmp_path / "a.csv").write_text("text\na\n")
    with pytest.raises(UserError, match=f"data.encoding={encoding}: no such encoding"):
        list(read_blocks(str(tmp_path / "a.csv"), encoding))


def test_a_missing_file_is_told_with_the_nearest_name(tmp_path):
    (tmp_path / "reviews.csv").write_text("text,label\na,b\n")
    for name in ("review.csv", "review.parquet"):
        with pytest.raises(UserError, match=r"no such file"):
            list(read_blocks(str(tmp_path / name)))


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_a_gzip_file_that_is_cut_off_is_told_when_its_end_is_reached(tmp_path, monkeypatch, name):
    monkeypatch.setattr(text_file, "PATIENCE", 1000)
    row = "%d,b\n" if name == "a.csv.gz" else '{"n": %d}\n'
    packed = gzip.compress("".join(row % (number * 7919 % 10007) for number in range(20_000)).encode())
    (tmp_path / name).write_bytes(packed[:-3000])
    blocks = read_blocks(str(tmp_path / name), block_bytes=1000)
    assert next(blocks).frame.height > 10
    with pytest.raises(UserError, match=r"\.gz: not a whole gzip file .* Was the download cut off\?"):
        list(blocks)


def test_names_of_columns_with_an_open_quote_are_told_before_the_whole_file_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(text_file, "PATIENCE", 100)
    (tmp_path / "a.csv").write_text('text,"label\n' + "a,b\n" * 1000)
    with pytest.raises(UserError, match=r"a\.csv: a quote in the first row is not closed"):
        list(read_blocks(str(tmp_path / "a.csv"), block_bytes=50))
