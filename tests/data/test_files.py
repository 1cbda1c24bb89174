import gzip
import io
import json
from pathlib import Path

import polars as pl
import pytest

from rosenblatt.data import files
from rosenblatt.data.files import as_strings, column, read_frame
from rosenblatt.errors import UserError

ROWS = [("good, really", "pos"), ('so "bad"', "neg"), ("пьеса 好", "pos")]


def parquet(rows):
    buffer = io.BytesIO()
    pl.DataFrame(rows, schema=["text", "label"], orient="row").write_parquet(buffer)
    return buffer.getvalue()


CONTENTS = {
    ".csv": 'text,label\n"good, really",pos\n"so ""bad""",neg\nпьеса 好,pos\n'.encode(),
    ".tsv": 'text\tlabel\ngood, really\tpos\nso "bad"\tneg\nпьеса 好\tpos\n'.encode(),
    ".tab": 'text\tlabel\n"good, really"\tpos\n"so ""bad"""\tneg\n"пьеса 好"\tpos\n'.encode(),
    ".txt": 'text\tlabel\ngood, really\tpos\nso "bad"\tneg\nпьеса 好\tpos\n'.encode(),
    ".jsonl": "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS).encode(),
    ".ndjson": "\n".join(json.dumps({"text": t, "label": c}, ensure_ascii=False) for t, c in ROWS).encode(),
    ".parquet": parquet(ROWS),
    ".pq": parquet(ROWS),
}


def write(path: Path, content: bytes | str) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("suffix", CONTENTS)
def test_each_format_gives_the_same_rows(tmp_path, suffix, zipped):
    content = gzip.compress(CONTENTS[suffix]) if zipped else CONTENTS[suffix]
    frame = read_frame(write(tmp_path / f"a{suffix}{'.gz' if zipped else ''}", content))
    assert frame.columns == ["text", "label"]
    assert frame.rows() == ROWS


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".txt"])
@pytest.mark.parametrize("how", ["byte order mark", "CRLF", "no last newline", "blank lines at the end", "utf-16"])
def test_what_editors_do_to_a_file_does_not_matter(tmp_path, suffix, how):
    content, encoding = CONTENTS[suffix], "utf-8"
    if how == "byte order mark":
        content = b"\xef\xbb\xbf" + content
    elif how == "CRLF":
        content = content.replace(b"\n", b"\r\n")
    elif how == "no last newline":
        content = content.rstrip(b"\n")
    elif how == "blank lines at the end":
        content += b"\n\r\n\n"
    else:
        content, encoding = content.decode().encode("utf-16"), "utf-16"
    frame = read_frame(write(tmp_path / f"a{suffix}", content), encoding)
    assert frame.columns == ["text", "label"]
    assert frame.rows() == ROWS


@pytest.mark.parametrize("encoding", ["cp1251", "KOI8-R", "utf-8-sig", "UTF_8"])
def test_the_encoding_option_is_believed(tmp_path, encoding):
    path = write(tmp_path / "a.csv", "text,label\nпьеса,да\n".encode(encoding.replace("_", "-")))
    assert read_frame(path, encoding).rows() == [("пьеса", "да")]


def test_the_case_of_a_suffix_does_not_matter(tmp_path):
    assert read_frame(write(tmp_path / "A.CSV.GZ", gzip.compress(CONTENTS[".csv"]))).rows() == ROWS


def test_a_url_is_opened(tmp_path):
    write(tmp_path / "a.csv", CONTENTS[".csv"])
    assert read_frame(f"file://{tmp_path}/a.csv").rows() == ROWS


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_without_a_header_columns_have_numbers(tmp_path, suffix):
    separator = "," if suffix == ".csv" else "\t"
    content = "\n".join(separator.join(row) for row in (("pos", "1", "a b"), ("neg", "2", "c"))) + "\n"
    frame = read_frame(write(tmp_path / f"a{suffix}", content), header=False)
    assert frame.columns == ["0", "1", "2"]
    assert frame.rows() == [("pos", "1", "a b"), ("neg", "2", "c")]


def test_csv_cells_stay_strings_and_empty_ones_are_null(tmp_path):
    frame = read_frame(write(tmp_path / "a.csv", 'x,y,z\n007,,1.50\n"",b,true\n'))
    assert frame.rows() == [("007", None, "1.50"), ("", "b", "true")]


def test_jsonl_keeps_numbers_and_lists(tmp_path):
    content = '{"n": 1, "label": ["a", "b"]}\n{"n": 2.5, "label": []}\n{"label": ["c"]}\n'
    frame = read_frame(write(tmp_path / "a.jsonl", content))
    assert frame.rows() == [(1.0, ["a", "b"]), (2.5, []), (None, ["c"])]


def test_a_text_file_with_labels_in_it_is_fasttext_lines(tmp_path):
    content = "__label__pos __label__long so good\n__label__neg bad\r\n"
    frame = read_frame(write(tmp_path / "a.txt", content))
    assert frame.rows() == [("so good", ["pos", "long"]), ("bad", ["neg"])]


def test_a_folder_per_class_gives_each_file_as_a_text(tmp_path):
    for name, text in {"pos/2.txt": "fine\r\nindeed", "pos/1.txt": "\ufeffgood", "neg/x": 'bad, "so"\t'}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, text)
    write(tmp_path / "README", "not a class")
    write(tmp_path / "pos" / ".DS_Store", b"\xff\xfe")
    (tmp_path / ".cache").mkdir()
    write(tmp_path / ".cache" / "1.txt", "not a class either")
    (tmp_path / "neg" / "deeper").mkdir()
    frame = read_frame(str(tmp_path))
    assert frame.rows() == [('bad, "so"\t', "neg"), ("good", "pos"), ("fine\r\nindeed", "pos")]


def test_a_folder_is_read_in_its_encoding(tmp_path):
    (tmp_path / "a").mkdir()
    write(tmp_path / "a" / "1.txt", "né".encode("latin-1"))
    assert read_frame(str(tmp_path), "latin-1").rows() == [("né", "a")]
    with pytest.raises(UserError, match=r"a/1\.txt: expected text in utf-8; line 1 has the byte 0xe9"):
        read_frame(str(tmp_path))


def test_a_column_is_found_by_name_or_number():
    frame = pl.DataFrame({"text": ["a"], "label": ["b"], "7": ["c"]})
    assert column(frame, "label", "k", "f").to_list() == ["b"]
    assert column(frame, 0, "k", "f").to_list() == ["a"]
    assert column(frame, 2, "k", "f").to_list() == ["c"]
    assert column(frame, 7, "k", "f").to_list() == ["c"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("lable", ["data.label_column=lable", "f.csv", "'text', 'label'", "Did you mean 'label'?"]),
        ("xyz", ["data.label_column=xyz", "no such column", "'text', 'label'"]),
        (2, ["data.label_column=2", "columns 0 to 1"]),
        (-1, ["data.label_column=-1", "columns 0 to 1"]),
    ],
)
def test_an_unknown_column_is_told_with_those_there_are(name, parts):
    frame = pl.DataFrame({"text": ["a"], "label": ["b"]})
    with pytest.raises(UserError) as error:
        column(frame, name, "data.label_column", "f.csv")
    for part in parts:
        assert part in str(error.value)


def test_numbers_dates_and_truths_have_a_text():
    frame = pl.DataFrame({"n": [1, None], "x": [0.5, 2.0], "b": [True, False]})
    assert as_strings(frame["n"], "f").to_list() == ["1", None]
    assert as_strings(frame["x"], "f").to_list() == ["0.5", "2.0"]
    assert as_strings(frame["b"], "f").to_list() == ["true", "false"]


@pytest.mark.parametrize("value", [["a", "b"], {"a": 1}, b"\xff"], ids=["list", "object", "bytes"])
def test_what_has_no_text_is_told_with_its_column_and_type(value):
    with pytest.raises(UserError, match=r"f\.parquet: expected words or numbers in column 'c'; it holds [LSB]"):
        as_strings(pl.Series("c", [value]), "f.parquet")


@pytest.mark.parametrize("block", [4, 5, 7, 1 << 24])
def test_a_byte_that_is_no_utf8_is_found_in_its_line_whatever_the_blocks(tmp_path, monkeypatch, block):
    monkeypatch.setattr(files, "BLOCK", block)
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\nпьеса 😀,a\n好 film,b\n".encode())
    assert read_frame(str(path))["text"].to_list() == ["пьеса 😀", "好 film"]
    path.write_bytes("text,label\nпьеса 😀,a\n".encode() + b"b\xf6se,b\n")
    with pytest.raises(UserError, match="line 3 has the byte 0xf6 at position 2"):
        read_frame(str(path))
    path.write_bytes("text,label\nпьеса,".encode() + "😀".encode()[:2])
    with pytest.raises(UserError, match="line 2 has the byte 0xf0"):
        read_frame(str(path))


def test_rows_of_empty_cells_are_told(tmp_path, caplog):
    caplog.set_level("INFO")
    path = tmp_path / "a.csv"
    path.write_text("text,label\n,\na,b\n\n,\nc,d\n")
    assert read_frame(str(path)).rows() == [("a", "b"), ("c", "d")]
    assert f"{path}: 3 empty rows are left out, and row numbers leave them out." in caplog.messages
