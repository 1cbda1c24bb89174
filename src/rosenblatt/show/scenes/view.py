"""A model and the rows that it is looked at with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor, nn

from rosenblatt.data.features import DataSpec, Features, Plane
from rosenblatt.show.figures.style import Drawing
from rosenblatt.show.tables import printable
from rosenblatt.tasks.titles import SPLIT_TITLES

LONGEST = 26  # letters of a name

Scene: TypeAlias = Drawing | str  # or the reason why there is none


@dataclass(frozen=True)
class View:
    """What a model makes of a split, at one moment.

    Attributes:
        model: gives logits.
        spec: task and classes.
        split: ``val`` or ``test``.
        moment: that it is seen at, such as ``epoch 3``.
        features: of N rows.
        target: (N,) or (N, num_labels).
        logits: (N, num_outputs), divided by the temperature.
        threshold: probability above which the second class, or a label, is predicted.
        temperature: that logits were divided by.
        plane: how rows are points, or ``None`` where they are none.
    """

    model: nn.Module
    spec: DataSpec
    split: str
    moment: str
    features: Features
    target: Tensor
    logits: Tensor
    threshold: float | Sequence[float] = 0.5
    temperature: float = 1.0
    plane: Plane | None = None

    def titled(self, what: str) -> str:
        """Return the title of a picture."""
        return f"{what}: {SPLIT_TITLES[self.split]}, {self.moment}"


def short_name(text: str, longest: int = LONGEST) -> str:
    """Return a name from the data in one line and not too long: both ends, since either may tell it from others."""
    text = printable(text) or "(empty)"
    end = longest // 3
    return text if len(text) <= longest else f"{text[: longest - end - 1]}…{text[-end:]}"
