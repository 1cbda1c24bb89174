"""What is written is read back the same; a file appears whole or not at all."""

import gzip
import io
import json
import math
import os
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosenblatt.data.files import FrameWriter, read_frame
from rosenblatt.errors import UserError

SETTINGS = settings(deadline=None, max_examples=40)
NAMES = ["a.csv", "a.tsv", "a.tab", "a.jsonl", "a.ndjson", "a.parquet", "a.pq"]
NAMES += [f"{name}.gz" for name in NAMES[:5]] + ["A.CSV.GZ"]
TEXT = st.text(st.characters(exclude_categories=("Cs",)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("written")


def write(path: Path, *frames: pl.DataFrame, overwrite: bool = False) -> None:
    with FrameWriter(str(path), overwrite) as writer:
        for frame in frames:
            writer.write(frame)


def in_two(rows, schema) -> list[pl.DataFrame]:
    half = len(rows) // 2
    return [pl.DataFrame(part, schema, orient="row") for part in (rows[:half], rows[half:])]


@SETTINGS
@given(rows=st.lists(st.tuples(TEXT, st.none() | TEXT, TEXT), min_size=1, max_size=8), name=st.sampled_from(NAMES))
def test_any_text_is_read_back_the_same(folder, rows, name):
    rows = [("text", "or", "null"), *rows]
    write(folder / name, *in_two(rows, {"text": pl.String, "b, ä": pl.String, "c": pl.String}), overwrite=True)
    frame = read_frame(str(folder / name))
    assert frame.columns == ["text", "b, ä", "c"]
    assert frame.rows() == rows


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@SETTINGS
@given(
    rows=st.lists(st.tuples(NUMBERS, st.integers(-(2**63), 2**63 - 1), st.booleans()), min_size=1, max_size=8),
    name=st.sampled_from(NAMES),
)
def test_any_number_is_read_back_the_same(folder, rows, name):
    schema = {"x": pl.Float64, "n": pl.Int64, "b": pl.Boolean}
    write(folder / name, *in_two(rows, schema), overwrite=True)
    frame = read_frame(str(folder / name))
    assert frame.with_columns(pl.col("b").cast(pl.String).eq("true")).cast(schema).rows() == rows


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.parquet"])
def test_lists_stay_lists_where_there_is_a_place_for_them(tmp_path, name):
    frame = pl.DataFrame({"tags": [["a", "b"], [], None], "p": [[0.25, 0.75], [1.0], [0.123456789]]})
    write(tmp_path / name, frame, frame)
    assert read_frame(str(tmp_path / name)).equals(pl.concat([frame, frame]))


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Float64])
def test_lists_in_a_csv_are_joined_with_commas_and_numbers_have_six_digits(tmp_path, dtype):
    probs = [[0.1234567891, 1.0, 1e-9], [1 / 3, 123456789.0], [], None, [math.nan]]
    tags = [["a", 'so "b"'], ["c"], [], None, ["d", "e"]]
    frame = pl.DataFrame({"p": pl.Series(probs, dtype=pl.List(dtype)), "tags": tags, "n": [[1, 2]] * 5})
    for name, separator in (("a.csv", ","), ("a.tsv", "\t")):
        write(tmp_path / name, frame)
        p, n = ('"0.123457,1.0,1e-9"', '"1,2"') if separator == "," else ("0.123457,1.0,1e-9", "1,2")
        first = (tmp_path / name).read_text().splitlines()[1]
        assert first == separator.join([p, '"a,so ""b"""', n])
        found = read_frame(str(tmp_path / name))
        assert found["p"].to_list() == ["0.123457,1.0,1e-9", "0.333333,123457000.0", "", None, "NaN"]
        assert found["tags"].to_list() == ['a,so "b"', "c", "", None, "d,e"]


def test_numbers_outside_lists_keep_all_their_digits(tmp_path):
    write(tmp_path / "a.csv", pl.DataFrame({"x": [1 / 3], "d": [date(2020, 1, 2)], "b": [True]}))
    assert (tmp_path / "a.csv").read_text() == "x,d,b\n0.3333333333333333,2020-01-02,true\n"


def test_what_json_has_no_number_for_is_null(tmp_path):
    write(tmp_path / "a.jsonl", pl.DataFrame({"x": [math.nan, math.inf, 0.5], "text": ["é", None, '"']}))
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines == [{"x": None, "text": "é"}, {"x": None, "text": None}, {"x": 0.5, "text": '"'}]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv.gz", "a.parquet"])
def test_a_frame_without_rows_gives_a_file_with_a_header(tmp_path, name):
    empty = pl.DataFrame(schema={"text": pl.String, "n": pl.Int64})
    write(tmp_path / name, empty)
    with pytest.raises(UserError, match=r"header only \('text', 'n'\)"):
        read_frame(str(tmp_path / name))
    write(tmp_path / name, empty, pl.DataFrame({"text": ["a"], "n": [1]}), empty, overwrite=True)
    assert read_frame(str(tmp_path / name)).cast({"n": pl.Int64}).rows() == [("a", 1)]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_no_frames_is_there_all_the_same(tmp_path, name):
    write(tmp_path / name)
    assert (tmp_path / name).exists()


def test_rows_keep_their_order_over_many_parts(tmp_path):
    with FrameWriter(str(tmp_path / "a.parquet")) as writer:
        for start in range(0, 3000, 10):
            writer.write(pl.DataFrame({"n": range(start, start + 10)}))
    assert read_frame(str(tmp_path / "a.parquet"))["n"].to_list() == list(range(3000))
    assert os.listdir(tmp_path) == ["a.parquet"]


def test_a_column_that_has_no_value_at_first_has_the_type_of_its_first_frame(tmp_path):
    none = pl.DataFrame({"x": pl.Series([None], dtype=pl.Float64)})
    write(tmp_path / "a.parquet", none, pl.DataFrame({"x": [None]}), pl.DataFrame({"x": [1]}))
    assert read_frame(str(tmp_path / "a.parquet"))["x"].to_list() == [None, None, 1.0]


def test_the_same_frames_give_the_same_bytes(tmp_path):
    frame = pl.DataFrame({"text": ["a", "b"]})
    write(tmp_path / "a.csv.gz", frame)
    write(tmp_path / "b.csv.gz", frame)
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == b"text\na\nb\n"


def test_standard_output_is_csv_and_can_be_read_at_once(monkeypatch):
    class Pipe(io.BytesIO):
        seen = b""

        def flush(self) -> None:
            self.seen = self.getvalue()

    pipe = Pipe()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(pipe))
    with FrameWriter("-") as writer:
        writer.write(pl.DataFrame({"text": ["a, b"], "p": [[0.5, 0.25]]}))
        assert pipe.seen == b'text,p\n"a, b","0.5,0.25"\n'
        writer.write(pl.DataFrame({"text": ["ü"], "p": [[1.0]]}))
        assert pipe.seen.endswith("\nü,1.0\n".encode())
    assert not pipe.closed


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [True, False])
def test_nothing_is_left_of_a_file_that_could_not_be_finished(tmp_path, name, error, before):
    if before:
        (tmp_path / name).write_bytes(b"as it was")

    def fail() -> None:
        with FrameWriter(str(tmp_path / name), overwrite=True) as writer:
            writer.write(pl.DataFrame({"text": ["a"] * 1000}))
            assert len(os.listdir(tmp_path)) == 1 + before
            raise error

    with pytest.raises(error):
        fail()
    assert os.listdir(tmp_path) == [name] * before
    assert not before or (tmp_path / name).read_bytes() == b"as it was"


def test_what_a_killed_process_left_is_not_joined(tmp_path):
    left = tmp_path / f".a.parquet.{os.getpid()}.tmp"
    left.mkdir()
    pl.DataFrame({"text": ["old"]}).write_parquet(left / "000000001.parquet")
    write(tmp_path / "a.parquet", pl.DataFrame({"text": ["new"]}))
    assert read_frame(str(tmp_path / "a.parquet")).rows() == [("new",)]
    assert os.listdir(tmp_path) == ["a.parquet"]


def test_a_path_may_begin_with_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with FrameWriter("~/a.csv") as writer:
        writer.write(pl.DataFrame({"text": ["a"]}))
    assert (tmp_path / "a.csv").exists()


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.gz", "a.parquet.gz", "csv"])
def test_a_name_that_tells_no_format_is_told_with_those_there_are(tmp_path, name):
    with pytest.raises(UserError, match=r"expected a file named \.csv, .*\.parquet.* or - for standard output"):
        FrameWriter(str(tmp_path / name))


def test_a_place_where_no_file_can_be_is_told_before_anything_is_written(tmp_path):
    (tmp_path / "a.csv").write_text("text\na\n")
    (tmp_path / "b.csv").mkdir()
    with pytest.raises(UserError, match=r"a\.csv exists already; overwrite=true replaces it\."):
        FrameWriter(str(tmp_path / "a.csv"))
    with pytest.raises(UserError, match=r"b\.csv: expected the name of a file; it is a folder\."):
        FrameWriter(str(tmp_path / "b.csv"), overwrite=True)
    with pytest.raises(UserError, match=r"nowhere/a\.csv: there is no folder '.*nowhere'\. Make it first\."):
        FrameWriter(str(tmp_path / "nowhere" / "a.csv"))


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_folder_that_cannot_be_written_to_is_told(tmp_path, monkeypatch, name):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(UserError, match=f"{name}: the folder '.*' can't be written to"):
        FrameWriter(str(tmp_path / name))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl.gz", "a.parquet"])
def test_a_full_disk_is_told(tmp_path, monkeypatch, name):
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=f"{name}: it can't be written: No space left on device"):
        write(tmp_path / name, pl.DataFrame({"text": ["a"]}))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("a.csv", {"a": 1}, r"column 'x' holds Struct.* a table of text has no place\. Write \.jsonl or \.parquet"),
        ("a.tsv", [[1]], r"column 'x' holds List\(List\(Int64\)\)"),
        ("a.csv", b"\xff", "column 'x' holds Binary"),
        ("a.jsonl", {"a": [b"\xff"]}, r"column 'x' holds Struct.*JSON lines have no place\. Write \.parquet"),
    ],
)
def test_a_type_that_a_format_has_no_place_for_is_told(tmp_path, name, value, part):
    with pytest.raises(UserError, match=part):
        write(tmp_path / name, pl.DataFrame({"x": [value]}))
    assert os.listdir(tmp_path) == []
