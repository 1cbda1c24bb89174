import csv
import io
import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosenblatt.data.parsers import parse_csv, parse_fasttext, parse_jsonl, parse_tsv

SETTINGS = settings(deadline=None, max_examples=50)
# Characters that are neither white space nor control: what a line of text is made of.
LINE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z"), exclude_characters='"') | st.just(" "))

# Python 3.10's own csv.writer cannot write a NUL.
WRITABLE = st.characters(exclude_categories=("Cs",), exclude_characters="" if sys.version_info >= (3, 11) else "\0")


@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
@SETTINGS
@given(rows=st.lists(st.tuples(st.text(WRITABLE), st.text(WRITABLE, min_size=1)), min_size=1, max_size=8))
def test_any_text_survives_csv(quoting, rows):
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=quoting)
    writer.writerows([("text", "label"), *rows])
    frame = parse_csv(file.getvalue().encode(), "a.csv", header=True)
    assert frame.columns == ["text", "label"]
    assert [(text or "", label) for text, label in frame.rows()] == rows
    if quoting == csv.QUOTE_ALL:  # an empty cell is null; an empty text in quotes is a text
        assert frame.rows() == rows


@SETTINGS
@given(names=st.lists(st.text('ab",\n', min_size=1).filter(lambda name: '""' not in name), min_size=2, unique=True))
def test_any_names_of_columns_survive_csv(names):
    file = io.StringIO(newline="")
    csv.writer(file).writerows([names, ["x"] * len(names)])
    assert parse_csv(file.getvalue().encode(), "a.csv", header=True).columns == names


@pytest.mark.parametrize("ascii_only", [True, False])
@SETTINGS
@given(rows=st.lists(st.tuples(st.text(), st.lists(st.text(), min_size=1)), min_size=1, max_size=8))
def test_any_text_survives_jsonl(ascii_only, rows):
    lines = [json.dumps({"text": text, "label": label}, ensure_ascii=ascii_only) for text, label in rows]
    assert parse_jsonl("\n".join(lines).encode(), "a.jsonl").rows() == rows


@SETTINGS
@given(rows=st.lists(st.tuples(LINE, LINE.filter(lambda text: text != "")), min_size=1, max_size=8))
def test_any_line_of_text_survives_tsv(rows):
    content = "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows)
    frame = parse_tsv(content.encode(), "a.tsv", header=True)
    assert [(text or "", label) for text, label in frame.rows()] == rows


@SETTINGS
@given(texts=st.lists(LINE, min_size=1, max_size=8), opened=st.sets(st.integers(0, 7)))
def test_lone_quotes_swallow_no_rows(texts, opened):
    texts = [f'"{text}' if number in opened else f"x{text}" for number, text in enumerate(texts)]
    content = "text\tlabel\n" + "".join(f"{text}\tc{number}\n" for number, text in enumerate(texts))
    frame = parse_tsv(content.encode(), "a.tsv", header=True)
    assert frame.rows() == [(text, f"c{number}") for number, text in enumerate(texts)]


@SETTINGS
@given(texts=st.lists(LINE.filter(lambda text: "__label__" not in text), min_size=1, max_size=8))
def test_any_line_of_text_survives_fasttext(texts):
    content = "".join(f"__label__a __label__é,1 {text}\n" for text in texts)
    assert parse_fasttext(content.encode()).rows() == [(text.strip(" "), ["a", "é,1"]) for text in texts]


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
def test_a_tsv_cell_with_quotes_is_read_as_it_was_meant(cell, text):
    content = f"text\tlabel\nfirst\tx\n{cell}\ty\nlast\tz\n".encode()
    assert parse_tsv(content, "a.tsv", header=True).rows() == [("first", "x"), (text, "y"), ("last", "z")]


def test_two_lone_quotes_in_one_row_join_no_cells():
    content = b'text\tlabel\n"a\t"x\nb\ty\n'
    assert parse_tsv(content, "a.tsv", header=True).rows() == [('"a', '"x'), ("b", "y")]


def test_a_lone_quote_and_a_later_one_swallow_no_rows():
    content = b'text\tlabel\n"a\tx\nb\ty\nc"\tz\n'
    assert parse_tsv(content, "a.tsv", header=True).rows() == [('"a', "x"), ("b", "y"), ('c"', "z")]


def test_a_newline_within_quotes_is_part_of_the_cell():
    content = b'text,label\r\n"two\r\nlines, one cell",a\r\n"x",b\r\n'
    assert parse_csv(content, "a.csv", header=True).rows() == [("two\r\nlines, one cell", "a"), ("x", "b")]


def test_blank_lines_are_no_rows():
    assert parse_csv(b"\nx,y\n\na,b\n\r\n\nc,d\n\n", "a.csv", header=True).rows() == [("a", "b"), ("c", "d")]
    assert parse_fasttext(b"\n__label__a b\n\n \r\n__label__c d\n").rows() == [("b", ["a"]), ("d", ["c"])]


def test_a_row_with_an_empty_last_cell_is_not_short():
    assert parse_csv(b"x,y\na,\n,b\n", "a.csv", header=True).rows() == [("a", None), (None, "b")]


def test_a_carriage_return_within_a_line_ends_no_row():
    assert parse_csv(b"x,y\na\rb,c\nd,\n", "a.csv", header=True).rows() == [("a\rb", "c"), ("d", None)]


def test_a_text_longer_than_the_limit_of_the_csv_module_is_read():
    limit, text = csv.field_size_limit(), "x" * 200_000
    assert parse_csv(f"x,y\n{text},\n".encode(), "a.csv", header=True).rows() == [(text, None)]
    assert csv.field_size_limit() == limit


def test_a_fasttext_line_may_have_its_labels_anywhere():
    content = b"some __label__b text\n__label__a\nno label\nx__label__c\n"
    assert parse_fasttext(content).rows() == [
        ("some text", ["b"]),
        ("", ["a"]),
        ("no label", []),
        ("x__label__c", []),
    ]


def test_a_fasttext_line_keeps_its_quotes_and_separators():
    content = b'__label__a "so, he said\x1f\tand\n__label__b "that\n'
    assert parse_fasttext(content).rows() == [('"so, he said\x1f\tand', ["a"]), ('"that', ["b"])]


def test_fields_that_some_json_lines_lack_are_null():
    assert parse_jsonl(b'{"a": 1}\n{"b": "x"}\n{}\n', "a.jsonl").rows() == [(1, None), (None, "x"), (None, None)]
