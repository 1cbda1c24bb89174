"""Drawings as files: nothing is cut off, nothing is blank, whatever the names are."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from rosenblatt.show.figures.boundary import Boundary
from rosenblatt.show.figures.curves import LearningCurves, Line, RankingCurves, ReliabilityDiagram
from rosenblatt.show.figures.decisions import ConfusionMatrix, LabelErrors
from rosenblatt.show.figures.influence import InfluenceBars
from rosenblatt.show.figures.style import draw, look
from rosenblatt.show.figures.trials import Setting, Trials

LONG = "a name as long as they get"
SCRIPTS = ["хорошо", "非常好吃", "مرحبا", "👍🍕", "$x_2$ <b>", LONG]
GRID = np.linspace(0, 1, 100).reshape(10, 10)


def boundary(names=("no", "yes"), probs=GRID):
    points, target = np.random.default_rng(0).random((40, 2)), np.arange(40) % len(names)
    return Boundary(
        "Decision boundary: test, epoch 3", ("x1", "x2"), list(names), points, target, target == 1, (0, 1, 0, 1),
        (GRID > 0.5).astype(int), probs,
    )  # fmt: skip


def confusions(names):
    return ConfusionMatrix("Confusions: test, epoch 30", list(names), np.full((len(names), len(names)), 1234))


def curve(label="yes: 0.9"):
    return Line(label, [0, 0.5, 1], [0, 0.9, 1])


DRAWINGS = {
    "learning curves": LearningCurves("Learning curves", [("loss", [curve()]), ("accuracy", [curve()])], 1),
    "one epoch": LearningCurves("Learning curves", [("loss", [Line("training", [1], [0.5])])], None),
    "ranking": RankingCurves("ROC", ("a", "b"), [curve(f"{n}: 0.5") for n in SCRIPTS], curve(), "a", "lower right"),
    "reliability": ReliabilityDiagram("Reliability", f"of {LONG}", [curve(), curve("b")], np.arange(15)),
    "no rows": ReliabilityDiagram("Reliability", "of yes", [Line("this model", [], [])], np.zeros(15)),
    "boundary": boundary(SCRIPTS),
    "flat boundary": boundary(probs=np.full((10, 10), 0.9)),
    "two classes": confusions(("no", "yes")),
    "scripts": confusions(SCRIPTS),
    "twenty classes": confusions([f"{k} {LONG}"[:18] for k in range(20)]),
    "labels": LabelErrors("Confusions\nthe 20 of 736 labels", [LONG] * 20, np.arange(20), np.arange(20)),
    "one label": LabelErrors("Confusions", ["a"], np.array([0]), np.array([0])),
    "influence": InfluenceBars("Influence", [("yes", [(name, i - 2.5) for i, name in enumerate(SCRIPTS)])]),
    "influence of six": InfluenceBars("Influence\n6 of 12", [(LONG[:18], [(n, 0.1) for n in SCRIPTS])] * 6),
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
