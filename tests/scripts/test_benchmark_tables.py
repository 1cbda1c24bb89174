"""Medians, ratios and tables of scripts/benchmark.py, and their place in a document."""

from __future__ import annotations

import sys
from pathlib import Path

from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benchmarks import report
from benchmarks.contest import NOT_INSTALLED, Measurement
from benchmarks.contestants import OURS
from benchmarks.suites import accuracy, cache, loop, scale, start, steps


def measured(case: str, name: str, turn: int = 0, wall: float = 1.0, **fields: object) -> Measurement:
    fields = {"session": "2026-01-02T03:04:05", "cpu": wall, "memory": 1e8, "machine": "2 cores"} | fields
    return Measurement("scale", case, name, turn=turn, wall=wall, **fields)  # type: ignore[arg-type]


def test_medians_and_ratios() -> None:
    walls = {"Rosenblatt": (9.0, 3.0, 4.0), "fastText": (2.0, 1.0, 50.0)}
    ones = [
        measured("1,000", name, turn, wall, figures={"accuracy": wall / 100, "seconds_own": wall / 2})
        for name, some in walls.items()
        for turn, wall in enumerate(some)
    ]
    found = report.summarised([*ones, measured("1,000", "Vowpal Wabbit", failed=NOT_INSTALLED)])
    assert found["1,000"]["Rosenblatt"].wall == 4
    assert found["1,000"]["fastText"]["accuracy"] == 0.02
    assert found["1,000"]["fastText"].turns == 3
    text = scale.tables(found)
    assert "| 1,000 | Rosenblatt | 0.0400 | 4.0 s | 2.0 s | 4.0 s | 100 MB |" in text
    assert "| 1,000 | Vowpal Wabbit | not installed | - | - | - | - |" in text
    assert "| 1,000 | Rosenblatt / fastText | 2.00 | 2.00 | 2.00 | 1.00 |" in text
    assert "| 1,000 | Rosenblatt / Vowpal Wabbit | - | - | - | - |" in text
    assert report.provenance(ones) == "Medians of 3 runs, in turn; 2026-01-02; 2 cores."


def test_slopes_are_those_of_the_logarithms() -> None:
    ones = [measured(f"{size:,}", OURS, wall=size**0.9) for size in (1_000_000, 1_000, 10_000, 100_000)]
    ones[1] = measured("1,000", OURS, wall=5_000.0)  # below the sizes that count
    found = report.summarised(ones)
    assert scale.slope(found, OURS, "wall") == "0.90"
    assert scale.slope(found, OURS, "memory") == "0.00"
    assert scale.slope(report.summarised(ones[:2]), OURS, "wall") == "-"
    assert [size for size, _ in scale.points_of(found, "wall")[OURS]] == [1_000, 10_000, 100_000, 1_000_000]


def test_the_lead_is_over_the_best_peer() -> None:
    scores = {OURS: 0.9, "fastText": 0.85, "LinearSVC": 0.92}
    ones = [measured("TREC", name, figures={"accuracy": score}) for name, score in scores.items()]
    ones.append(measured("TREC", "logistic regression", failed="RuntimeError: Encountered | NaN."))
    text = accuracy.tables(report.summarised(ones))
    assert "| TREC | 0.9000 | 0.8500 | - | 0.9200 | - | failed: RuntimeError: Encountered \\| NaN. | -0.0200 |" in text


def test_of_several_seeds_mean_and_spread_are_told_and_a_low_rmse_leads() -> None:
    scores = {OURS: (0.5, 0.7, 0.6), "HistGradientBoosting": (0.6, 0.6, 0.75)}
    ones = [
        measured("wine, RMSE", name, turn, figures={"accuracy": score})
        for name, some in scores.items()
        for turn, score in enumerate(some)
    ]
    text = accuracy.tables(report.summarised(ones))
    assert "| wine, RMSE | 0.6000 ± 0.1000 | 0.6500 ± 0.0866 | - | - | - | - | -0.0500 |" in text
    assert "fastText" not in text


def test_the_other_suites_have_tables_too() -> None:
    figures = {"steps": 3000.0, "seconds_training": 2.0, "accuracy": 0.99}
    slow = figures | {"seconds_training": 3.0}
    loops = [measured("toy", OURS, figures=figures), measured("toy", loop.BOOK, figures=slow)]
    text = loop.tables(report.summarised(loops))
    assert f"| {OURS} | 1,500 | 1.00 | 2.0 s |" in text
    assert f"| {loop.BOOK} | 1,000 | 1.50 | 3.0 s |" in text
    starts = [measured("start", start.DEFAULT, wall=6.0), measured("start", f'python -c "{start.LIGHTNING}"', wall=4.0)]
    assert "| `python train.py` | 6.0 s | 1.50 |" in start.tables(report.summarised(starts))
    timed = [
        measured(
            f"{classes} classes, 1 thread", f"Adagrad, {features:,}", figures={"nanoseconds": ns, "milliseconds": 1.0}
        )
        for classes, features, ns in ((2, 100_000, 8.0), (20, 100_000, 60.0), (20, 1_000_000, 90.0))
    ]
    assert "| 20 classes, 1 thread | Adagrad | 1,000,000 | 1.00 | 90.0 | 1.50 | - |" in steps.tables(
        report.summarised(timed)
    )
    assert "| 20 classes, 1 thread | Adagrad | 100,000 | 1.00 | 60.0 | 1.00 | 0.38 |" in steps.tables(
        report.summarised(timed)
    )
    runs = [measured("IMDB", cache.FIRST, wall=9.0, figures={"seconds_encoding": 4.0})]
    runs.append(measured("IMDB", cache.SECOND, wall=6.0, figures={"seconds_encoding": 0.5}))
    assert "| IMDB | second run | 0.50 s | 8.00 | 6.0 s | 1.50 |" in cache.tables(report.summarised(runs))


def test_only_what_stands_between_the_markers_is_replaced(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text("# Title\n<!-- loop -->\nold\n<!-- /loop -->\nmiddle\n<!-- scale -->\n<!-- /scale -->\nend\n")
    assert report.has_place(document, "loop")
    assert not report.has_place(document, "start")
    report.put(document, "loop", "| new |")
    report.put(document, "scale", "newer")
    assert document.read_text() == (
        "# Title\n<!-- loop -->\n| new |\n<!-- /loop -->\nmiddle\n<!-- scale -->\nnewer\n<!-- /scale -->\nend\n"
    )
