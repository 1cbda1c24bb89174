"""``python scripts/evaluate.py``: the same figures as training, from the run folder alone."""

from __future__ import annotations

import csv
import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn import metrics as reference

import rosenblatt
from conftest import SMALL, Outcome
from saved_models import as_format_1

Program = Callable[..., Outcome]
EVALUATE = "scripts/evaluate.py"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **keywords: object) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket, "socket", refuse)


def evaluation(run: Path) -> dict:
    return json.loads((run / "evaluation.json").read_text())


def tags(path: Path) -> Path:
    """A file of rows with several labels, or none."""
    rng = np.random.default_rng(0)
    words = ["sweet", "sour", "salt", "bitter"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for _ in range(200):
            chosen = [word for word in words if rng.random() < 0.4]
            writer.writerow([" ".join([*chosen, "and", "more"]), ",".join(chosen)])
    return path


def houses(path: Path) -> Path:
    """A file of numbers to predict."""
    rng = np.random.default_rng(2)
    area, rooms = rng.uniform(30, 200, 400), rng.integers(1, 6, 400)
    price = 1000 * area + 5000 * rooms + rng.normal(0, 8000, 400)
    pl.DataFrame({"area": area.round(1), "rooms": rooms, "price": price.round(2)}).write_csv(path)
    return path


def table(path: Path) -> Path:
    rng = np.random.default_rng(1)
    rows = [(f"{rng.normal(2 * (i % 3)):.2f}", rng.choice(["a", "b", ""]), f"class {i % 3}") for i in range(300)]
    pl.DataFrame(rows, schema=["x", "kind", "label"], orient="row").write_csv(path)
    return path


KINDS = {
    "toy": SMALL,
    "mlp": (*SMALL, "data=xor", "model=mlp", "model.dropout=0.3", "loss.label_smoothing=0.1"),
    "texts": ("data=text", "data.train=reviews.csv", "trainer.max_epochs=2", "threshold=f1", "calibration=temperature"),
    "several labels": (
        "data=text", "data.train=tags.csv", "data.label_separator=','", "trainer.max_epochs=2", "threshold=f1",
    ),
    "table": ("data=table", "data.train=table.csv", "trainer.max_epochs=2", "loss.class_weights=balanced"),
    "numbers": ("data=table", "data.train=houses.csv", "data.label_column=price", "trainer.max_epochs=3", "lr=0.05"),
    "numbers by another loss": (
        "data=table", "data.train=houses.csv", "data.label_column=price", "trainer.max_epochs=2", "loss=huber",
        "model=mlp",
    ),
    "no test split": ("data=text", "data.train=reviews.csv", "data.fractions=[0.8,0.2,0]", "trainer.max_epochs=2"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_moved_gives_training_s_own_figures_to_the_last_digit(
    kind: str, trained: Program, program: Program, reviews: Path, tmp_path: Path, no_network: None
) -> None:
    files = [reviews, tags(tmp_path / "tags.csv"), table(tmp_path / "table.csv"), houses(tmp_path / "houses.csv")]
    done = trained(*KINDS[kind])
    expected = done.metrics
    moved = tmp_path / "another place" / "run, moved"
    moved.parent.mkdir()
    shutil.move(done.run, moved)
    for path in [*files, moved / "config.yaml", moved / "overrides.yaml", moved / "checkpoints", moved / "tensorboard"]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(tmp_path / "logs", ignore_errors=True)
    found = program(EVALUATE, f"run='{moved}'")
    assert found.status == 0, found.err
    split = "val" if kind == "no test split" else "test"
    figures = {
        name: value for name, value in expected.items() if name.startswith(f"{split}/") and "repeated" not in name
    }
    assert len(figures) >= 15
    assert {name: evaluation(moved).get(name) for name in figures} == figures


def test_confusions_classes_and_mistakes_are_those_of_the_predictions(
    train: Program, program: Program, tmp_path: Path
) -> None:
    table(tmp_path / "table.csv")
    run = train("data=table", "data.train=table.csv", "trainer.max_epochs=3").run
    done = program(EVALUATE, "run=run", "mistakes=1000")
    frame = pl.read_parquet(run / "test.parquet")
    model = rosenblatt.load(run)
    preds, probs, true = model.predict(frame), model.predict_proba(frame), frame["label"].to_list()
    found = evaluation(run)
    assert found["confusion"] == reference.confusion_matrix(true, preds, labels=model.classes).tolist()
    wanted = reference.precision_recall_fscore_support(true, preds, labels=model.classes, zero_division=0)
    for name, values in zip(("precision", "recall", "f1"), wanted, strict=False):
        assert found["per_class"][name] == pytest.approx(values.tolist(), abs=1e-6)
    assert found["rows_of_class"] == wanted[3].tolist()
    wrong = [i for i, (one, other) in enumerate(zip(true, preds, strict=True)) if one != other]
    assert sorted(one["row"] - 1 for one in found["mistakes"]) == wrong
    confidences = [one["probability"] for one in found["mistakes"]]
    assert confidences == sorted(confidences, reverse=True)
    for one in found["mistakes"]:
        row = one["row"] - 1
        assert (one["true"], one["prediction"]) == (true[row], preds[row])
        assert one["probability"] == pytest.approx(probs[row].max())
        assert f"x={frame['x'][row]}" in one["content"]
    assert "Confusions" in done.out
    assert "Classes" in done.out
    assert "Most confident mistakes" in done.out


def test_another_file_may_name_its_columns_otherwise(
    trained: Program, program: Program, reviews: Path, tmp_path: Path
) -> None:
    trained("data=text", "data.train=reviews.csv", "trainer.max_epochs=2")
    (tmp_path / "others.jsonl").write_text(
        '{"review": "great lovely", "stars": "positive"}\n{"review": "rude awful", "stars": "negative"}\n'
    )
    settings = ("data.test=others.jsonl", "data.text_column=review", "data.label_column=stars")
    done = program(EVALUATE, "run=run", *settings, "output=mine.json")
    assert done.status == 0, done.err
    assert json.loads((tmp_path / "mine.json").read_text())["rows"] == 2
    assert not (tmp_path / "run" / "evaluation.json").exists()
    unknown = program(EVALUATE, "run=run", "data.test=others.jsonl")
    assert unknown.status == 1
    assert "label" in unknown.err
    assert "review" in unknown.err


def test_a_label_that_the_model_does_not_know_is_named(
    trained: Program, program: Program, reviews: Path, tmp_path: Path
) -> None:
    trained("data=text", "data.train=reviews.csv", "trainer.max_epochs=2")
    (tmp_path / "others.csv").write_text("text,label\ngreat,positive\nwell,so-so\n")
    done = program(EVALUATE, "run=run", "data.test=others.csv")
    assert done.status == 1
    assert "'so-so'" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run=nothing"], "run=nothing: expected the folder of a run"),
        ([], "run is not set"),
        (["run=run", "mistakes=many"], "mistakes: expected a whole number of at least 0; got 'many'"),
        (["run=run", "mistakes=-1"], "mistakes: expected a whole number of at least 0; got -1"),
        (["run=run", "data.tset=x.csv"], "Did you mean 'data.test'?"),
        (["run=run", "data.test=none.csv"], "none.csv: no such file"),
        (["run=run", "accelerator=quantum"], "accelerator: expected one of 'auto', 'cpu'"),
        (["run=run", "accelerator=tpu"], "Try auto"),
        (["run=run", "threads=0"], "threads: expected null or a whole number of at least 1"),
        (["run=run", "output=no/such/place.json"], "no/such/place.json: it can't be written"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_message(
    arguments: list[str], message: str, trained: Program, program: Program
) -> None:
    trained(*SMALL)
    done = program(EVALUATE, *arguments)
    assert done.status == 1
    assert message in done.err
    assert "Traceback" not in done.err


def test_without_rows_of_its_own_the_data_are_built_anew_or_a_file_is_asked_for(
    trained: Program, program: Program
) -> None:
    done = trained(*SMALL)
    (done.run / "test.parquet").unlink()
    assert program(EVALUATE, "run=run").status == 0
    figures = {name: value for name, value in done.metrics.items() if name.startswith("test/")}
    assert {name: evaluation(done.run).get(name) for name in figures} == figures
    (done.run / "overrides.yaml").unlink()
    refused = program(EVALUATE, "run=run")
    assert refused.status == 1
    assert "data.test=FILE" in refused.err


def test_of_numbers_the_rows_that_are_farthest_off_are_shown(
    trained: Program, program: Program, tmp_path: Path
) -> None:
    houses(tmp_path / "houses.csv")
    run = trained(*KINDS["numbers"]).run
    done = program(EVALUATE, "run=run", "mistakes=5")
    frame, model, found = pl.read_parquet(run / "test.parquet"), rosenblatt.load(run), evaluation(run)
    preds, interval, true = model.predict(frame), model.predict_interval(frame), frame["price"].cast(float).to_numpy()
    errors = np.abs(preds - true)
    assert [one["row"] - 1 for one in found["mistakes"]] == np.argsort(-errors)[:5].tolist()
    for one in found["mistakes"]:
        row = one["row"] - 1
        assert (one["true"], one["prediction"], one["low"]) == pytest.approx((true[row], preds[row], interval[row, 0]))
        assert f"area={frame['area'][row]}" in one["content"]
    assert found["test/rmse"] == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-6)
    assert found["test/mae"] == pytest.approx(errors.mean(), rel=1e-6)
    assert found["test/r2"] == pytest.approx(reference.r2_score(true, preds), abs=1e-6)
    inside = ((interval[:, 0] <= true) & (true <= interval[:, 1])).mean()
    assert found["test/inside"] == pytest.approx(inside)
    assert "Farthest off" in done.out
    assert "Confusions" not in done.out
    (tmp_path / "more.csv").write_text("area,rooms,price\n100,3,115000\n50,2,60000\n")
    other = program(EVALUATE, "run=run", "data.test=more.csv")
    assert other.status == 0, other.err
    assert json.loads((run / "evaluation-more.json").read_text())["rows"] == 2
    (tmp_path / "more.csv").write_text("area,rooms,price\n100,3,115000\n50,2,much\n50,2,60000\nall,5,\n60,2,70000\n")
    other = program(EVALUATE, "run=run", "data.test=more.csv")
    assert (other.status, "data.broken_rows=skip" in other.err, "Traceback" in other.err) == (1, True, False)
    other = program(EVALUATE, "run=run", "data.test=more.csv", "data.broken_rows=skip")
    assert other.status == 0, other.err
    assert "more.csv: 2 of 5 rows have no number for a label, and are left out." in other.err
    assert json.loads((run / "evaluation-more.json").read_text())["rows"] == 3


def test_a_run_of_the_format_before_evaluates_and_predicts(
    trained: Program, program: Program, reviews: Path, tmp_path: Path
) -> None:
    done = trained(*KINDS["texts"])
    saved = rosenblatt.load(done.run)
    shutil.rmtree(done.run / "model")
    as_format_1(saved, done.run / "model")
    assert program(EVALUATE, "run=run").status == 0
    figures = {name: value for name, value in done.metrics.items() if name.startswith("test/")}
    assert {name: evaluation(done.run).get(name) for name in figures if "repeated" not in name} == {
        name: value for name, value in figures.items() if "repeated" not in name
    }
    predicted = program("scripts/predict.py", "run=run", "input=reviews.csv", "output=rows.csv")
    assert predicted.status == 0, predicted.err
    rows = pl.read_csv(tmp_path / "rows.csv")
    assert rows["prediction"].to_list() == saved.predict(rows["text"].to_list()).tolist()


def test_labels_in_columns_are_measured_and_predicted_as_those_in_one(train, program, tmp_path):
    one = pl.read_csv(tags(tmp_path / "one.csv"))
    names = ["sweet", "sour", "salt", "bitter"]
    of_row = one["label"].fill_null("").str.split(",")
    one.select("text", *(of_row.list.contains(name).cast(int).alias(name) for name in names)).write_csv("many.csv")
    several = "data.label_column=[sweet,sour,salt,bitter]"
    settings = ["data=text", "data.cache=null", "trainer.max_epochs=3"]
    for words in (["data.train=one.csv", "data.label_separator=','"], ["data.train=many.csv", several]):
        done = train(*settings, *words, run=words[0][11:-4])
        assert done.status == 0, done.err
    for name in ("one", "many"):
        done = program(EVALUATE, f"run={name}", f"data.test={name}.csv", f"output={name}.json")
        assert done.status == 0, done.err
    files = (f"{name}{end}" for end in ("/metrics.json", ".json") for name in ("one", "many"))
    figures = [{key: one for key, one in json.loads(Path(name).read_text()).items() if "/" in key} for name in files]
    assert figures[0] == figures[1]
    assert figures[2] == figures[3]
    assert program("scripts/predict.py", "run=many", "input=many.csv", "output=p.jsonl").status == 0
    predicted = pl.read_ndjson("p.jsonl")
    rows = predicted.with_columns(true=pl.concat_list(pl.when(pl.col(one) == "1").then(pl.lit(one)) for one in names))
    right = rows.select(pl.col("true").list.drop_nulls().list.sort() == pl.col("prediction").list.sort()).to_series()
    assert right.mean() == pytest.approx(json.loads(Path("many.json").read_text())["test/acc"])
    assert right.mean() > 0.9
    pl.read_csv("many.csv").drop("salt").write_csv("less.csv")
    done = program(EVALUATE, "run=many", "data.test=less.csv")
    assert (done.status, "data.label_column=salt: no such column in less.csv" in done.err) == (1, True)
