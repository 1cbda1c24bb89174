"""Labels of which a row may have several, or none: a logit each, and each is a question of yes and no."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rosenblatt.tasks.classification import SHARED, Classification, ClassLoss, check_logits, most
from rosenblatt.tasks.task import Decision
from rosenblatt.tasks.threshold import choose_threshold

if TYPE_CHECKING:  # torchmetrics takes as long to import as torch, and predicting does without
    from torchmetrics import Metric


class MultilabelLoss(ClassLoss):
    """Binary cross-entropy for each label, the mean over rows and labels; see `ClassLoss` for its arguments."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss of N rows, a scalar.

        Args:
            logits: (N, num_labels).
            target: (N, num_labels) of 0 and 1.
        """
        probs, smooth = target.to(logits.dtype), self.label_smoothing
        probs = probs if smooth == 0 else probs * (1 - smooth) + smooth / 2
        return F.binary_cross_entropy_with_logits(logits, probs, pos_weight=self.class_weights)


@dataclass(frozen=True)
class Multilabel(Classification):
    """Labels of which a row may have several; logits (N, num_labels), a target of the same shape of 0 and 1."""

    name: ClassVar[str] = "multilabel"

    def loss(self, **settings: Any) -> nn.Module:
        """Return binary cross-entropy for each label."""
        return MultilabelLoss(self, **settings)

    def balanced(self) -> Tensor:
        """Return the weight of a present label: absent / present."""
        counts = torch.tensor(self.class_counts, dtype=torch.float32).clamp(min=1)
        return (self.num_rows - counts).clamp(min=1) / counts  # a label of every row still counts for something

    def check(self, outputs: Any, target: Any) -> None:
        """Raise a `UserError` unless outputs and target have a column for each label."""
        check_logits(outputs, target, len(self.classes), 2, 2, f"{len(self.classes)} labels, each there or not")

    def own_metrics(self, ranking: bool, per_class: bool) -> tuple[dict[str, Metric], dict[str, Metric]]:
        """Return the share of rows that are all right, micro F1, what the top label is, and means over labels."""
        from torchmetrics import classification as tm

        from rosenblatt.tasks.metrics import TopLabel

        num = len(self.classes)
        decided: dict[str, Metric] = {
            "acc": tm.MultilabelExactMatch(num, **SHARED),
            "f1_micro": tm.MultilabelF1Score(num, average="micro", **SHARED),
        }
        kinds: dict[str, Any] = {"f1": tm.MultilabelF1Score, "precision": tm.MultilabelPrecision}
        kinds["recall"] = tm.MultilabelRecall
        for name, make in kinds.items():
            decided[name] = make(num, average="macro", **SHARED)
            if per_class:
                decided[f"class_{name}"] = make(num, average="none", **SHARED)
        scored: dict[str, Metric] = {"p_at_1": TopLabel(), "r_at_1": TopLabel(recall=True)}
        ranked = {"auroc": tm.MultilabelAUROC, "ap": tm.MultilabelAveragePrecision} if ranking else {}
        return decided, scored | {f"class_{name}": make(num, average="none", **SHARED) for name, make in ranked.items()}

    def scores(self, outputs: Tensor) -> Tensor:
        """Return probabilities (N, num_labels)."""
        return self.tempered(outputs).sigmoid()

    def decide(self, scores: Tensor) -> Tensor:
        """Return (N, num_labels) uint8 of 0 and 1."""
        return (scores > torch.as_tensor(self.threshold, dtype=torch.float32, device=scores.device)).to(torch.uint8)

    def gaps(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return how far each logit is on the wrong side of 0."""
        return logits * (1 - 2 * target.double())

    def with_threshold(self, probs: Tensor, target: Tensor, decision: Decision) -> Multilabel:
        """Return the task with the threshold of each label that does best on these rows."""
        chosen = choose_threshold(decision.goal, probs, target, self.classes, decision.at_least)
        return replace(self, threshold=tuple(chosen))

    def certainty(self, probs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability of every label of every row, and whether the row has it."""
        return probs.flatten(), target.flatten()  # (N, num_labels) -> (N * num_labels,)

    def baseline_outputs(self, target: Tensor) -> Tensor:
        """Return the logit of the share of each label."""
        return self.shares.logit().expand(len(target), -1)  # (num_labels,) -> (N, num_labels)

    def predictions(self, scores: Tensor) -> pl.DataFrame:
        """Return ``prediction`` and ``probability``, lists of the labels of a row."""
        names = pl.Series("prediction", self.classes, dtype=pl.String)
        rows, labels = self.decide(scores).numpy().nonzero()
        found = pl.DataFrame(
            {"row": rows, "prediction": names.gather(labels), "probability": scores.numpy()[rows, labels]}
        )
        lists = found.group_by("row", maintain_order=True).agg(pl.all())
        every = pl.DataFrame({"row": np.arange(len(scores)), "known": ~scores.isnan().any(dim=1).numpy()})
        every = every.join(lists, on="row", how="left", maintain_order="left")
        return every.select(pl.when("known").then(pl.col(one).fill_null([])) for one in ("prediction", "probability"))

    def labels_of(self, target: Tensor) -> list[Any]:
        """Return a list of names a row."""
        return [[self.classes[k] for k in row.nonzero().flatten().tolist()] for row in target]

    def mistakes(self, scores: Tensor, target: Tensor, at_most: int) -> list[int]:
        """Return the rows with a wrong label, the most confident in it first."""
        preds = self.decide(scores)
        confidence = torch.where(preds == 1, scores.double(), 1 - scores.double())
        wrong = preds != target
        return most(confidence.where(wrong, 0).amax(dim=1), wrong.any(dim=1), at_most)
