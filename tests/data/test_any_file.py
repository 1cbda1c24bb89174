"""Files as Excel, pandas, Kaggle and log writers leave them: what is found out, and what is told."""

import csv
import io
import json
import logging
import sys
import zipfile

import polars as pl
import pytest

from rosenblatt.data.columns import Columns
from rosenblatt.data.files import read_blocks, read_frame
from rosenblatt.errors import UserError

ROWS = [("good", "1"), ("bad", "0"), ("fine, really", "1"), ("worse", "0")]
PLAIN = 'text,label\ngood,1\nbad,0\n"fine, really",1\nworse,0\n'


def rows_of(path, content, name="a.csv", **options):
    (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_frame(str(path / name), **options).rows()


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.tsv"])
@pytest.mark.parametrize(("word", "sign"), {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}.items())
def test_a_separator_is_found_out_and_told_where_the_name_tells_another(tmp_path, caplog, name, word, sign):
    file = io.StringIO()
    csv.writer(file, delimiter=sign, lineterminator="\n").writerows([("text", "label"), *ROWS])
    assert rows_of(tmp_path, file.getvalue(), name) == ROWS
    usual = word == ("comma" if name == "a.csv" else "tab")
    assert caplog.messages == [] if usual else f"data.separator={word}" in caplog.text


@pytest.mark.parametrize("said", ["semicolon", "Semicolon", ";"])
def test_a_separator_that_is_said_is_the_one(tmp_path, said):
    content = "a,b;label\n1,2;x\n3,4;y\n"  # commas fit, too
    assert rows_of(tmp_path, content, separator=said) == [("1,2", "x"), ("3,4", "y")]
    assert rows_of(tmp_path, content, separator="comma") == [("1", "2;x"), ("3", "4;y")]


def test_of_two_separators_that_fit_both_are_told(tmp_path, caplog):
    assert rows_of(tmp_path, "a,b;label\n1,2;x\n3,4;y\n") == [("1", "2;x"), ("3", "4;y")]
    assert "with commas between them, rows have 2 cells; semicolons would make 2" in caplog.text
    assert "data.separator=semicolon" in caplog.text


@pytest.mark.parametrize("said", ["komma", "::", "", "a", '"', "\n", "é"])
def test_what_is_no_separator_is_told(tmp_path, said):
    with pytest.raises(UserError, match=r"data\.separator: expected one character, or 'comma', 'semicolon', 'tab'"):
        rows_of(tmp_path, PLAIN, separator=said)


@pytest.mark.parametrize(
    "above",
    [
        "sep=,\n",
        '"sep=,"\n',
        "# exported 2024-05-01\n",
        "# exported 2024-05-01, by somebody\n# else\n",
        "Reviews of the year\n\n",
        "\n\n",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_stands_above_the_header_is_left_out(tmp_path, caplog, above, end):
    assert rows_of(tmp_path, (above + PLAIN).replace("\n", end)) == ROWS
    assert ("above the header are left out" in caplog.text) == (above.strip() != "" and "sep=" not in above)


TITLES = [
    "All reviews\n",
    "Reviews,,\n",
    "By shop,,\n,,\nTitle,,\n",
    ",,\n,Reviews,\n",
    "Reviews, all shops\n\n",
    "Reviews,,\n,,\n",
    "From,2024\nTo,2025\n\n",
]


@pytest.mark.parametrize("above", TITLES)
def test_a_title_may_hold_the_separator_where_it_is_shorter_than_the_header(tmp_path, caplog, above):
    assert rows_of(tmp_path, above + "x,y,z\na,1,2\nb,3,4\n") == [("a", "1", "2"), ("b", "3", "4")]
    assert "above the header are left out" in caplog.text


@pytest.mark.parametrize("header", ["#text,label", "# text,label"])
def test_a_header_may_begin_like_a_comment(tmp_path, header):
    frame = tmp_path / "a.csv"
    frame.write_text(f"{header}\n1.5,2\n3,4\n")
    assert read_frame(str(frame)).columns == header.split(",")


def test_a_line_of_one_name_above_texts_with_commas_is_no_title(tmp_path):
    assert rows_of(tmp_path, "text\na; b\nc; d\ne\n") == [("a; b",), ("c; d",), ("e",)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_the_encoding_is_read_off_a_file_of_letters_of_two_bytes(tmp_path, encoding):
    content = ("text\tlabel\n" + "film überaus gut\tja\n" * 20).encode(encoding)
    assert rows_of(tmp_path, content) == [("film überaus gut", "ja")] * 20


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('x,y\na "b" c,1\n', [('a "b" c', "1")]),
        ('x,y\n"a" b,1\n', [("a b", "1")]),
        ('x,y\n"a ""b""" c,1\n', [('a "b" c', "1")]),
        ('x,y\n5" disk,1\n"6"" disk",2\n', [('5" disk', "1"), ('6" disk', "2")]),
    ],
)
def test_quotes_in_odd_places_are_read_as_by_the_csv_module_and_told(tmp_path, caplog, content, rows):
    assert rows_of(tmp_path, content) == rows == [tuple(row) for row in csv.reader(io.StringIO(content))][1:]
    assert "row 1 (line 2)" in caplog.text


def test_a_backslash_before_a_quote_is_understood_across_blocks(tmp_path):
    rows = [(f'say \\"hi\\" {number}, all', str(number)) for number in range(50)]
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f'"{text}",{label}\n' for text, label in rows))
    due = [(text.replace("\\", ""), label) for text, label in rows]
    for block_bytes in (1, 7, 100, None):
        blocks = read_blocks(str(tmp_path / "a.csv"), block_bytes=block_bytes)
        assert [row for block in blocks for row in block.frame.rows()] == due


def test_quotes_that_are_not_written_twice_are_understood_where_many_rows_have_them(tmp_path, caplog):
    content = "x,y\n" + "".join(f'"a {number}", said "he",{number}\n' for number in range(30))
    content = content.replace('", said', '" wide, said').replace('"he",', 'he",')
    assert rows_of(tmp_path, content)[7] == ('a 7" wide, said he', "7")
    assert "quotes within cells stand as they are" in caplog.text


def test_single_quotes_are_understood_where_rows_are_ragged_without(tmp_path):
    assert rows_of(tmp_path, "x,y\n'a, b',1\n'it''s',2\nc,3\n") == [("a, b", "1"), ("it's", "2"), ("c", "3")]


def test_spaces_after_all_separators_are_none_of_the_cells(tmp_path):
    content = 'x, y, z\n1, "a, b", c\n2, d, e\n'
    frame = tmp_path / "a.csv"
    frame.write_text(content)
    assert read_frame(str(frame)).rows(named=True)[0] == {"x": "1", "y": "a, b", "z": "c"}


def test_a_separator_at_the_end_of_rows_is_no_cell(tmp_path, caplog):
    assert rows_of(tmp_path, "x,y\na,1,\nb,2\nc,3,\n") == [("a", "1"), ("b", "2"), ("c", "3")]
    assert "an empty cell too many at its end is left out" in caplog.text
    assert rows_of(tmp_path, "x,y\na,1,\nb,2,\n") == [("a", "1", None), ("b", "2", None)]
    assert rows_of(tmp_path, "x,y,\na,1\nb,2\n") == [("a", "1"), ("b", "2")]


def test_an_empty_cell_too_many_may_be_one_in_the_midst(tmp_path):
    with pytest.raises(UserError, match=r"row 3 .line 4. can't be read: it has 4 cells, and the first line has 3"):
        rows_of(tmp_path, "x,y,z\na,1,\nb,2,\nc,,3,\nd,4,\n")


def test_names_of_other_columns_than_cells_are_told(tmp_path):
    rows = "".join(f"a{number},1,2,3\n" for number in range(5))
    with pytest.raises(
        UserError, match=r"the first line has 2 \('x', 'y'\), and most rows have 4. Mend the first line"
    ):
        rows_of(tmp_path, "x,y\n" + rows)


def test_rows_that_repeat_the_header_are_left_out_and_counted(tmp_path, caplog):
    assert rows_of(tmp_path, PLAIN + PLAIN) == ROWS + ROWS
    assert "1 rows repeat the names of the columns" in caplog.text
    assert rows_of(tmp_path, PLAIN + 'x" y,1\n' + PLAIN) == [*ROWS, ('x" y', "1"), *ROWS]


def test_a_first_column_without_a_name_is_one(tmp_path):
    (tmp_path / "a.csv").write_text(",x,y\n0,a,1\n1,b,2\n,c,3\n")
    frame = read_frame(str(tmp_path / "a.csv"))
    assert frame.columns == ["", "x", "y"]
    assert frame.rows() == [("0", "a", "1"), ("1", "b", "2"), (None, "c", "3")]


def test_a_first_row_that_may_be_no_header_is_told(tmp_path, caplog):
    rows_of(tmp_path, "".join(f"good {number},{number % 2}\n" for number in range(9)))
    assert "it holds '0', as rows do. If it is a row, say so: data.header=false" in caplog.text


@pytest.mark.parametrize("names", ["0.5,1e-3", "2/28/2008,1:00:00", "17,NaN"])
def test_a_first_row_of_numbers_or_dates_is_told_and_rows_like_it_are_rows(tmp_path, caplog, names):
    assert len(rows_of(tmp_path, f"{names}\n1.5,2.5\n3.5,4.5\n{names}\n")) == 3
    assert f"it holds '{names.split(',')[0]}', as rows do" in caplog.text


def test_a_second_row_of_names_is_told(tmp_path, caplog):
    assert rows_of(tmp_path, "speed,kind,time\nm/s,,s\n1.5,a,2\n3,b,4\n5,c,6.5\n")[0] == ("m/s", None, "s")
    assert "the first row holds words where all others hold numbers, such as 'm/s'" in caplog.text


def test_broken_rows_are_left_out_where_that_is_said(tmp_path, caplog):
    path = tmp_path / "a.csv"
    path.write_text(PLAIN + "short\n" + "long,1,2,3\n" + 'open "quote",1\n"never,1\n')
    with pytest.raises(UserError, match=r"data.broken_rows=skip"):
        Columns().read(str(path))
    assert Columns(broken_rows="skip").read(str(path)).rows() == [*ROWS, ('open "quote"', "1")]
    assert "3 of 8 rows can't be read, and are left out" in caplog.text


def test_a_file_of_broken_rows_is_refused_even_so(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y\na,1\n" + "b\n" * 2 + "c,2,3\n" * 2)
    with pytest.raises(UserError, match=r"4 of 5 rows can't be read: too many to leave out. Is data.separator right"):
        Columns(broken_rows="skip").read(str(path))


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_array_of_objects_is_rows(tmp_path, name, indent):
    rows = [{"text": text, "n": number, "x": float("nan") if number else 0.5} for number, (text, _) in enumerate(ROWS)]
    assert rows_of(tmp_path, json.dumps(rows, indent=indent), name) == [
        (text, number, None if number else 0.5) for number, (text, _) in enumerate(ROWS)
    ]


def test_json_lines_may_be_called_json(tmp_path):
    assert rows_of(tmp_path, '{"a": 1}\n{"a": 2}\n', "a.json") == [(1,), (2,)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": {"0": "a"}, "label": {"0": 1}}', "expected an array of objects"),
        ('{"rows": [{"a": 1}]}', "expected an array of objects"),
        ('{\n  "a": 1\n}', "expected an array of objects"),
        ('[{"a": 1},\n {"a": 2]', "no JSON at line 2, character 9"),
        ("[]", "the array is empty"),
        ("[1, 2]", "row 1 can't be read: expected an object such as"),
        ('[{"a": 1e999}]', "1e999 is no number"),
        ("[" * 9999, "can't be read"),
    ],
)
def test_json_of_another_form_is_told(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        rows_of(tmp_path, content, "a.json")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_in_json_lines_is_missing(tmp_path, value):
    lines = [f'{{"x": {number}.5, "t": "NaN"}}\n' for number in range(5)]
    lines[2] = f'{{"x": {value}, "t": "Infinity"}}\n'
    due = [0.5, 1.5, None, 3.5, 4.5]
    frame = pl.DataFrame(rows_of(tmp_path, "".join(lines), "a.jsonl"), orient="row", schema=["x", "t"])
    assert frame["x"].to_list() == due
    assert frame["t"].to_list() == ["NaN", "NaN", "Infinity", "NaN", "NaN"]
    blocks = [block.frame["x"] for block in read_blocks(str(tmp_path / "a.jsonl"), block_bytes=30)]
    assert pl.concat(blocks).to_list() == due


def zipped(path, *names, content=PLAIN):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, content)


def test_a_zip_file_with_one_file_in_it_is_that_file(tmp_path):
    zipped(tmp_path / "a.csv.zip", "folder/", "folder/reviews.csv", "__MACOSX/folder/._reviews.csv", ".DS_Store")
    assert read_frame(str(tmp_path / "a.csv.zip")).rows() == ROWS
    pl.DataFrame({"a": [1, 2]}).write_parquet(tmp_path / "a.parquet")
    zipped(tmp_path / "b.ZIP", "a.parquet", content=(tmp_path / "a.parquet").read_bytes())
    assert read_frame(str(tmp_path / "b.ZIP")).rows() == [(1,), (2,)]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.csv", "b.csv"], "expected a zip file with one file in it; it holds 'a.csv', 'b.csv'"),
        ([], "it holds none"),
        (["a.doc"], "expected a file named .* in it; it holds 'a.doc'"),
        (["a.csv.gz"], "expected a file named .* in it; it holds 'a.csv.gz'"),
    ],
)
def test_a_zip_file_with_another_content_is_told(tmp_path, names, message):
    zipped(tmp_path / "a.zip", *names)
    with pytest.raises(UserError, match=message):
        read_frame(str(tmp_path / "a.zip"))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04\x14\x00", "an Excel file"),
        (b"\x1f\x8b\x08\x00", "packed with gzip"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"\n<!DOCTYPE html>\n<p>", "a web page"),
    ],
)
def test_a_file_of_another_kind_than_its_name_says_is_told(tmp_path, content, kind):
    with pytest.raises(UserError, match=f"expected text; it is {kind}"):
        rows_of(tmp_path, content)


def test_the_encoding_that_windows_writes_is_named_where_it_is_one(tmp_path):
    for text, encoding in (("5 €", "cp1252"), ("né", "latin-1")):
        with pytest.raises(UserError, match=f"data.encoding={encoding}"):
            rows_of(tmp_path, f"x,y\n{text},1\n".encode(encoding))


def test_spaces_around_names_of_columns_are_none_of_theirs(tmp_path):
    (tmp_path / "a.csv").write_text(" text | label \ngood|1\nbad|0\n")
    assert read_frame(str(tmp_path / "a.csv")).columns == ["text", "label"]


def test_names_of_rows_as_r_writes_them_are_a_column_without_a_name(tmp_path, caplog):
    (tmp_path / "a.csv").write_text('"x","y"\n"1",5,"a"\n"2",6,"b"\n"3",7,"c"\n"4",8,"d"\n')
    frame = read_frame(str(tmp_path / "a.csv"))
    assert frame.columns == ["", "x", "y"]
    assert frame.row(0) == ("1", "5", "a")
    assert "the first row has 2 names, and others names of rows before them" in caplog.text


def test_what_is_no_zip_file_is_told(tmp_path):
    with pytest.raises(UserError, match=r"a.zip: not a whole zip file"):
        rows_of(tmp_path, "text,label\n", "a.zip")
    with pytest.raises(UserError, match=r"b.zip: no such file"):
        read_frame(str(tmp_path / "b.zip"))


def excel(path, rows, *sheets):
    """Write the least that Excel opens."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    listed = "".join(f'<sheet name="{one}" sheetId="{i}" r:id="r{i}"/>' for i, one in enumerate(sheets))
    sheet = 'Target="worksheets/sheet1.xml"'
    related = "".join(f'<Relationship Id="r{i}" Type="{office}/worksheet" {sheet}/>' for i in range(len(sheets)))
    cells = ""
    for row in rows:
        texts = [f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row if isinstance(cell, str)]
        numbers = [f"<c><v>{cell}</v></c>" for cell in row if not isinstance(cell, str)]
        cells += f"<row>{''.join(texts + numbers)}</row>"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r0" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">{related}</Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + content)


def test_the_first_sheet_of_an_excel_file_is_a_table(tmp_path, caplog):
    pytest.importorskip("fastexcel")
    rows = [["Sales of the year"], [], ["text", "price", "n"], ["a, b", 1.5, 3], ['say "x"', -2, 4], ["c", 1e6, 5]]
    excel(tmp_path / "a.xlsx", rows, "First", "Second")
    frame = read_frame(str(tmp_path / "a.xlsx"))
    assert frame.columns == ["text", "price", "n"]
    assert frame["text"].to_list() == ["a, b", 'say "x"', "c"]
    assert frame["price"].cast(float).to_list() == [1.5, -2, 1e6]
    assert frame["n"].to_list() == ["3", "4", "5"]
    assert "its first sheet, 'First', is read" in caplog.text


def test_what_is_no_excel_file_is_told(tmp_path):
    pytest.importorskip("fastexcel")
    with pytest.raises(UserError, match=r"it is no whole Excel file"):
        rows_of(tmp_path, "text,label\n", "a.xlsx")


def test_without_the_package_for_excel_the_message_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    with pytest.raises(UserError, match=r"a.xlsx: reading Excel files needs another package. Try: pip install"):
        rows_of(tmp_path, "a", "a.xlsx")


def test_what_editors_leave_at_the_end_is_no_row(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    assert rows_of(tmp_path, PLAIN + "   \n\t\n\x1a") == ROWS
    assert "3 empty rows are left out" in caplog.text


def test_without_a_header_a_first_row_of_few_cells_is_a_row(tmp_path):
    (tmp_path / "a.csv").write_text("# exported\nhello,,\nworld,1,2\nagain,3,4\n")
    assert read_frame(str(tmp_path / "a.csv"), header=False).rows()[0] == ("hello", None, None)


def test_a_header_that_is_found_in_training_is_kept_for_prediction(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    (tmp_path / "a.csv").write_text("text;label\ngood;1\nbad;0\n")
    columns = Columns(label=1, text=(0,)).settled(str(tmp_path / "a.csv"))
    assert columns.header is True
    assert len([one for one in caplog.messages if "semicolons" in one]) == 0
    assert columns.read(str(tmp_path / "a.csv")).columns == ["text", "label"]
    (tmp_path / "new.csv").write_text("text;label\nfine;\n")
    assert [block.frame.rows() for block in columns.blocks(str(tmp_path / "new.csv"))] == [[("fine", None)]]


def test_a_number_that_comes_again_in_its_column_is_no_name(tmp_path):
    (tmp_path / "a.csv").write_text("0,5.1,3\n1,4.9,2\n0,4.7,2\n")
    assert Columns(label=0).settled(str(tmp_path / "a.csv")).header is False
    (tmp_path / "b.csv").write_text("0,1,2\n7,4.9,2\n8,4.7,3\n")
    assert Columns(label=0).settled(str(tmp_path / "b.csv")).header is True


def test_excel_is_read_whatever_encoding_text_files_have(tmp_path):
    pytest.importorskip("fastexcel")
    excel(tmp_path / "a.xlsx", [["text", "n"], ["schön", 1], ["€", 2]], "Data")
    assert read_frame(str(tmp_path / "a.xlsx"), "latin-1")["text"].to_list() == ["schön", "€"]
