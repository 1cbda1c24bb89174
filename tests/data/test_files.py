"""Every format gives the same rows, whatever editors did to it; read block by block it gives what it gives whole."""

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosenblatt.data import source
from rosenblatt.data.columns import as_strings, column
from rosenblatt.data.files import read_blocks, read_frame
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


def test_the_case_of_a_suffix_does_not_matter(tmp_path):
    assert read_frame(write(tmp_path / "A.CSV.GZ", gzip.compress(CONTENTS[".csv"]))).rows() == ROWS


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


def test_a_byte_that_is_no_utf8_is_found_in_its_line(tmp_path):
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


SETTINGS = settings(deadline=None, max_examples=60)
CELL = st.text(st.sampled_from('ab ,;"\n\r\té好😀'), max_size=8)
BLOCK_BYTES = st.integers(1, 100)


# Characters that are neither white space nor control: what a line of text is made of.
LINE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z"), exclude_characters='"') | st.just(" "))


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch):
    monkeypatch.setattr(source, "PATIENCE", 200)  # so that small files, too, are read in several blocks


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


def all_of(path: str, **options) -> pl.DataFrame:
    """All rows of a file in which each is readable."""
    blocks = list(read_blocks(path, **options))
    assert all(block.frame.height > 0 and block.frame.schema == blocks[0].frame.schema for block in blocks)
    assert all(block.readable.to_list() == [True] * block.frame.height for block in blocks)
    assert all(0 < block.num_bytes <= block.total_bytes == blocks[0].total_bytes for block in blocks)
    return pl.concat([block.frame for block in blocks])


def same(path: str, **options) -> None:
    whole = read_frame(path, **{name: options[name] for name in ("encoding", "header") if name in options})
    assert all_of(path, **options).equals(whole)


def lines_of(rows, separator: str, quoted, end: str) -> str:
    def cell(value: str, force: bool) -> str:
        needs = force or any(character in value for character in '"\r\n' + separator)
        return '"' + value.replace('"', '""') + '"' if needs else value

    return "".join(separator.join(map(cell, row, force)) + end for row, force in zip(rows, quoted, strict=True))


@SETTINGS
@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=8),
    quoted=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    blank=st.integers(0, 8),
    end=st.sampled_from(["\n", "\r\n"]),
    separator=st.sampled_from([",", ";"]),
    last=st.booleans(),
    mark=st.booleans(),
    header=st.booleans(),
    block_bytes=BLOCK_BYTES,
)
def test_any_csv_is_the_same_read_in_blocks(
    folder, rows, quoted, blank, end, separator, last, mark, header, block_bytes
):
    head = separator.join(["text", "x", "label"]) + end
    body = lines_of(rows, separator, [quoted] * len(rows), end)
    body = body.replace(end, end * 2, blank)  # some within quotes
    content = ("\ufeff" if mark else "") + head + body + lines_of([("z", "z", "z")], separator, [quoted], end)
    same(
        write(folder / "a.csv", content if last else content.removesuffix(end)), header=header, block_bytes=block_bytes
    )


@SETTINGS
@given(
    rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=20),
    force=st.booleans(),
    block_bytes=BLOCK_BYTES,
    name=st.sampled_from(["a.tsv", "a.txt", "a.tab"]),
)
def test_any_tsv_is_the_same_read_in_blocks(folder, rows, force, block_bytes, name):
    # The first row has what makes quotes necessary, so that the first block decides as the whole file does.
    rows = [("a\tb", "a\nb"), *rows, ("z", "z")]
    content = "text\tlabel\n" + lines_of(rows, "\t", [(force, force)] * len(rows), "\n")
    same(write(folder / name, content), block_bytes=block_bytes)


@SETTINGS
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc", "Z"))), min_size=1, max_size=20),
    block_bytes=BLOCK_BYTES,
)
def test_any_tsv_without_quotes_is_the_same_read_in_blocks(folder, texts, block_bytes):
    content = "text\tlabel\n" + "".join(f"x{text}\tc{number}\n" for number, text in enumerate(texts))
    same(write(folder / "a.tsv", content), block_bytes=block_bytes)


@SETTINGS
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"text": st.text(), "n": st.none() | st.integers(-(2**63), 2**63 - 1), "tags": st.lists(st.text())},
            optional={"x": st.floats(allow_nan=False, allow_infinity=False), "at": st.fixed_dictionaries({"s": CELL})},
        ),
        min_size=1,
        max_size=10,
    ),
    block_bytes=BLOCK_BYTES,
    ascii_only=st.booleans(),
)
def test_any_json_lines_are_the_same_read_in_blocks(folder, rows, block_bytes, ascii_only):
    whole = {"text": "x" * 200, "n": 1, "tags": [""], "x": 0.5, "at": {"s": ""}}  # tells all types
    lines = [json.dumps(row, ensure_ascii=ascii_only) + end for row in (whole, *rows) for end in ("\n", "\r\n \n\n")]
    same(write(folder / "a.jsonl", "".join(lines)), block_bytes=block_bytes)
    same(write(folder / "a.jsonl", "".join(lines).rstrip()), block_bytes=block_bytes)


@SETTINGS
@given(texts=st.lists(st.text(st.sampled_from("a \t\rüß\u3000\x1f")), min_size=1, max_size=10), block_bytes=BLOCK_BYTES)
def test_any_fasttext_lines_are_the_same_read_in_blocks(folder, texts, block_bytes):
    content = "\n \n__label__a b\n" + "".join(f"{text}\n__label__é x{text}\n" for text in texts)
    same(write(folder / "a.txt", content), block_bytes=block_bytes)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "gb18030", "KOI8-R", "utf-8-sig", "UTF_8", "utf-7"])
@pytest.mark.parametrize("block_bytes", [1, 2, 3, 7, 1 << 24])
def test_every_encoding_is_the_same_read_in_blocks(tmp_path, encoding, block_bytes):
    words = "пьеса" if encoding == "KOI8-R" else "好 😀 пьеса"
    path = write(tmp_path / "a.csv", f"text,label\n{words},да\nab,b\n".encode(encoding))
    assert all_of(path, encoding=encoding, block_bytes=block_bytes).rows() == [(words, "да"), ("ab", "b")]
    same(path, encoding=encoding, block_bytes=block_bytes)


@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_line_ends_of_old_macs_are_understood(tmp_path, name):
    separator = "," if name == "a.csv" else "\t"
    content = separator.join(["text", "label"]) + "\r" + separator.join(["one", "a"]) + "\r\rtwo" + separator + "b\r"
    same(write(tmp_path / name, content), block_bytes=5)
    assert read_frame(str(tmp_path / name)).rows() == [("one", "a"), ("two", "b")]
    long = content + f"{'x' * 500}{separator}c\rthree{separator}d\r"  # goes on after what is looked at first
    same(write(tmp_path / name, long), block_bytes=5)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_file_tells_how_much_of_it_is_read(tmp_path, zipped):
    content = ("n,label\n" + "".join(f"{number * 7919 % 10007},b\n" for number in range(9999))).encode()
    path = write(tmp_path / ("a.csv.gz" if zipped else "a.csv"), gzip.compress(content) if zipped else content)
    same(path, block_bytes=10_000)
    done = [block.num_bytes for block in read_blocks(path, block_bytes=10_000)]
    assert done == sorted(done)
    assert done[0] < done[-1] == Path(path).stat().st_size


def test_a_url_is_opened(tmp_path):
    write(tmp_path / "a.csv", "text,label\n" + "one,a\n" * 100)
    assert read_frame(f"file://{tmp_path}/a.csv").height == 100
    same(f"file://{tmp_path}/a.csv", block_bytes=50)


@pytest.mark.parametrize("name", ["a.parquet", "a.pq", "a.parquet.gz"])
def test_parquet_is_the_same_read_in_blocks(tmp_path, name):
    frame = pl.DataFrame({"n": range(5000), "tags": [["a", None], []] * 2500, "text": ["x" * 50] * 5000})
    frame.write_parquet(tmp_path / "plain", row_group_size=700)
    content = (tmp_path / "plain").read_bytes()
    path = write(tmp_path / name, gzip.compress(content) if name.endswith("gz") else content)
    for block_bytes in (1 << 14, 1 << 24):
        assert all_of(path, block_bytes=block_bytes).equals(frame)
    assert max(block.frame.height for block in read_blocks(path, block_bytes=1 << 14)) < 1100


def test_a_folder_is_read_some_files_at_a_time(tmp_path):
    for number in range(20):
        (tmp_path / "ab"[number % 2]).mkdir(exist_ok=True)
        write(tmp_path / "ab"[number % 2] / f"{number:02}.txt", f"\ufeffué {number}\r\n")
    same(str(tmp_path), block_bytes=20)
    assert len(list(read_blocks(str(tmp_path), block_bytes=20))) > 5


@pytest.mark.parametrize("block_bytes", [1, 3, 1 << 24])
@pytest.mark.parametrize("last", ["", "\n"])
def test_one_text_a_line_has_as_many_rows_as_lines(tmp_path, block_bytes, last):
    path = write(tmp_path / "a.txt", '\ufeffgood, "really\r\n\n\ta tab\n \n\nlast' + last)
    frame = all_of(path, block_bytes=block_bytes, lines=True)
    assert frame.columns == ["text"]
    assert frame["text"].to_list() == ['good, "really', "", "\ta tab", " ", "", "last"]


def test_fasttext_lines_are_no_plain_lines(tmp_path):
    same(write(tmp_path / "a.txt", "__label__a b\n\n__label__b c\n"), lines=True)


def test_only_a_block_is_read_ahead(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\n" + "x" * 90 + ",a\n" * 10_000)
    blocks = read_blocks(path, block_bytes=1000)
    for number in range(1, 6):
        assert next(blocks).num_bytes <= 1000 * (number + 1)
    blocks.close()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of a process by itself")
def test_a_large_file_takes_little_memory(tmp_path):
    row = b'%d,"some text, of sixty characters or so, that goes on and on",a\n'
    with open(tmp_path / "a.csv", "wb") as file:
        file.write(b"n,text,label\n")
        for start in range(0, 2_000_000, 100_000):
            file.write(b"".join([row % number for number in range(start, start + 100_000)]))
    code = r"""if True:
        import re, sys
        from rosenblatt.data.files import read_blocks
        peak = lambda: int(re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())[1]) / 1024
        before = peak()
        print(sum(block.frame.height for block in read_blocks(sys.argv[1], block_bytes=1 << 20)), peak() - before)"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.csv")], capture_output=True, text=True, check=True
    )
    num_rows, megabytes = done.stdout.split()
    assert int(num_rows) == 2_000_000
    assert float(megabytes) < 70  # the file has 140


def read_content(path: Path, content: bytes) -> pl.DataFrame:
    return read_frame(write(path, content))


@pytest.mark.parametrize("ascii_only", [True, False])
@SETTINGS
@given(rows=st.lists(st.tuples(st.text(), st.lists(st.text(), min_size=1)), min_size=1, max_size=8))
def test_any_text_survives_jsonl(folder, ascii_only, rows):
    lines = [json.dumps({"text": text, "label": label}, ensure_ascii=ascii_only) for text, label in rows]
    assert read_content(folder / "a.jsonl", "\n".join(lines).encode()).rows() == rows


@SETTINGS
@given(texts=st.lists(LINE.filter(lambda text: "__label__" not in text), min_size=1, max_size=8))
def test_any_line_of_text_survives_fasttext(folder, texts):
    content = "".join(f"__label__a __label__é,1 {text}\n" for text in texts)
    assert read_content(folder / "a.txt", content.encode()).rows() == [
        (text.strip(" "), ["a", "é,1"]) for text in texts
    ]


def test_a_fasttext_line_may_have_its_labels_anywhere(tmp_path):
    content = b"some __label__b text\n__label__a\nno label\nx__label__c\n"
    assert read_content(tmp_path / "a.txt", content).rows() == [
        ("some text", ["b"]),
        ("", ["a"]),
        ("no label", []),
        ("x__label__c", []),
    ]


def test_a_fasttext_line_keeps_its_quotes_and_separators(tmp_path):
    content = b'__label__a "so, he said\x1f\tand\n__label__b "that\n'
    assert read_content(tmp_path / "a.txt", content).rows() == [('"so, he said\x1f\tand', ["a"]), ('"that', ["b"])]


def test_fields_that_some_json_lines_lack_are_null(tmp_path):
    assert read_content(tmp_path / "a.jsonl", b'{"a": 1}\n{"b": "x"}\n{}\n').rows() == [
        (1, None),
        (None, "x"),
        (None, None),
    ]
