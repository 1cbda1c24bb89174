"""Numbers that are predicted from texts, with the settings that data=text has for classes."""

from __future__ import annotations

import csv
import random

import pytest


@pytest.fixture
def stars(tmp_path):
    """Texts whose number is that of their good words less that of their bad ones, and a bit."""
    rng = random.Random(0)
    path = tmp_path / "stars.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for _ in range(600):
            good, bad = rng.randrange(4), rng.randrange(4)
            words = ["good"] * good + ["bad"] * bad + rng.choices(["the", "food", "was", "here"], k=4)
            rng.shuffle(words)
            writer.writerow([" ".join(words), f"{good - bad + rng.gauss(0, 0.2):.3f}"])
    return path


def test_settings_for_classes_are_left_out(train, stars):
    found = train("data=text", f"data.train={stars}", "data.cache=null", "data.weighting=count")
    assert found.status == 0, found.err
    assert found.metrics["test/r2"] > 0.8
    assert "rows_refit" not in found.metrics  # intervals are read off validation rows


def test_a_calibration_that_somebody_asks_for_is_refused(train, stars):
    found = train("data=text", f"data.train={stars}", "calibration=temperature")
    assert found.status == 1
    assert "threshold, calibration: numbers have no classes to decide between" in found.err
