"""Tables on the terminal."""

from __future__ import annotations

import re

import pytest

from rosenblatt.data.features import SPLITS
from rosenblatt.show.tables import as_text, mistake_table, summary
from rosenblatt.tasks.titles import TITLES

NUM_ROWS = {"train": 123_456_789, "val": 8_400, "test": 1}
WITHOUT = ("loss", "ece")  # the others have an interval


def metrics_of(splits: tuple[str, ...] = SPLITS, names: tuple[str, ...] = tuple(TITLES)) -> dict[str, float]:
    """Values that all differ in the four digits that are shown."""
    keys = [f"{split}/{name}" for split in splits for name in names]
    keys += [f"{splits[-1]}/baseline_{name}" for name in names]
    keys += [f"{splits[-1]}/{name}_{end}" for name in names if name not in WITHOUT for end in ("low", "high")]
    return {key: (i + 1) * 0.0123 for i, key in enumerate(keys)}


def interval_of(metrics: dict[str, float], key: str) -> list[str]:
    """The cell of an interval, or none."""
    return [f"{metrics[f'{key}_low']:.4f}-{metrics[f'{key}_high']:.4f}"] if f"{key}_low" in metrics else []


def rows_of(text: str) -> dict[str, list[str]]:
    """Titles and the cells beside them."""
    cells = [re.split(r" {2,}", line.strip()) for line in text.splitlines()]
    return {first: rest for first, *rest in cells}


def test_at_80_columns_every_value_is_in_its_place():
    metrics = metrics_of()
    text = as_text(summary(metrics, NUM_ROWS, [("next", "tensorboard --logdir logs")]), width=80)
    assert max(map(len, text.splitlines())) <= 80
    rows = rows_of(text)
    for name, title in TITLES.items():
        figures = [f"{metrics[f'{split}/{name}']:.4f}" for split in SPLITS]
        baseline = f"{metrics[f'test/baseline_{name}']:.4f}"
        assert rows[title] == [*figures, *interval_of(metrics, f"test/{name}"), baseline]
    assert rows["rows"] == ["123,456,789", "8,400", "1", "on test"]
    assert rows["train"] == ["validation", "test", "95 %", "majority"]
    assert rows["next"] == ["tensorboard --logdir logs"]


@pytest.mark.parametrize("splits", [("train",), ("train", "val"), ("train", "test"), ("val", "test")])
def test_only_the_splits_that_were_evaluated_have_a_column(splits):
    metrics = metrics_of(splits)
    rows = rows_of(as_text(summary(metrics, NUM_ROWS, []), width=80))
    assert rows["loss"] == [f"{metrics[key]:.4f}" for key in metrics if key.endswith("loss")]
    assert rows["rows"][-1] == f"on {splits[-1]}"


def test_only_the_metrics_of_the_task_have_a_row():
    rows = rows_of(as_text(summary(metrics_of(names=("loss", "acc", "f1")), NUM_ROWS, []), width=80))
    assert {"loss", "accuracy", "F1"} == rows.keys() & set(TITLES.values())


@pytest.mark.parametrize("value", [123456.7891, 1.2345e9, 3.4e38])
def test_a_loss_however_large_stays_readable(value):
    metrics = metrics_of() | {f"{split}/loss": value for split in SPLITS} | {"test/baseline_loss": value}
    text = as_text(summary(metrics, NUM_ROWS, []), width=80)
    assert max(map(len, text.splitlines())) <= 80
    rows = rows_of(text)
    assert [float(cell) for cell in rows["loss"]] == pytest.approx([value] * 4, rel=1e-3)
    assert rows["avg. precision"][3:4] == interval_of(metrics, "test/ap")
    assert "…" not in text


def test_a_metric_that_is_undefined_is_shown_as_such():
    rows = rows_of(as_text(summary(metrics_of() | {"val/auroc": float("nan")}, NUM_ROWS, []), width=80))
    assert rows["AUROC"][1] == "nan"


def test_a_metric_that_was_left_out_of_a_split_leaves_its_place_empty():
    metrics = metrics_of()
    del metrics["train/auroc"], metrics["test/baseline_auroc"]
    row = rows_of(as_text(summary(metrics, NUM_ROWS, []), width=80))["AUROC"]
    figures = [f"{metrics[f'{split}/auroc']:.4f}" for split in ("val", "test")]
    assert row == ["-", *figures, *interval_of(metrics, "test/auroc"), "-"]


def test_a_long_note_is_folded_and_not_cut():
    folder = "/home/somebody/" + "a-very-long-folder/" * 10
    text = as_text(summary(metrics_of(), NUM_ROWS, [("run folder", folder), ("", "python train.py --help")]), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert folder in re.sub(r"\s+", "", text)
    assert "python train.py --help" in text


def test_square_brackets_in_a_note_are_no_markup():
    text = as_text(summary(metrics_of(), NUM_ROWS, [("[bold]", "model.hidden=[64] [red]x[/red]")]), width=80)
    assert "model.hidden=[64] [red]x[/red]" in text
    assert "[bold]" in text


def test_the_text_has_no_colours_and_no_trailing_blanks(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = as_text(summary(metrics_of(), NUM_ROWS, [("next", "look")]))
    assert "\x1b" not in text
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_the_text_is_as_wide_as_told():
    note = "word " * 60
    for width in (60, 100, 140):
        text = as_text(summary({"val/loss": 1.0, "val/baseline_loss": 2.0}, NUM_ROWS, [("note", note)]), width=width)
        assert width - 12 < max(map(len, text.splitlines())) <= width


def test_what_a_module_logs_is_shown_whatever_its_names_are():
    metrics = {"train_loss": 0.5, "val_loss": 0.6, "test/loss": 0.7, "test/psnr": 31.25, "val_psnr": 30.0, "epochs": 3}
    rows = rows_of(as_text(summary(metrics, {}, []), width=80))
    assert rows["loss"] == ["0.5000", "0.6000", "0.7000"]
    assert rows["psnr"] == ["-", "30.0000", "31.2500"]
    assert rows["train"] == ["validation", "test"]
    assert "rows" not in rows
    assert "epochs" not in rows


def test_without_any_metric_there_are_notes_alone():
    text = as_text(summary({"epochs": 3}, {}, [("next", "look")]))
    assert text.split() == ["next", "look"]


def test_mistakes_have_the_columns_that_they_come_with():
    found = [{"row": 1234, "true": 5.0, "prediction": 7.25, "error": 2.25, "content": "a\nb\x1b"}]
    rows = rows_of(as_text(mistake_table(found, "Largest errors")))
    assert rows["row"] == ["true", "predicted", "error"]
    assert rows["1,234"] == ["5.0000", "7.2500", "2.2500", "a b\\x1b"]
