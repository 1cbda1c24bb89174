"""Two classes, of which the second is asked for: one logit a row (the book, chapter 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rosenblatt.tasks.classification import SHARED, Classification, ClassLoss, check_logits, most, named
from rosenblatt.tasks.task import Decision
from rosenblatt.tasks.threshold import choose_threshold

if TYPE_CHECKING:  # torchmetrics takes as long to import as torch, and predicting does without
    from torchmetrics import Metric


class BinaryLoss(ClassLoss):
    """Binary cross-entropy on logits, the mean over rows; see `ClassLoss` for its arguments."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss of N rows, a scalar.

        Args:
            logits: (N, 1).
            target: (N,) of 0 and 1.
        """
        # How far each logit is on the wrong side of 0. The same loss as F.binary_cross_entropy_with_logits, whose
        # gradient, a probability less the target, is rounded to 0 for rows that are right by a logit of 17.
        wrong = logits.squeeze(1) * (1 - 2 * target)  # (N, 1) -> (N,)
        rows = F.softplus(wrong)
        if self.label_smoothing > 0:
            rows = rows - self.label_smoothing / 2 * wrong
        return rows.mean() if self.class_weights is None else (rows * self.class_weights[target.long()]).mean()


@dataclass(frozen=True)
class Binary(Classification):
    """Two classes; logits (N, 1), a target (N,) that is 1 for the second."""

    name: ClassVar[str] = "binary"
    classes: tuple[str, ...] = ("0", "1")

    @property
    def num_outputs(self) -> int:
        """One logit."""
        return 1

    def loss(self, **settings: Any) -> nn.Module:
        """Return binary cross-entropy."""
        return BinaryLoss(self, **settings)

    def check(self, outputs: Any, target: Any) -> None:
        """Raise a `UserError` unless there is one logit a row, and a target of 0 and 1."""
        check_logits(outputs, target, 1, 2, 1, "two classes")

    def own_metrics(self, ranking: bool, per_class: bool) -> tuple[dict[str, Metric], dict[str, Metric]]:
        """Return metrics of the second class."""
        from torchmetrics import classification as tm

        decided: dict[str, Metric] = {
            "acc": tm.BinaryAccuracy(**SHARED),
            "f1": tm.BinaryF1Score(**SHARED),
            "precision": tm.BinaryPrecision(**SHARED),
            "recall": tm.BinaryRecall(**SHARED),
        }
        ranked: dict[str, Metric] = {"auroc": tm.BinaryAUROC(**SHARED), "ap": tm.BinaryAveragePrecision(**SHARED)}
        return decided, ranked if ranking else {}

    def scores(self, outputs: Tensor) -> Tensor:
        """Return the probability of the second class, (N,)."""
        return self.tempered(outputs).squeeze(1).sigmoid()  # (N, 1) -> (N,)

    def decide(self, scores: Tensor) -> Tensor:
        """Return classes (N,) int64."""
        return (scores > torch.as_tensor(self.threshold, dtype=torch.float32, device=scores.device)).long()

    def gaps(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return how far each logit is on the wrong side of 0."""
        return logits * (1 - 2 * target.view(logits.shape).double())

    def with_threshold(self, probs: Tensor, target: Tensor, decision: Decision) -> Binary:
        """Return the task with the threshold that does best on these rows."""
        chosen = choose_threshold(decision.goal, probs, target, self.classes, decision.at_least)
        return replace(self, threshold=chosen[0])

    def certainty(self, probs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability of the second class, and whether it is that."""
        return probs, target

    def named_outputs(self) -> dict[int, str]:
        """Return the second class; what speaks against it speaks for the first."""
        return {0: self.classes[1]}

    def baseline_outputs(self, target: Tensor) -> Tensor:
        """Return the logit of the share of the second class."""
        return self.shares[1:].logit().expand(len(target), 1)

    def predictions(self, scores: Tensor) -> pl.DataFrame:
        """Return ``prediction``, a name, and its ``probability``."""
        decided = self.decide(scores)
        probability = torch.where(decided.bool(), scores, 1 - scores)
        return named(self.classes, decided, probability)

    def of_every_class(self, scores: Tensor) -> Tensor:
        """Return the probabilities of both classes, (N, 2)."""
        return torch.stack([1 - scores, scores], dim=1)

    def mistakes(self, scores: Tensor, target: Tensor, at_most: int) -> list[int]:
        """Return the rows decided wrongly, the most confident first."""
        preds = self.decide(scores)
        # In float64: in float32 one less 1e-8 is one, and rows that are sure in different degrees would tie.
        confidence = torch.where(preds == 1, scores.double(), 1 - scores.double())
        return most(confidence, preds != target, at_most)
