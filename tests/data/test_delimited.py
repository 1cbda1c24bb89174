"""Rows of CSV and TSV, quoted well or oddly; Python's csv module is the reference."""

import csv
import io
import sys

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosenblatt.data.columns import column
from rosenblatt.data.files import read_blocks, read_frame
from rosenblatt.errors import UserError

SETTINGS = settings(deadline=None, max_examples=50)
# Characters that are neither white space nor control: what a line of text is made of.
LINE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z"), exclude_characters='"') | st.just(" "))

# Python 3.10's own csv.writer cannot write a NUL.
WRITABLE = st.characters(exclude_categories=("Cs",), exclude_characters="" if sys.version_info >= (3, 11) else "\0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("delimited")


def read(path, content: bytes) -> pl.DataFrame:
    path.write_bytes(content)
    return read_frame(str(path))


@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
@SETTINGS
@given(rows=st.lists(st.tuples(st.text(WRITABLE), st.text(WRITABLE, min_size=1)), min_size=1, max_size=8))
def test_any_text_survives_csv(folder, quoting, rows):
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=quoting)
    writer.writerows([("text", "label"), *rows])
    frame = read(folder / "a.csv", file.getvalue().encode())
    assert frame.columns == ["text", "label"]
    assert [(text or "", label) for text, label in frame.rows()] == rows
    if quoting == csv.QUOTE_ALL:  # an empty cell is null; an empty text in quotes is a text
        assert frame.rows() == rows


@SETTINGS
@given(names=st.lists(st.text('ab",\n', min_size=1).filter(lambda name: '""' not in name), min_size=2, unique=True))
def test_any_names_of_columns_survive_csv(folder, names):
    file = io.StringIO(newline="")
    csv.writer(file).writerows([names, ["x"] * len(names)])
    assert read(folder / "a.csv", file.getvalue().encode()).columns == names


@SETTINGS
@given(rows=st.lists(st.tuples(LINE, LINE.filter(lambda text: text != "")), min_size=1, max_size=8))
def test_any_line_of_text_survives_tsv(folder, rows):
    content = "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows)
    frame = read(folder / "a.tsv", content.encode())
    assert [(text or "", label) for text, label in frame.rows()] == rows


@SETTINGS
@given(texts=st.lists(LINE, min_size=1, max_size=8), opened=st.sets(st.integers(0, 7)))
def test_lone_quotes_swallow_no_rows(folder, texts, opened):
    texts = [f'"{text}' if number in opened else f"x{text}" for number, text in enumerate(texts)]
    content = "text\tlabel\n" + "".join(f"{text}\tc{number}\n" for number, text in enumerate(texts))
    frame = read(folder / "a.tsv", content.encode())
    assert frame.rows() == [(text, f"c{number}") for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('"good"', "good"),
        ('"say ""hi"""', 'say "hi"'),
        ('"a\tb"', "a\tb"),
        ('"a\nb"', "a\nb"),
        ('"a\r\nb\tc"', "a\r\nb\tc"),
        ('"good" film', '"good" film'),
        ('"good', '"good'),
        ('good"', 'good"'),
        ('5" disk', '5" disk'),
    ],
)
def test_a_tsv_cell_with_quotes_is_read_as_it_was_meant(tmp_path, cell, text):
    content = f"text\tlabel\nfirst\tx\n{cell}\ty\nlast\tz\n".encode()
    assert read(tmp_path / "a.tsv", content).rows() == [("first", "x"), (text, "y"), ("last", "z")]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b'"a\t"x\nb\ty\n', [('"a', '"x'), ("b", "y")]),
        (b'"a\tx\nb\ty\nc"\tz\n', [('"a', "x"), ("b", "y"), ('c"', "z")]),
    ],
)
def test_lone_quotes_of_a_tsv_join_no_cells_and_swallow_no_rows(tmp_path, content, rows):
    assert read(tmp_path / "a.tsv", b"text\tlabel\n" + content).rows() == rows


def test_quotes_that_come_late_in_a_tsv_are_believed(tmp_path):
    plain, quoted = "plain\tx\n" * 200_000, '"a\tb"\tz\n"say ""hi"""\tz\n'
    frame = read(tmp_path / "a.tsv", f"text\tlabel\n{plain}{quoted}".encode())
    assert frame.rows()[-2:] == [("a\tb", "z"), ('say "hi"', "z")]


def test_a_newline_within_quotes_is_part_of_the_cell(tmp_path):
    content = b'text,label\r\n"two\r\nlines, one cell",a\r\n"x",b\r\n'
    assert read(tmp_path / "a.csv", content).rows() == [("two\r\nlines, one cell", "a"), ("x", "b")]


def test_blank_lines_are_no_rows(tmp_path):
    assert read(tmp_path / "a.csv", b"\nx,y\n\na,b\n\r\n\nc,d\n\n").rows() == [("a", "b"), ("c", "d")]
    assert read(tmp_path / "a.txt", b"\n__label__a b\n\n \r\n__label__c d\n").rows() == [("b", ["a"]), ("d", ["c"])]


def test_a_row_with_an_empty_last_cell_is_not_short(tmp_path):
    assert read(tmp_path / "a.csv", b"x,y\na,\n,b\n").rows() == [("a", None), (None, "b")]


def test_a_carriage_return_within_a_line_ends_no_row(tmp_path):
    assert read(tmp_path / "a.csv", b"x,y\na\rb,c\nd,\n").rows() == [("a\rb", "c"), ("d", None)]


def test_a_text_longer_than_the_limit_of_the_csv_module_is_read(tmp_path):
    limit, text = csv.field_size_limit(), "x" * 200_000
    assert read(tmp_path / "a.csv", f"x,y\n{text},\n".encode()).rows() == [(text, None)]
    assert csv.field_size_limit() == limit


@SETTINGS
@given(
    rows=st.lists(st.tuples(st.text('ab "é', max_size=5), st.text('ab "\n,', max_size=5)), min_size=1, max_size=6),
    quoted=st.booleans(),
    block_bytes=st.integers(1, 60),
)
def test_train_and_predict_read_a_file_as_the_csv_module_does(folder, rows, quoted, block_bytes):
    # The first cell of a row stands as it is, the second in quotes that may be wrong.
    content = "x,y\n" + "".join(
        f'{first},"{second.replace(chr(34), chr(34) * 2)}"\n' if quoted else f'{first},"{second}"\n'
        for first, second in rows
    )
    due = [row for row in csv.reader(io.StringIO(content, newline="")) if row][1:]
    odd = [cell for row in due for cell in (row[:1] if quoted else row) if cell.count('"') % 2 or "\n" in cell]
    raw = [cell for row in rows for cell in (row[:1] if quoted else row)]
    edges = [cell for cell in raw if '""' in cell or cell[:1] == '"' or cell[-1:] == '"']
    if not due or odd or edges or any(len(row) != 2 for row in due):
        return  # a quote that may never be closed: tests of broken rows are about these
    frame = read(folder / "a.csv", content.encode())
    assert [[cell or "" for cell in row] for row in frame.rows()] == due
    blocks = list(read_blocks(str(folder / "a.csv"), block_bytes=block_bytes))
    assert pl.concat([block.frame for block in blocks]).equals(frame)
    assert all(block.readable.all() for block in blocks)


def test_quotes_within_cells_are_characters_for_train_and_predict(tmp_path):
    content = b'text,label\n5" disk,b\n"a ""6""",c\nO"Brian,"x, y"\n"two\n""lines""",d\n'
    rows = [('5" disk', "b"), ('a "6"', "c"), ('O"Brian', "x, y"), ('two\n"lines"', "d")]
    assert read(tmp_path / "a.csv", content).rows() == rows
    assert [row for block in read_blocks(str(tmp_path / "a.csv")) for row in block.frame.rows()] == rows


def test_only_a_column_that_is_used_needs_a_name_of_its_own(tmp_path):
    frame = read(tmp_path / "a.csv", b"text,note,note,,\na,b,c,d,e\n")
    assert frame.rows(named=True) == [
        {"text": "a", "note (column 1)": "b", "note (column 2)": "c", "(column 3)": "d", "(column 4)": "e"}
    ]
    assert column(frame, "note (column 2)", "k", "f").to_list() == ["c"]
    for name in ("note", ""):
        with pytest.raises(UserError, match=f"k={name}: 2 columns of f are named '{name}'. Which one is meant"):
            column(frame, name, "k", "f")
