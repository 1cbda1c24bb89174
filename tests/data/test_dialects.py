"""Any table, written in any dialect by an independent writer, comes back equal, for train and for predict."""

import csv
import io

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosenblatt.data.columns import Columns
from rosenblatt.data.files import read_blocks

SETTINGS = settings(deadline=None, max_examples=100)
NUMBERS = st.one_of(st.integers(-9999, 99999), st.floats(-1e6, 1e6).map(lambda number: round(number, 3)))
WORDS = st.text("abcé好 ,;|\t\"'#\n", min_size=1, max_size=8).map(lambda word: f"x{word}x")
PREAMBLES = ["", "# exported\n# by somebody\n", "Sales of the year, all shops\n\n", "sep={}\n"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("dialects")


@st.composite
def tables(draw):
    """Rows of three to six columns: numbers as strings, words with everything in them, and empty cells."""
    kinds = draw(st.lists(st.sampled_from(["number", "word"]), min_size=3, max_size=6))
    num_rows = draw(st.integers(3, 12))
    # The first two cells of a row are never empty: a row that is nearly empty may be a title.
    cells = {"number": NUMBERS.map(str), "word": WORDS}
    rows = [
        [
            draw(cells[kind] if number < 2 else st.one_of(st.just(""), cells[kind], cells[kind]))
            for number, kind in enumerate(kinds)
        ]
        for _ in range(num_rows)
    ]
    return [f"name {number}" for number in range(len(kinds))], rows, kinds


def with_python(names, rows, separator, end, quoting):
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=separator, lineterminator=end, quoting=quoting).writerows([names, *rows])
    return file.getvalue()


def with_pandas(names, rows, separator, end, quoting):
    frame = pd.DataFrame(rows, columns=names)
    return frame.to_csv(sep=separator, index=False, lineterminator=end, quoting=quoting)


@SETTINGS
@given(
    table=tables(),
    writer=st.sampled_from([with_python, with_pandas]),
    separator=st.sampled_from(",;\t|"),
    comma=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]),
    preamble=st.sampled_from(PREAMBLES),
    suffix=st.sampled_from([".csv", ".tsv", ".txt"]),
    block_bytes=st.integers(1, 200),
)
def test_any_table_comes_back_from_any_dialect(
    folder, table, writer, separator, comma, end, quoting, encoding, preamble, suffix, block_bytes
):
    names, rows, kinds = table
    if comma:  # as decimal point
        rows = [
            [cell.replace(".", ",") if kind == "number" else cell for cell, kind in zip(row, kinds, strict=True)]
            for row in rows
        ]
    text = preamble.format(separator).replace("\n", end) + writer(names, rows, separator, end, quoting)
    path = folder / f"table{suffix}"
    path.write_bytes(text.encode(encoding))
    frame = Columns().read(str(path))
    assert frame.columns == names
    assert [[cell or "" for cell in row] for row in frame.rows()] == rows
    blocks = list(read_blocks(str(path), block_bytes=block_bytes))
    assert pl.concat([block.frame for block in blocks]).equals(frame)
    assert all(block.readable.all() for block in blocks)
