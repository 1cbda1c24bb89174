"""``python scripts/predict.py``: files, texts and pipes."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import rosenblatt
from conftest import ROOT, SMALL, Outcome

Program = Callable[..., Outcome]
PREDICT = "scripts/predict.py"


@pytest.fixture
def run(trained: Program, reviews: Path) -> Path:
    """A run on the reviews."""
    return trained("data=text", "data.train=reviews.csv", "trainer.max_epochs=2").run


def piped(run: Path, lines: bytes, *arguments: str) -> tuple[list[str], str]:
    """What a process of its own answers to standard input, and what it tells."""
    done = subprocess.run(
        [sys.executable, str(ROOT / PREDICT), f"run='{run}'", "input=-", *arguments], input=lines, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().split("\n")[:-1], done.stderr.decode()


FORMATS = {
    "csv": lambda frame: frame.write_csv().encode(),
    "tsv": lambda frame: frame.write_csv(separator="\t").encode(),
    "jsonl": lambda frame: frame.write_ndjson().encode(),
    "csv.gz": lambda frame: gzip.compress(frame.write_csv().encode()),
    "txt": lambda frame: "".join(f"{text}\n" for text in frame["text"]).encode(),
}


OUTPUTS = ["csv", "tsv", "jsonl", "parquet", "csv.gz"]


@pytest.mark.parametrize(
    ("suffix", "output"), [*zip([*FORMATS, "parquet"], [*OUTPUTS, "csv"], strict=True), ("parquet", "jsonl")]
)
def test_every_row_of_every_format_gets_the_prediction_of_the_model(
    suffix: str, output: str, run: Path, program: Program, tmp_path: Path
) -> None:
    texts = ["great lovely food", "awful cold staff", "", 'naïve, "quoted" place', "delicious 🙂"]
    frame = pl.DataFrame({"number": range(5), "text": texts})
    path = tmp_path / f"new.{suffix}"
    if suffix == "parquet":
        frame.write_parquet(path)
    else:
        path.write_bytes(FORMATS[suffix](frame))
    done = program(PREDICT, "run=run", f"input=new.{suffix}", f"output=predicted.{output}")
    assert done.status == 0, done.err
    assert done.out == ""
    path = tmp_path / f"predicted.{output}"
    content = gzip.decompress(path.read_bytes()) if output.endswith("gz") else path.read_bytes()
    readers = {"csv": pl.read_csv, "tsv": lambda one: pl.read_csv(one, separator="\t"), "jsonl": pl.read_ndjson}
    readers["parquet"] = pl.read_parquet
    found = readers[output.removesuffix(".gz")](io.BytesIO(content))
    assert found.columns == (["text"] if suffix == "txt" else ["number", "text"]) + ["prediction", "probability"]
    model = rosenblatt.load(run)
    assert found["prediction"].to_list() == model.predict(texts).tolist()
    assert found["probability"].to_numpy() == pytest.approx(model.predict_proba(texts).max(axis=1), abs=1e-6)
    assert found["text"].fill_null("").to_list() == texts


def test_rows_that_cannot_be_read_keep_their_place_and_are_counted(run: Path, program: Program, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_bytes(b"number,text\n1,great\n2,too,many,cells\n3,awful\n4,bad \xff byte\n5,lovely\n")
    done = program(PREDICT, "run=run", "input=new.csv", "output=predicted.csv")
    assert done.status == 0, done.err
    assert "2 of 5 rows could not be read" in done.err
    found = pl.read_csv(tmp_path / "predicted.csv")
    assert found["number"].to_list() == [1, 2, 3, 4, 5]
    assert found["prediction"].is_null().to_list() == [False, True, False, True, False]
    assert found["probability"].is_null().to_list() == [False, True, False, True, False]


def test_a_file_without_any_row_that_can_be_read_is_a_failure(run: Path, program: Program, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("number,text\n1,a,b\n2,c,d\n")
    done = program(PREDICT, "run=run", "input=new.csv", "output=predicted.csv")
    assert done.status == 1
    assert "None of the rows could be read" in done.err
    assert pl.read_csv(tmp_path / "predicted.csv")["number"].to_list() == [1, 2]


def test_points_that_are_no_numbers_get_no_prediction(trained: Program, program: Program, tmp_path: Path) -> None:
    trained(*SMALL)
    (tmp_path / "new.csv").write_text("x1,x2,name\n3,2,a\nmany,2,b\n,1,c\n3,-2,d\n")
    done = program(PREDICT, "run=run", "input=new.csv", "output=predicted.csv", "probabilities=true")
    assert "2 of 4 rows" in done.err
    found = pl.read_csv(tmp_path / "predicted.csv")
    assert found.columns == ["x1", "x2", "name", "prediction", "probability", "probability of 0", "probability of 1"]
    assert found["prediction"].is_null().to_list() == [False, True, True, False]
    total = found["probability of 0"] + found["probability of 1"]
    assert total.drop_nulls().to_numpy() == pytest.approx(1)


def test_a_text_is_answered_with_reasons(run: Path, program: Program) -> None:
    done = program(PREDICT, "run=run", "text='lovely, delicious'", "explain=2", "probabilities=true")
    lines = dict(line.split(": ", 1) for line in done.out.splitlines())
    assert lines["prediction"] == "positive"
    assert float(lines["probability of positive"]) == float(lines["probability"]) > 0.5
    assert lines["reasons"].count("; ") == 1
    assert "lovely" in lines["reasons"]
    one = program(PREDICT, "run=run", "text=['awful','lovely','great']")
    assert [line for line in one.out.splitlines() if "prediction" in line] == ["prediction: positive"]


def test_a_pipe_gives_a_line_for_each_line(run: Path) -> None:
    texts = ["lovely food", "awful food", "", "cold and rude", "great"] * 50
    out, err = piped(run, ("\r\n".join(texts)).encode())
    model = rosenblatt.load(run)
    assert [line.split("\t")[0] for line in out] == model.predict(texts).tolist()
    probs = np.array([float(line.split("\t")[1]) for line in out])
    assert probs == pytest.approx(model.predict_proba(texts).max(axis=1), abs=1e-4)
    assert err == ""
    out, err = piped(run, b"lovely\nbad \xff byte\nawful\n", "probabilities=true")
    assert [line.count("\t") for line in out] == [3, 3, 3]
    assert out[1] == "\t\t\t"
    assert "1 of 3 rows could not be read" in err
    assert piped(run, b"") == ([], "")


def test_a_pipe_is_answered_line_by_line(run: Path) -> None:
    command = [sys.executable, str(ROOT / PREDICT), f"run={run}", "input=-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for text, label in (("lovely", "positive"), ("awful", "negative")):
            process.stdin.write(f"{text}\n")
            process.stdin.flush()
            assert process.stdout.readline().startswith(label)  # before the next line is there
        process.stdin.close()
        assert process.wait(timeout=60) == 0


@pytest.mark.skipif(os.name == "nt", reason="needs a shell with pipes")
def test_a_pipe_that_is_closed_is_no_traceback(run: Path) -> None:
    script = f"yes lovely | {sys.executable} {ROOT / PREDICT} run={run} input=- | head -n 1"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("positive")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), 'expected input=FILE, input=- (standard input), text="..." or split=test, one of them.'),
        (("input=a.csv", "text=x"), "expected input=FILE"),
        (("input=none.csv",), "none.csv: no such file"),
        (("input=reviews.csv", "output=x.docx"), "x.docx"),
        (("input=reviews.csv", "output=no/such/place.csv"), "no/such"),
        (("input=reviews.csv", "output=taken.csv"), "overwrite=true"),
        (("input=reviews.csv", "output=reviews.csv", "overwrite=true"), "this is the input itself"),
        (("input=wrong.csv", "output=x.csv"), "error: text_column=text: no such column in wrong.csv"),
        (("input=reviews.csv", "encoding=utf-9"), "error: encoding=utf-9"),
        (("input=twice.csv", "output=x.csv"), "it has a column 'prediction' already"),
        (("text=x", "explain=often"), "explain: expected true or false or a whole number of at least 0; got 'often'"),
        (("text=x", "probabilites=true"), "Did you mean 'probabilities'?"),
        (("input=empty.csv",), "empty.csv: the file is empty"),
    ],
)
def test_what_is_wrong_is_told_in_one_message(
    arguments: tuple[str, ...], message: str, run: Path, program: Program, tmp_path: Path
) -> None:
    (tmp_path / "taken.csv").write_text("mine")
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n")
    (tmp_path / "twice.csv").write_text("text,prediction\nx,y\n")
    (tmp_path / "empty.csv").write_text("")
    before = {path: path.read_bytes() for path in tmp_path.glob("*.csv")}
    done = program(PREDICT, "run=run", *arguments)
    assert done.status == 1
    assert message.lower() in done.err.lower()
    assert "Traceback" not in done.err
    assert {path: path.read_bytes() for path in tmp_path.glob("*.csv")} == before  # nothing lost, nothing half done
    assert not list(tmp_path.glob(".*"))


def test_a_split_of_the_run_is_predicted_row_by_row(run: Path, program: Program, tmp_path: Path) -> None:
    model = rosenblatt.load(run)
    for split, rows in (("test", 12), ("val", 12)):  # beside the model, and built anew
        done = program(PREDICT, "run=run", f"split={split}", f"output={split}.parquet", "probabilities=true")
        assert done.status == 0, done.err
        found = pl.read_parquet(tmp_path / f"{split}.parquet")
        assert found.height == pytest.approx(rows, abs=3)
        if split == "test":
            assert found["prediction"].to_list() == model.predict(found).tolist()
            assert found.columns[-4:] == ["prediction", "probability", *(f"probability of {k}" for k in model.classes)]
        else:
            assert found.columns == ["prediction", "probability", *(f"probability of {k}" for k in model.classes)]


def test_numbers_are_predicted_with_low_and_high_and_with_reasons_in_their_units(
    train: Program, program: Program, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    area = rng.uniform(30, 200, 400)
    frame = pl.DataFrame({"area": area.round(1), "price": (1000 * area + rng.normal(0, 8000, 400)).round(2)})
    frame.write_csv("houses.csv")
    train("data=table", "data.train=houses.csv", "data.label_column=price", "trainer.max_epochs=20", "lr=0.05")
    pl.DataFrame({"area": ["50.0", "150.0"]}).write_csv("new.csv")
    done = program(PREDICT, "run=run", "input=new.csv", "output=rows.csv", "explain=1")
    assert done.status == 0, done.err
    rows, model = pl.read_csv("rows.csv"), rosenblatt.load("run")
    assert rows.columns == ["area", "prediction", "low", "high", "reasons"]
    assert rows["prediction"].to_numpy() == pytest.approx(model.predict(rows), rel=1e-5)
    assert rows["prediction"].to_numpy() == pytest.approx([50_000, 150_000], rel=0.3)
    [[(name, part)], _] = model.explain(rows, num=1)
    assert name == "area = 50.0"
    assert part == pytest.approx(rows["prediction"][0] - frame["price"].mean(), abs=30_000)
    refused = program(PREDICT, "run=run", "input=new.csv", "probabilities=true")
    assert (refused.status, "predicts numbers" in refused.err) == (1, True)


def test_neither_lightning_nor_torchmetrics_is_imported_to_predict(run: Path) -> None:
    program = (
        f"import runpy, sys; sys.argv = ['predict.py', 'run={run}', 'text=lovely']; "
        f"runpy.run_path({str(ROOT / PREDICT)!r}, run_name='__main__'); "
        "slow = {'lightning', 'torchmetrics', 'matplotlib', 'optuna', 'rosenblatt.cli.build'}; "
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
