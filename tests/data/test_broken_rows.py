"""Rows that can't be read stay in their place, marked, and take no good row with them."""

import csv
import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosenblatt.data import dialect, source
from rosenblatt.data.files import read_blocks
from rosenblatt.data.lines import RowReader

SETTINGS = settings(deadline=None, max_examples=60)
BLOCKS = (1, 7, 60, 1 << 24)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(source, "PATIENCE", 300)
    monkeypatch.setattr(RowReader, "piece", 50)
    monkeypatch.setattr(dialect, "RARELY", 0.0)  # quotes are the usual ones, however many rows are broken


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


def read(path, content: bytes | str, **options) -> tuple[list[tuple], list[int]]:
    """All rows, and the numbers, from 0, of those that can't be read."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    blocks = list(read_blocks(str(path), **options))
    assert all(len(block.readable) == block.frame.height for block in blocks)
    readable = pl.concat([block.readable for block in blocks])
    return pl.concat([block.frame for block in blocks]).rows(), (~readable).arg_true().to_list()


# A row that is broken, and which of its cells are told.
CSV_ROWS = {
    "a,b,c": ("a", "b"),
    ",b,c": (None, "b"),
    "a": ("a", None),
    '"a,b': ('"a', "b"),
    '"a" "b,c': ('"a" "b', "c"),
    'a,"b"c"': ("a", '"b"c"'),
    'a,b,"c': ("a", "b"),
    '"a;b,""': ('"a;b', '""'),
    '"a\nb",c,d': ("a\nb", "c"),
}


@pytest.mark.parametrize("block_bytes", BLOCKS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("broken", CSV_ROWS)
def test_a_broken_row_of_a_csv_stays_in_its_place(tmp_path, broken, end, block_bytes):
    before = [(f"é {i}", "x, y" if i % 2 else "") for i in range(10)]
    after = [(f"two{end}lines {i}" if i % 4 == 0 else f'plain "{i}"', None if i % 3 else "z") for i in range(20)]
    lines = ["text,label", *(f'{text},"{label}"' for text, label in before), broken.replace("\n", end)]
    lines += ['"{}",{}'.format(text.replace('"', '""'), label or "") + end for text, label in after]
    cells = tuple(cell and cell.replace("\n", end) for cell in CSV_ROWS[broken])
    rows, unreadable = read(tmp_path / "a.csv", end.join(lines), block_bytes=block_bytes)
    assert rows == [*before, cells, *after]
    assert unreadable == [10]


@pytest.mark.parametrize("block_bytes", BLOCKS)
@pytest.mark.parametrize("broken", ["", "a,b,c\n"])
def test_rows_of_empty_cells_are_left_out_and_counted(tmp_path, caplog, broken, block_bytes):
    lines = [f"a{i},b\n" + (",\n" if i % 5 == 0 else "") for i in range(40)]
    rows, _ = read(tmp_path / "a.csv", "text,label\n" + broken + "".join(lines), block_bytes=block_bytes)
    assert len(rows) == 40 + bool(broken)
    assert "8 empty rows are left out" in caplog.text


@pytest.mark.parametrize("block_bytes", BLOCKS)
@pytest.mark.parametrize("quoted", [True, False])
def test_a_broken_row_of_a_tsv_stays_in_its_place(tmp_path, quoted, block_bytes):
    row, text = ('"a\tb %d"\tc\n', "a\tb {}") if quoted else ('"a %d\tc\n', '"a {}')
    lines = [row % number for number in range(40)]
    lines[20] = "short\n"
    lines[30] = "a\tb\tc\n"
    rows, unreadable = read(tmp_path / "a.tsv", "text\tlabel\n" + "".join(lines), block_bytes=block_bytes)
    assert rows[:20] == [(text.format(number), "c") for number in range(20)]
    assert rows[20:22] == [("short", None), (text.format(21), "c")]
    assert rows[30:32] == [("a", "b"), (text.format(31), "c")]
    assert unreadable == [20, 30]


@SETTINGS
@given(
    kinds=st.lists(st.sampled_from(["good", "quoted", "blank", *CSV_ROWS]), min_size=1, max_size=40),
    block_bytes=st.integers(1, 200),
)
def test_nothing_of_a_good_row_is_lost_whatever_is_broken_around_it(folder, kinds, block_bytes):
    made = {"good": "a{0},b{0}\n", "quoted": '"a\n{0}","b ""x"" {0}"\n', "blank": "\n"}
    kinds = ["good"] * len(kinds) + kinds  # most rows tell what is usual
    content = "text,label\n" + "".join(made.get(kind, kind + "\n").format(i) for i, kind in enumerate(kinds))
    good = {"good": "a{0}|b{0}", "quoted": 'a\n{0}|b "x" {0}'}
    due = [good[kind].format(i) if kind in good else None for i, kind in enumerate(kinds) if kind != "blank"]
    if not due:
        return
    rows, unreadable = read(folder / "a.csv", content, block_bytes=block_bytes)
    assert ["|".join(row) if i not in unreadable else None for i, row in enumerate(rows)] == due


@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_an_inch_sign_breaks_no_row(tmp_path, block_bytes):
    lines = [f'{number}" disk,b\n"a ""{number}""",c\n' for number in range(20)]
    rows, unreadable = read(tmp_path / "a.csv", "text,label\n" + "".join(lines), block_bytes=block_bytes)
    assert rows == [row for i in range(20) for row in ((f'{i}" disk', "b"), (f'a "{i}"', "c"))]
    assert unreadable == []


@pytest.mark.parametrize("block_bytes", BLOCKS)
def test_a_quote_that_is_never_closed_is_given_up_after_a_while(tmp_path, block_bytes):
    lines = [f"plain {number},b\n" for number in range(500)]
    lines[3] = '"open,b\n'
    rows, unreadable = read(tmp_path / "a.csv", "text,label\n" + "".join(lines), block_bytes=block_bytes)
    assert unreadable == [3]
    assert rows[4:] == [(f"plain {number}", "b") for number in range(4, 500)]


def test_a_broken_row_longer_than_the_limit_of_the_csv_module_is_no_trouble(tmp_path):
    limit, text = csv.field_size_limit(), "x" * 200_000
    rows, unreadable = read(tmp_path / "a.csv", f"text,label\n{text}\n{text},b\n", block_bytes=100)
    assert rows == [(text, None), (text, "b")]
    assert unreadable == [0]
    assert csv.field_size_limit() == limit


JSON_ROWS = {
    '{"n": 1': (None, None, None),
    "[1]": (None, None, None),
    '"text"': (None, None, None),
    '{"n": 1} {"n": 2}': (None, None, None),
    '{"n": 1, "x": 1e999}': (None, None, None),
    '{"n": 1, "text": ' + "9" * 50 + "}": (None, None, None),
    "[" * 5000 + "]" * 5000: (None, None, None),
    '{"n": 1.5, "text": "a"}': (None, "a", None),
    '{"n": true, "text": 1, "tags": ["b"]}': (None, "1", ["b"]),
    '{"n": 99999999999999999999, "tags": []}': (None, None, []),
    '{"n": 7, "text": [1], "tags": "b"}': (7, "[1]", None),
}


@pytest.mark.parametrize("block_bytes", BLOCKS[:-1])
@pytest.mark.parametrize("broken", JSON_ROWS, ids=lambda row: row[:40])
def test_a_broken_json_line_stays_in_its_place(tmp_path, broken, block_bytes):
    good = [{"n": number, "text": f"é {number}", "tags": ["a", None]} for number in range(40)]
    lines = [json.dumps(row) for row in good]
    lines[20:20] = ["", broken, " "]
    rows, unreadable = read(tmp_path / "a.jsonl", "\n".join(lines), block_bytes=block_bytes)
    assert rows[20] == JSON_ROWS[broken]
    assert rows[:20] + rows[21:] == [tuple(row.values()) for row in good]
    assert unreadable == [20]


def test_types_come_from_the_first_lines_that_can_be_read(tmp_path):
    lines = ["no JSON", '{"n": 1, "t": null}', '{"n": [1]}', '{"n": 2, "t": [1]}', '{"n": 2.5}']
    rows, unreadable = read(tmp_path / "a.jsonl", "\n".join(lines))
    assert rows == [(None, None), (1, None), (None, None), (2, "[1]"), (None, None)]
    assert unreadable == [0, 2, 4]


def test_a_key_that_comes_late_is_left_out_with_one_warning(tmp_path, caplog):
    lines = [json.dumps({"a": number}) for number in range(200)] + ['{"a": 1, "late": 2}'] * 50 + ['{"other": 1}'] * 3
    rows, unreadable = read(tmp_path / "a.jsonl", "\n".join(lines), block_bytes=60)
    assert rows == [(number,) for number in range(200)] + [(1,)] * 50 + [(None,)] * 3
    assert unreadable == []
    assert [message for message in caplog.messages if "late" in message] == caplog.messages
    assert caplog.messages == [
        f"{tmp_path}/a.jsonl: the key 'late' comes up after the first block of rows only. It is left out."
    ]


def test_a_late_key_of_all_sorts_is_no_trouble(tmp_path):
    lines = ['{"a": 1}'] * 100 + ['{"a": 2, "late": 1}', '{"a": 3, "late": [1]}', '{"a": 4, "late": {"a": []}}']
    rows, unreadable = read(tmp_path / "a.jsonl", "\n".join(lines), block_bytes=60)
    assert rows == [(1,)] * 100 + [(2,), (3,), (4,)]
    assert unreadable == []


@pytest.mark.parametrize("block_bytes", BLOCKS)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.txt", "fasttext.txt"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_a_byte_that_the_encoding_does_not_have_spoils_one_row(tmp_path, name, encoding, block_bytes):
    line = {"a.csv": "%s,好\n", "a.tsv": "%s\t好\n", "a.jsonl": '{"text": "%s", "label": "好"}\n', "a.txt": "%s\n"}.get(
        name, "__label__好 %s\n"
    )
    head = {"a.csv": "text,label\n", "a.tsv": "text\tlabel\n"}.get(name, "")
    lines = [line % f"é {number}" for number in range(40)]
    whole = (head + "".join(lines)).encode(encoding)
    spoilt = "é 20".encode(encoding).removeprefix(b"\xff\xfe")
    wrong = {"utf-8": b"\xff ", "utf-16": b"\x00\xdc\x20\x00", "gb18030": b"\xff "}[encoding]
    content = whole.replace(spoilt, wrong + spoilt)
    rows, unreadable = read(tmp_path / name, content, encoding=encoding, block_bytes=block_bytes, lines=True)
    assert unreadable == [20]
    assert [row[0] for row in rows[:20] + rows[21:]] == [f"é {i}" for i in range(40) if i != 20]
    assert rows[20][0] == (None if name == "a.jsonl" else "\ufffd é 20")


def test_a_text_of_a_folder_that_the_encoding_does_not_have_is_marked(tmp_path, caplog):
    for name, content in {"a/1": "é".encode(), "a/2": b"\xe9t\xe9", "b/1": b"x", "b/2": b"\xff"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (block,) = read_blocks(str(tmp_path))
    assert block.frame.rows() == [("é", "a"), ("\ufffdt\ufffd", "a"), ("x", "b"), ("\ufffd", "b")]
    assert block.readable.to_list() == [True, False, True, False]
    assert len(caplog.messages) == 1
    assert "a/2: expected text in utf-8; line 1 has the byte 0xe9" in caplog.messages[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "x,y\n\na,b\nc\nd\n", "row 2 (line 4): it has 1 cells, and the first line has 2."),
        ("a.csv", 'x,y\na,b\n"c,d\n', "row 2 (line 3): a quote is not closed."),
        ("a.csv", 'x,y\na,b\n"c"c",d\n', "row 2 (line 3): more follows on a closing quote."),
        (
            "a.csv",
            b"x,y\na,b\n\xff,d\n",
            "row 2 (line 3): it holds a byte that the encoding does not have.",
        ),
        (
            "a.jsonl",
            '{"a": 1}\n' * 40 + '{"a": "b"}',
            "row 41 (line 41): 'a' is \"b\"; the first rows have Int64.",
        ),
        (
            "a.jsonl",
            '{"a": 1}\n7\n',
            'row 2 (line 2): expected an object such as {"text": "...", "label": "..."}.',
        ),
        (
            "a.jsonl",
            '{"a": 1}\n{"a"\n',
            "row 2 (line 2): it is no JSON: Expecting ':' delimiter at character 5.",
        ),
    ],
)
def test_the_first_row_that_cannot_be_read_is_told_with_the_reason(tmp_path, caplog, name, content, message):
    read(tmp_path / name, content, block_bytes=300)
    assert len([one for one in caplog.messages if "empty rows" not in one]) == 1
    place, _, reason = message.partition(": ")
    assert f"{tmp_path}/{name}: {place} can't be read: {reason}" in caplog.messages[0]
