"""The kinds of figures: what each is called, how it is drawn, and what to look at in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from rosenblatt.show.figures import curves, plane, predictions
from rosenblatt.tasks import arrays


class Kind(NamedTuple):
    """How arrays of one type are drawn: from a title and the arrays; and what to look at."""

    draw: Callable[[str, Any], Figure]
    title: str
    caption: str


KINDS: dict[type, Kind] = {
    curves.LearningCurves: Kind(
        curves.draw_learning_curves, "Learning curves",
        "Loss and metrics after each epoch. Where validation turns, it begins to learn by heart.",
    ),
    plane.Boundary: Kind(
        plane.draw_boundary, "Decision boundary",
        "Each marker is a class, filled ones are wrong. The thick line is the threshold; thin ones are where the "
        "second class has a probability of 0.3, 0.4, 0.5.",
    ),
    plane.HiddenLayer: Kind(
        plane.draw_boundary, "Hidden layer",
        "The same rows as the last hidden layer sees them: here a straight line has to part the classes.",
    ),
    arrays.ConfusionMatrix: Kind(
        predictions.draw_confusions, "Confusions",
        "Rows are true classes, columns predicted ones; darker is a larger share of the true class.",
    ),
    arrays.LabelErrors: Kind(
        predictions.draw_label_errors, "Confusions",
        "Rows that have a label and were not given it, and rows that were given it and do not have it.",
    ),
    arrays.RocCurves: Kind(
        curves.draw_roc, "ROC curve",
        "Share of the rows of a class that are found, against the share of others that are taken for it.",
    ),
    arrays.PrecisionRecallCurves: Kind(
        curves.draw_precision_recall, "Precision and recall",
        "Share of the found rows that are right, against the share of right rows that are found.",
    ),
    arrays.ReliabilityCurves: Kind(
        curves.draw_reliability, "Reliability",
        "On the dotted line, of ten predictions with probability 0.8 eight are true.",
    ),
    arrays.PredictedNumbers: Kind(
        predictions.draw_predicted, "Predicted against true",
        "On the dotted line, predictions are what is true; above it they are too high.",
    ),
    arrays.Residuals: Kind(
        predictions.draw_residuals, "Residuals",
        "How far the truth is above a prediction, and how often; where the errors lean or widen, something is not "
        "learnt yet.",
    ),
    arrays.InfluenceBars: Kind(
        predictions.draw_influence, "Influence",
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
