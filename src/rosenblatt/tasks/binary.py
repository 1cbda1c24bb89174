"""Two classes, of which the second is asked for: one logit a row (the book, chapter 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from rosenblatt.tasks.classification import Classification


@dataclass(frozen=True)
class Binary(Classification):
    """Two classes; logits (N, 1), a target (N,) that is 1 for the second."""

    name: ClassVar[str] = "binary"
    classes: tuple[str, ...] = ("0", "1")

    @property
    def num_outputs(self) -> int:
        """One logit."""
        return 1

    def cross_entropy(self, logits: Tensor, target: Tensor, class_weights: Tensor | None, smoothing: float) -> Tensor:
        """Return the mean binary cross-entropy of logits (N, 1)."""
        # How far each logit is on the wrong side of 0. The same loss as F.binary_cross_entropy_with_logits, whose
        # gradient, a probability less the target, is rounded to 0 for rows that are right by a logit of 17.
        wrong = logits.squeeze(1) * (1 - 2 * target)  # (N, 1) -> (N,)
        rows = F.softplus(wrong)
        if smoothing > 0:
            rows = rows - smoothing / 2 * wrong
        return rows.mean() if class_weights is None else (rows * class_weights[target.long()]).mean()

    def scores(self, outputs: Tensor) -> Tensor:
        """Return the probability of the second class, (N,)."""
        return self.tempered(outputs).squeeze(1).sigmoid()  # (N, 1) -> (N,)

    def named_outputs(self) -> dict[int, str]:
        """Return the second class; what speaks against it speaks for the first."""
        return {0: self.classes[1]}
