"""The model card: what the model is, what it was measured to be, and what it can't do, for whoever it is handed to."""

from __future__ import annotations

import re

import pytest
import yaml

from perceptron.models import MLP
from rosenblatt.commands.saving import card
from rosenblatt.data.encoder import PointEncoder
from rosenblatt.saved.model import SavedModel
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.tasks.titles import TITLES
from saved_models import CLASSES, KINDS, OF_CLASSES, points, rows, saved_model, texts

DATA = {
    "train": {"rows": 12_345, "digest": "0123abcd"},
    "val": {"rows": 500, "digest": "4567ef01"},
    "test": {"rows": 600, "digest": "89ab2345"},
}
METRICS = {
    "test/loss": 0.3142, "test/acc": 0.87654, "test/acc_low": 0.851, "test/acc_high": 0.899,
    "test/f1": 0.5, "test/f1_low": 0.4, "test/f1_high": 0.6, "test/auroc": None, "test/precision": 0.0,
    "test/baseline_acc": 0.54321, "val/acc": 0.99999, "val/ap": 0.11111, "threshold": 0.5,
}  # fmt: skip
KEPT = {
    "model._target_": "perceptron.models.MLP", "model.hidden": [5, 4], "seed": 0, "optimizer.lr": 0.001, "task": None,
    "data.train": "naïve: 'reviews'\n```.csv", "data.lowercase": True,
}  # fmt: skip
SETTINGS = KEPT | {
    "trainer.max_epochs": 5, "checkpoint.every_n_steps": None, "data.cache": True, "data.cache_dir": "/x",
    "resume": None,
}  # fmt: skip


def of(saved: SavedModel, metrics: dict | None = None, data: dict | None = None) -> str:
    return card(saved, metrics or METRICS, data or DATA, SETTINGS)


def section(text: str, title: str) -> str:
    return re.split(r"\n## ", text.split(f"## {title}\n")[1])[0]


def table_of(text: str) -> list[list[str]]:
    """The cells of a Markdown table, its head left out, all rows of which must be of one length."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len({len(row) for row in cells}) == 1
    assert set("".join(cells[1])) == {"-"}
    return cells[2:]


@pytest.mark.parametrize("task", OF_CLASSES)
@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_the_model_is_and_knows(kind, task):
    saved = KINDS[kind](task, MLP)
    text = of(saved)
    assert text.startswith("# Model card\n")
    assert text.endswith("\n")
    num_parameters = sum(one.numel() for one in saved.model.parameters())
    assert f"MLP with {num_parameters:,} parameters on {saved.sizes['num_features']:,} features: {task}, " in text
    for name in CLASSES[task]:
        assert repr(name) in text
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Model card", "## Measured on test", "## Data", "## Limits", "## Settings",
    ]  # fmt: skip


def test_figures_are_those_of_the_last_split_with_their_intervals_and_the_majority_class():
    found = table_of(section(of(texts()), "Measured on test"))
    assert [[row[0], row[1], row[3]] for row in found] == [
        ["loss", "0.3142", "-"], ["accuracy", "0.8765", "0.5432"], ["F1", "0.5000", "-"], ["precision", "0.0000", "-"],
    ]  # fmt: skip
    assert [[float(end) for end in row[2].split("-") if end] for row in found] == [[], [0.851, 0.899], [0.4, 0.6], []]
    of_val = of(texts(), {name: value for name, value in METRICS.items() if not name.startswith("test/")})
    assert table_of(section(of_val, "Measured on val")) == [
        ["accuracy", "1.0000", "", "-"], ["avg. precision", "0.1111", "", "-"],
    ]  # fmt: skip


def test_every_figure_that_is_measured_has_its_row():
    metrics = {f"test/{name}": 0.25 for name in TITLES}
    found = table_of(section(of(texts(), metrics), "Measured on test"))
    assert [row[:2] for row in found] == [[title, "0.2500"] for title in TITLES.values()]


def test_the_data_are_named_by_rows_and_digest():
    assert table_of(section(of(points()), "Data")) == [
        ["train", "12,345", "`0123abcd`"], ["val", "500", "`4567ef01`"], ["test", "600", "`89ab2345`"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("saved", "example"),
    [
        (texts(), '["a text", "another one"]'),
        (points(), '{"x1": [3.0], "x2": [2.0]}'),
        (rows(), "frame_with_the_same_columns"),
        (points("regression"), '{"x1": [3.0], "x2": [2.0]}'),
        (saved_model(None, False, "binary", num_features=3), None),
    ],
    ids=["texts", "points", "table", "numbers", "no encoder"],
)
def test_the_program_in_it_runs(saved, example, monkeypatch):
    [program] = re.findall(r"```python\n(.*?)```", of(saved), re.DOTALL)
    assert (f"model.predict({example})" in program) == (example is not None)
    if example != "frame_with_the_same_columns":
        monkeypatch.setattr("rosenblatt.load", lambda folder, classes=(): saved)
        exec(program, {})


def test_a_model_that_is_not_installed_is_imported_and_given(monkeypatch):
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: ())
    text = of(points())
    assert "from perceptron.models import Perceptron\n" in text
    assert 'rosenblatt.load("this folder", classes=[Perceptron])' in text


def test_a_model_of_numbers_says_how_wide_its_intervals_are():
    metrics = {
        "test/rmse": 50.5,
        "test/rmse_low": 45.0,
        "test/rmse_high": 56.0,
        "test/baseline_rmse": 67.0,
        "test/inside": 0.911,
    }
    text = of(points("regression"), metrics)
    assert "on 2 features: regression, mean 1234.5, standard deviation 67.25." in text
    assert "| | | 95 % | mean of train |" in text
    assert any(
        row[1].startswith("50.5") and row[3].startswith("67") for row in table_of(section(text, "Measured on test"))
    )
    assert "- intervals: 90% within ± 90.5; of test 91.1% are" in text
    assert "classes" not in section(text, "Limits")


def test_a_module_without_a_task_has_a_card_too():
    saved = points()
    saved.task, saved.encoder = None, None
    text = of(saved, {"test/loss": 0.5}, {})
    assert "# Model card\n\nPerceptron with 3 parameters on 2 features.\n" in text
    assert table_of(section(text, "Measured on test")) == [["loss", "0.5000", "", "-"]]


def test_settings_are_those_that_make_the_model():
    [block] = re.findall(r"```yaml\n(.*?)```\n", section(of(texts()), "Settings"), re.DOTALL)
    assert yaml.safe_load(block) == KEPT


def limits_of(saved: SavedModel, metrics: dict | None = None, data: dict | None = None) -> str:
    text = section(of(saved, metrics, data), "Limits").strip()
    assert all(line.startswith("- ") for line in text.splitlines())
    return text


def test_limits_are_told_where_they_hold_and_only_there():
    usual = limits_of(points())
    assert "It knows the classes above and no other: every row gets one" in usual
    assert "rows drawn like those of training" in usual
    for word in ("word", "Fewer than ten", "only: look at the intervals", "in train too"):
        assert word not in usual
    assert "It knows the labels above and no other." in limits_of(points("multilabel"))
    assert "every row gets one" not in limits_of(points("multilabel"))
    assert "A word that training never had says nothing" in limits_of(texts())
    assert "test had 399 rows only" in limits_of(points(), data=DATA | {"test": {"rows": 399, "digest": "0"}})
    assert "1,234 rows of test were in train too" in limits_of(points(), METRICS | {"test/repeated": 1234})
    assert "in train too" not in limits_of(points(), METRICS | {"test/repeated": 0, "val/repeated": 5})


def test_classes_with_few_rows_are_named():
    saved = saved_model(PointEncoder(2), False, "multiclass")
    saved.task = Multiclass(("a", "b", "c"), num_rows=19, class_counts=(9, 10, 0))
    assert "Fewer than ten training rows were of 'a', 'c'." in limits_of(saved)


def test_many_classes_are_counted():
    names = tuple(f"class {k}" for k in range(800))
    saved = points("multiclass")
    saved.task = Multiclass(names, num_rows=40_000, class_counts=(50,) * 800)
    assert "800 classes ('class 0', " in of(saved)
    assert "and 788 more" in of(saved)
