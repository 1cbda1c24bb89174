"""Every way in which data can't be used, and what the message must contain: what was expected, what came, where."""

import json

import pytest

from rosenblatt.errors import UserError
from rosenblatt.table.data import TableData
from rosenblatt.text.data import TextData

GOOD = "text,label\n" + "good film,pos\nbad film,neg\n" * 10
TABLE = "x,kind,label\n" + "1,a,yes\n2,b,no\n" * 10
NO_TEXT = "text,label\n" + ",pos\n  ,neg\n" * 10
THREE = {"train": "a.csv", "val": "a.csv", "test": "b.csv"}

# kind, content of each file, options, parts of the message
CASES = {
    "a misspelt file": (
        TextData, {"a.csv": GOOD}, {"train": "b.csv"}, ["b.csv", "no such file", "Did you mean 'a.csv'?"],
    ),
    "a missing test file": (TextData, {"a.csv": GOOD}, {**THREE, "test": "t.csv"}, ["t.csv", "no such file"]),
    "no label column": (
        TextData, {"a.csv": GOOD}, {"label_column": "labels"},
        ["data.label_column=labels", "a.csv", "'text', 'label'", "Did you mean 'label'?"],
    ),
    "no text column": (
        TextData, {"a.csv": GOOD}, {"text_column": ["text", "title"]},
        ["data.text_column=title", "no such column", "a.csv", "'text', 'label'"],
    ),
    "no column of that number": (
        TextData, {"a.csv": GOOD}, {"text_column": 0, "label_column": 2}, ["data.label_column=2", "columns 0 to 1"],
    ),
    "no text column in the test file": (
        TextData, {"a.csv": GOOD, "b.csv": "body,label\na,pos\n"}, THREE,
        ["data.text_column=text", "b.csv", "'body', 'label'"],
    ),
    "no label column in the test file": (
        TextData, {"a.csv": GOOD, "b.csv": "text,stars\na,pos\n"}, THREE,
        ["data.label_column=label", "b.csv", "'text', 'stars'"],
    ),
    "one class": (
        TextData, {"a.csv": "text,label\n" + "good,pos\n" * 20}, {},
        ["at least two classes", "'pos'", "data.label_column"],
    ),
    "as many classes as rows": (
        TextData, {"a.csv": "text,label\n" + "".join(f"good,name {i}\n" for i in range(50))}, {},
        ["50 classes in 50 training rows", "data.label_column", "data.label_separator"],
    ),
    "a word among numbers to predict": (
        TableData, {"a.csv": "x,label\n" + "".join(f"{i},{i if i != 7 else 'seven'}.5\n" for i in range(50))}, {},
        ["a.csv, column 'label'", "expected a number", "1 of 50", "row 8 has 'seven.5'", "task=multiclass"],
    ),
    "an infinite number to predict": (
        TextData, {"a.csv": "text,label\n" + "".join(f"film {i},{i}.5\n" for i in range(50)) + "good,1e999\n"}, {},
        ["a.csv, column 'label'", "expected a number", "1 of 51", "row 51 has '1e999'"],
    ),
    "a word in the test file where numbers are predicted": (
        TableData, {"a.csv": "x,label\n" + "".join(f"{i},{i}.5\n" for i in range(50)), "b.csv": "x,label\n1,dear\n"},
        THREE, ["test", "expected a number", "row 1 has 'dear'"],
    ),
    "numbers to predict that are all the same": (
        TableData, {"a.csv": "x,label\n" + "1,4.5\n" * 20}, {"task": "regression"},
        ["numbers that differ", "all 16 are 4.5", "data.label_column"],
    ),
    "more classes than rows": (
        TextData, {"a.csv": 'text,label\ngood,"a,b,c"\nbad,d\n'},
        {**THREE, "test": "a.csv", "label_separator": ","},
        ["4 classes in 2 training rows"],
    ),
    "a label that only the test file has": (
        TextData, {"a.csv": GOOD, "b.csv": "text,label\na,pos\nb,mixed\n"}, THREE,
        ["test", "1 rows", "'mixed'", "row 2", "Known labels: 'neg', 'pos'"],
    ),
    "a label that only test rows have": (
        TextData, {"a.csv": "text,label,split\na,x,train\nb,y,train\na,x,train\na,x,dev\nc,z,test\n"}, {},
        ["test", "'z'", "Known labels: 'x', 'y'"],
    ),
    "a row without a label": (
        TextData, {"a.csv": GOOD + "a,\nb,pos\nc,\n"}, {},
        ["a.csv", "column 'label'", "2 of 23 rows", "no label", "row 21"],
    ),
    "a row without a label in a split": (
        TextData, {"a.csv": "text,label,split\na,x,train\nb,y,test\nc,,test\nd,y,train\n"}, {},
        ["a.csv", "1 of 4 rows", "first in row 3"],
    ),
    "a row without a label in the test file": (
        TextData, {"a.csv": GOOD, "b.csv": "text,label\na,pos\nb,\n"}, THREE, ["b.csv", "no label", "row 2"],
    ),
    "several labels in the test file alone": (
        TextData, {"a.txt": "__label__x a\n__label__y b\n__label__y c\n", "b.txt": "__label__x __label__y a\n"},
        {"train": "a.txt", "val": "a.txt", "test": "b.txt"},
        ["test", "one label a row", "row 1 has 2", "task=multilabel"],
    ),
    "labels that are objects": (
        TextData, {"a.jsonl": json.dumps({"text": "a", "label": {"x": 1}})}, {"train": "a.jsonl"},
        ["a.jsonl", "column 'label'", "expected words or numbers", "Struct"],
    ),
    "texts that are lists": (
        TextData, {"a.jsonl": "".join(json.dumps({"text": ["a"], "label": i % 2}) + "\n" for i in range(20))},
        {"train": "a.jsonl"}, ["a.jsonl", "expected words or numbers", "column 'text'", "List(String)"],
    ),
    "texts that are all empty": (
        TextData, {"a.csv": NO_TEXT}, {}, ["training texts are empty", "data.text_column"],
    ),
    "words that are all rare": (
        TextData, {"a.csv": GOOD}, {"min_count": 100}, ["vocabulary is empty", "occurs 100 times", "data.min_count=1"],
    ),
    "an unknown split": (
        TextData, {"a.csv": "text,label,split\na,x,train\nb,y,tset\n"}, {},
        ["a.csv", "column 'split'", "'train'", "'tset'", "data.split_column=null"],
    ),
    "no training rows": (
        TextData, {"a.csv": "text,label,split\na,x,test\nb,y,val\n"}, {}, ["a.csv", "'split'", "'train'"],
    ),
    "too few rows for a split": (
        TextData, {"a.csv": "text,label\na,x\nb,y\nc,x\n"}, {"fractions": [0.98, 0.01, 0.01]},
        ["No row is left for", "[0.98, 0.01, 0.01] of 3 rows"],
    ),
    "fractions that sum to more": (
        TextData, {"a.csv": GOOD}, {"fractions": [0.8, 0.2, 0.2]}, ["data.fractions", "sum to 1", "sum to 1.2"],
    ),
    "an unknown weighting": (
        TextData, {"a.csv": GOOD}, {"weighting": "idf"}, ["data.weighting", "'tfidf'", "got 'idf'"],
    ),
    "an unknown task": (
        TextData, {"a.csv": GOOD}, {"task": "multi"}, ["task: expected one of", "'multiclass'", "got 'multi'"],
    ),
    "a task that does not fit": (
        TableData, {"a.csv": "x,label\n" + "1,a\n2,b\n3,c\n" * 9}, {"task": "binary"},
        ["task=binary", "two classes", "got 3"],
    ),
    "a batch size of nothing": (
        TextData, {"a.csv": GOOD}, {"batch_size": 0}, ["data.batch_size", "at least 1", "got 0"],
    ),
    "a split column that is not there": (
        TableData, {"a.csv": TABLE}, {"split_column": "kinds"}, ["data.split_column=kinds", "Did you mean 'kind'?"],
    ),
    "no column to ignore": (
        TableData, {"a.csv": TABLE}, {"ignore": ["king"]}, ["data.ignore=king", "a.csv", "Did you mean 'kind'?"],
    ),
    "no column to take as categories": (
        TableData, {"a.csv": TABLE}, {"categorical": ["y"]}, ["data.categorical", "'y'", "There are 'x', 'kind'"],
    ),
    "a label and nothing else": (
        TableData, {"a.csv": "label\n" + "yes\nno\n" * 10}, {}, ["a.csv", "no column beside the label"],
    ),
    "a test table without a column": (
        TableData, {"a.csv": TABLE, "b.csv": "x,label\n1,yes\n"}, THREE,
        ["test", "no column 'kind'", "training had", "There are 'x'"],
    ),
    "a table of nothing": (
        TableData, {"a.csv": "x,y,label\n" + ",?,yes\nNA,,no\n" * 10}, {}, ["no column to learn from", "all are empty"],
    ),
    "a broken row": (
        TableData, {"a.csv": TABLE + "1,a\n"}, {}, ["a.csv", "row 21 (line 22)", "has 2 cells", "has 3"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told_with_what_was_expected_and_where(tmp_path, case):
    kind, files, options, parts = CASES[case]
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    paths = {key: str(tmp_path / options.get(key, "a.csv")) for key in ("train", "val", "test") if key in options}
    with pytest.raises(UserError) as error:
        kind(**{"train": str(tmp_path / "a.csv"), **options, **paths}).setup("fit")
    for part in parts:
        assert part in str(error.value)
