"""A file read block by block gives what it gives read whole, and is never held whole."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosenblatt.data import text_file
from rosenblatt.data.files import read_frame
from rosenblatt.data.stream import read_blocks

SETTINGS = settings(deadline=None, max_examples=60)
CELL = st.text(st.sampled_from('ab ,;"\n\r\té好😀'), max_size=8)
BLOCK_BYTES = st.integers(1, 100)


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch):
    monkeypatch.setattr(text_file, "PATIENCE", 200)  # so that small files, too, are read in several blocks


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


def write(path: Path, content: bytes | str) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


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


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "gb18030", "latin-1", "utf-8-sig", "UTF_8", "utf-7"])
@pytest.mark.parametrize("block_bytes", [1, 2, 3, 7, 1 << 24])
def test_every_encoding_is_the_same_read_in_blocks(tmp_path, encoding, block_bytes):
    text = "text,label\né über,a\n" + ("" if encoding == "latin-1" else "好 😀 пьеса,b\n")
    same(write(tmp_path / "a.csv", text.encode(encoding)), encoding=encoding, block_bytes=block_bytes)


@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_line_ends_of_old_macs_are_understood(tmp_path, name):
    separator = "," if name == "a.csv" else "\t"
    content = separator.join(["text", "label"]) + "\r" + separator.join(["one", "a"]) + "\r\rtwo" + separator + "b\r"
    same(write(tmp_path / name, content), block_bytes=5)
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


def test_a_url_is_read_in_blocks(tmp_path):
    write(tmp_path / "a.csv", "text,label\n" + "one,a\n" * 100)
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
        from rosenblatt.data.stream import read_blocks
        peak = lambda: int(re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())[1]) / 1024
        before = peak()
        print(sum(block.frame.height for block in read_blocks(sys.argv[1], block_bytes=1 << 20)), peak() - before)"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.csv")], capture_output=True, text=True, check=True
    )
    num_rows, megabytes = done.stdout.split()
    assert int(num_rows) == 2_000_000
    assert float(megabytes) < 70  # the file has 140
