"""Drawings as files: nothing is cut off, nothing is blank, whatever the names are."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from rosenblatt.show.figures.kinds import KINDS, Drawing, LearningCurves
from rosenblatt.show.figures.style import draw, look
from rosenblatt.show.figures.trials import Setting, Trials
from rosenblatt.show.words import short_name
from rosenblatt.tasks.arrays import (
    Boundary,
    ConfusionMatrix,
    Curve,
    HiddenLayer,
    Influence,
    InfluenceBars,
    LabelErrors,
    PrecisionRecallCurves,
    PredictedNumbers,
    ReliabilityCurves,
    Residuals,
    RocCurves,
)

LONG = "a name as long as they get"
SCRIPTS = ["хорошо", "非常好吃", "مرحبا", "👍🍕", "$x_2$ <b>", LONG]
GRID = np.linspace(0, 1, 100).reshape(10, 10)


def boundary(names=("no", "yes"), probs=GRID):
    points, target = np.random.default_rng(0).random((40, 2)), np.arange(40) % len(names)
    return Boundary(
        ("x1", "x2"), [short_name(name, 18) for name in names], points, target, target == 1, (0, 1, 0, 1),
        (GRID > 0.5).astype(int), probs,
    )  # fmt: skip


def confusions(names):
    return ConfusionMatrix(list(names), np.full((len(names), len(names)), 1234))


def curve(name="yes"):
    return Curve(name, [0, 0.5, 1], [0, 0.9, 1], 0.9)


def numbers(num, scale=1e5):
    return scale * (1 + np.random.default_rng(num).random(num))


def influence(name, parts):
    return Influence(
        name, [one for one in parts if one[1] > 0], [one for one in parts if one[1] < 0], f"logit of {name}"
    )


ARRAYS = {
    "learning curves": LearningCurves([("loss", [curve()]), ("accuracy", [curve()])], 1),
    "one epoch": LearningCurves([("loss", [Curve("training", [1], [0.5])])], None),
    "four panels": LearningCurves([(LONG * 3, [curve(), curve("b")])] * 4, None),
    "roc": RocCurves([curve(name) for name in SCRIPTS], curve("chance: 0.5"), "the 6 most frequent of 9 classes"),
    "precision and recall": PrecisionRecallCurves([curve()], None),
    "reliability": ReliabilityCurves(f"of {LONG}", [curve(), curve("b")], np.arange(15)),
    "no rows": ReliabilityCurves("of yes", [Curve("this model", [], [])], np.zeros(15)),
    "boundary": boundary(SCRIPTS),
    "flat boundary": boundary(probs=np.full((10, 10), 0.9)),
    "hidden layer": HiddenLayer(*boundary()),
    "two classes": confusions(("no", "yes")),
    "scripts": confusions(SCRIPTS),
    "twenty classes": confusions([f"{k} {LONG}" for k in range(20)]),
    "labels": LabelErrors(
        [LONG * 2] * 20, np.arange(20), np.arange(20), "the 20 of 736 labels that are most often wrong"
    ),
    "one label": LabelErrors(["a"], np.array([0]), np.array([0])),
    "influence": InfluenceBars([influence("yes", [(name, i - 2.5) for i, name in enumerate(SCRIPTS)])]),
    "influence of six": InfluenceBars([influence(LONG[:18], [(n, 0.1) for n in SCRIPTS])] * 6, "6 of 12"),
    "predicted": PredictedNumbers(numbers(300), numbers(301)[:300]),
    "many predicted": PredictedNumbers(numbers(5_000), numbers(5_001)[:5_000], note="5,000 of 9,000 rows"),
    "tiny predicted": PredictedNumbers(numbers(20, 1e-9), numbers(21, 1e-9)[:20]),
    "huge predicted": PredictedNumbers(numbers(20, 1e12), numbers(21, -1e12)[:20]),
    "one predicted": PredictedNumbers(np.array([3.0]), np.array([3.0])),
    "residuals": Residuals(numbers(301)[:300], numbers(300), 3e4),
    "many residuals": Residuals(numbers(5_001)[:5_000], numbers(5_000), note="5,000 of 9,000 rows"),
    "no residuals": Residuals(np.array([3.0, 4.0]), np.array([3.0, 4.0])),
}
DRAWINGS = {
    **{name: Drawing(arrays, "test, epoch 30") for name, arrays in ARRAYS.items()},
    "trials": Trials(
        "a: val/loss of 3 trials", "val/loss", [0.001, 0.1, 1.0], [0.0, 0.1, 0.2], [False, False, True],
        [Setting("lr", [0.1, 0.01, 0.001], None), Setting("optimizer", [0.0, 1.0, 2.0], ["adam", "sgd", LONG[:18]]),
         Setting("data.ngrams", [0.0, 1.0, 2.0], [LONG[:18]] * 5)],
        [("lr", 0.9), ("optimizer.weight_decay", 0.1)],
    ),
    "one trial": Trials("a", "val/acc", [0.5], [0.0], [False], [Setting("lr", [0.0], ["0.1"])], []),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWINGS)
def test_nothing_is_cut_off(name):
    with look():
        figure = DRAWINGS[name].figure()
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        box, (width, height) = figure.get_tightbbox(canvas.get_renderer()), figure.get_size_inches()
    assert (box.x0, box.y0) >= (0, 0)
    assert box.x1 <= width
    assert box.y0 >= 0
    assert box.y1 <= height


@pytest.mark.parametrize("name", DRAWINGS)
def test_files_are_whole_and_show_something(name):
    drawn = draw(DRAWINGS[name], with_svg=True)
    image = Image.open(io.BytesIO(drawn.png))
    assert (image.width, image.height) == (drawn.width, drawn.height)
    assert len(set(np.asarray(image).reshape(-1, 3).mean(axis=1).round().tolist())) > 10
    assert ET.fromstring(drawn.svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert draw(DRAWINGS[name], with_svg=True) == drawn  # the same for the same numbers


def test_the_svg_holds_every_word_as_text_whatever_its_script():
    text = "".join(ET.fromstring(draw(DRAWINGS["influence"], with_svg=True).svg).itertext())
    for word in SCRIPTS:
        assert word in text
    assert draw(DRAWINGS["influence"], with_svg=False).svg == ""


def test_each_kind_is_drawn_here_and_says_what_to_look_at():
    assert {type(arrays) for arrays in ARRAYS.values()} == KINDS.keys()
    assert all(Drawing(arrays).caption.endswith(".") for arrays in ARRAYS.values())
