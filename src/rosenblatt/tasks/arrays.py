"""Named arrays of what there is to draw of a split: plain numbers and words, which another process can be sent.

Nothing here imports torch, which that process does without.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from numpy.typing import NDArray


class ConfusionMatrix(NamedTuple):
    """Rows of each pair of classes, true ones down, predicted ones across; ``note`` says what is left out."""

    classes: list[str]
    counts: NDArray[Any]
    note: str = ""


class LabelErrors(NamedTuple):
    """Labels that are missing, or too many.

    Attributes:
        labels: their names, from the bottom up.
        missed: rows that have each and were not given it.
        invented: rows that were given each and do not have it.
        note: what is left out, or empty.
    """

    labels: list[str]
    missed: NDArray[Any]
    invented: NDArray[Any]
    note: str = ""


class Curve(NamedTuple):
    """A line, with its name, and where it means something the area under it."""

    name: str
    x: Sequence[float] | NDArray[Any]
    y: Sequence[float] | NDArray[Any]
    area: float | None = None


class RankingCurves(NamedTuple):
    """How well rows are ranked, a curve each class.

    Attributes:
        curves: with the area under them, or the average precision.
        chance: of a guess, or ``None`` where it is another for each class.
    """

    curves: list[Curve]
    chance: Curve | None
    note: str = ""


class RocCurves(RankingCurves):
    """False and true positive rate."""


class PrecisionRecallCurves(RankingCurves):
    """Recall and precision."""


class ReliabilityCurves(NamedTuple):
    """How often predictions of each probability come true.

    Attributes:
        of: whose probability it is.
        curves: mean probability and share that is true, of this model last.
        num_rows: (num_bins,) predictions in each bin of equal width from 0 to 1.
    """

    of: str
    curves: list[Curve]
    num_rows: NDArray[Any]


class PredictedNumbers(NamedTuple):
    """Numbers that are predicted, against the true ones, in the unit of the label.

    Attributes:
        target: (N,) float64.
        preds: (N,) float64.
        radius: half the width of prediction intervals, or ``None``.
        note: what is left out, or empty.
    """

    target: NDArray[Any]
    preds: NDArray[Any]
    radius: float | None = None
    note: str = ""


class Residuals(PredictedNumbers):
    """How far true numbers are above the predicted ones."""

    @property
    def residuals(self) -> NDArray[Any]:
        """(N,) float64, true minus predicted."""
        found: NDArray[Any] = self.target - self.preds
        return found


class Influence(NamedTuple):
    """The features that move an output most, up and down, the strongest first.

    Attributes:
        name: of the output, such as a class.
        in_favour: names and mean sizes of their part in it.
        against: the same, with a minus.
        of: what the parts are of, such as ``logit of yes``.
    """

    name: str
    in_favour: list[tuple[str, float]]
    against: list[tuple[str, float]]
    of: str


class InfluenceBars(NamedTuple):
    """The most influential features of some outputs; ``note`` says what is left out."""

    panels: list[Influence]
    note: str = ""


class Boundary(NamedTuple):
    """Rows as points, over the regions that the model divides the plane into.

    Attributes:
        axes: what the two coordinates are.
        names: of the classes, at most as many as there are colours.
        points: (N, 2).
        target: (N,) class numbers.
        wrong: (N,) whether each is taken for another class.
        extent: left, right, bottom and top.
        regions: (height, width) the class at each place.
        probs: (height, width) probability of the second class at each place, or ``None`` with more than two.
        threshold: probability above which the second class is predicted.
        note: what is left out, or empty.
    """

    axes: tuple[str, str]
    names: list[str]
    points: NDArray[Any]
    target: NDArray[Any]
    wrong: NDArray[Any]
    extent: tuple[float, float, float, float]
    regions: NDArray[Any]
    probs: NDArray[Any] | None
    threshold: float = 0.5
    note: str = ""


class HiddenLayer(Boundary):
    """The same rows, as the two units of the last hidden layer see them (the book, chapter 4, figure 4-4)."""


class DataTable(NamedTuple):
    """What the labels of each split are, as words."""

    header: list[str]
    rows: list[list[str]]
    note: str = ""


Arrays: TypeAlias = ConfusionMatrix | LabelErrors | RankingCurves | ReliabilityCurves | PredictedNumbers
