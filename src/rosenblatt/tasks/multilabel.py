"""Labels of which a row may have several, or none: a logit each, and each is a question of yes and no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.nn import functional as F

from rosenblatt.tasks.classification import Classification

if TYPE_CHECKING:  # torchmetrics takes as long to import as torch, and predicting does without
    from torchmetrics import Metric


@dataclass(frozen=True)
class Multilabel(Classification):
    """Labels of which a row may have several; logits (N, num_labels), a target of the same shape of 0 and 1."""

    name: ClassVar[str] = "multilabel"
    several: ClassVar[bool] = True

    def cross_entropy(self, logits: Tensor, target: Tensor, class_weights: Tensor | None, smoothing: float) -> Tensor:
        """Return the mean binary cross-entropy over rows and labels; weights are those of labels that are there."""
        probs = target.to(logits.dtype)
        probs = probs if smoothing == 0 else probs * (1 - smoothing) + smoothing / 2
        return F.binary_cross_entropy_with_logits(logits, probs, pos_weight=class_weights)

    def balanced(self) -> Tensor:
        """Return the weight of a present label: absent / present."""
        counts = torch.tensor(self.class_counts, dtype=torch.float32).clamp(min=1)
        return (self.num_rows - counts).clamp(min=1) / counts  # a label of every row still counts for something

    def own_metrics(self, ranking: bool, per_class: bool) -> tuple[dict[str, Metric], dict[str, Metric]]:
        """Return the share of rows that are all right, micro F1, what the top label is, and means over labels."""
        from torchmetrics import classification as tm

        from rosenblatt.tasks.epoch import TopPrecision, TopRecall

        settings: dict[str, Any] = {"num_labels": len(self.classes), "validate_args": False, "sync_on_compute": False}
        decided, ranked = super().own_metrics(ranking, per_class)
        decided["acc"] = tm.MultilabelExactMatch(**settings)
        decided["f1_micro"] = tm.MultilabelF1Score(average="micro", **settings)
        ranked["p_at_1"] = TopPrecision(average="micro", **settings)
        ranked["r_at_1"] = TopRecall(average="micro", **settings)
        return decided, ranked

    def scores(self, outputs: Tensor) -> Tensor:
        """Return probabilities (N, num_labels)."""
        return self.tempered(outputs).sigmoid()

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
