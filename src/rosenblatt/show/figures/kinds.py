"""The kinds of figures: what each is called, how it is drawn, and what to look at in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from rosenblatt.show.figures.classes import draw_confusions, draw_influence, draw_label_errors
from rosenblatt.show.figures.curves import (
    LearningCurves,
    draw_learning_curves,
    draw_precision_recall,
    draw_reliability,
    draw_roc,
)
from rosenblatt.show.figures.numbers import draw_predicted, draw_residuals
from rosenblatt.show.figures.plane import Boundary, HiddenLayer, draw_boundary
from rosenblatt.tasks.arrays import (
    ConfusionMatrix,
    InfluenceBars,
    LabelErrors,
    PrecisionRecallCurves,
    PredictedNumbers,
    ReliabilityCurves,
    Residuals,
    RocCurves,
)


class Kind(NamedTuple):
    """How arrays of one type are drawn: from a title and the arrays; and what to look at."""

    draw: Callable[[str, Any], Figure]
    title: str
    caption: str


KINDS: dict[type, Kind] = {
    LearningCurves: Kind(
        draw_learning_curves, "Learning curves",
        "Loss and metrics after each epoch. Where validation turns, it begins to learn by heart.",
    ),
    Boundary: Kind(
        draw_boundary, "Decision boundary",
        "Each marker is a class, filled ones are wrong. The thick line is the threshold; thin ones are where the "
        "second class has a probability of 0.3, 0.4, 0.5.",
    ),
    HiddenLayer: Kind(
        draw_boundary, "Hidden layer",
        "The same rows as the last hidden layer sees them: here a straight line has to part the classes.",
    ),
    ConfusionMatrix: Kind(
        draw_confusions, "Confusions",
        "Rows are true classes, columns predicted ones; darker is a larger share of the true class.",
    ),
    LabelErrors: Kind(
        draw_label_errors, "Confusions",
        "Rows that have a label and were not given it, and rows that were given it and do not have it.",
    ),
    RocCurves: Kind(
        draw_roc, "ROC curve",
        "Share of the rows of a class that are found, against the share of others that are taken for it.",
    ),
    PrecisionRecallCurves: Kind(
        draw_precision_recall, "Precision and recall",
        "Share of the found rows that are right, against the share of right rows that are found.",
    ),
    ReliabilityCurves: Kind(
        draw_reliability, "Reliability",
        "On the dotted line, of ten predictions with probability 0.8 eight are true.",
    ),
    PredictedNumbers: Kind(
        draw_predicted, "Predicted against true",
        "On the dotted line, predictions are what is true; above it they are too high.",
    ),
    Residuals: Kind(
        draw_residuals, "Residuals",
        "How far the truth is above a prediction, and how often; where the errors lean or widen, something is not "
        "learnt yet.",
    ),
    InfluenceBars: Kind(
        draw_influence, "Influence",
        "To the right (blue): more of it raises the output; to the left (orange): lowers it. Size: its part in the "
        "output, in the mean of the first 2,000 rows.",
    ),
}  # fmt: skip


class Drawing(NamedTuple):
    """A figure that is to be drawn.

    Attributes:
        arrays: of one of the `KINDS`.
        of: what it shows, such as ``validation, epoch 3``, or empty.
    """

    arrays: Any
    of: str = ""

    def figure(self) -> Figure:
        """Return it drawn."""
        kind = KINDS[type(self.arrays)]
        lines = [": ".join(filter(None, (kind.title, self.of))), getattr(self.arrays, "note", "")]
        return kind.draw("\n".join(filter(None, lines)), self.arrays)

    @property
    def caption(self) -> str:
        """What to look at in it."""
        return KINDS[type(self.arrays)].caption
