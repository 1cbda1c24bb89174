"""What the three tasks with classes have in common: class weights, thresholds, calibration, the majority class.

Where nothing else is said, each output is a question of yes and no, as in binary and multilabel.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import polars as pl
import torch
from torch import Tensor, nn

from rosenblatt.errors import UserError, check_choice
from rosenblatt.tasks.arrays import Arrays, DataTable
from rosenblatt.tasks.calibration import calibration_error, fit_temperature
from rosenblatt.tasks.counts import class_counts
from rosenblatt.tasks.examination import (
    OneAgainstRest,
    confusions,
    one_against_rest,
    ranking_curves,
    reliability_curves,
)
from rosenblatt.tasks.intervals import (
    MOST_WORK,
    CountScores,
    Interval,
    RankingScores,
    Replicates,
    num_replicates,
    resampled,
    wilson,
)
from rosenblatt.tasks.task import Task
from rosenblatt.tasks.threshold import Decision, choose_threshold

if TYPE_CHECKING:  # torchmetrics takes as long to import as torch, and predicting does without
    from torchmetrics import Metric

Self = TypeVar("Self", bound="Classification")
ClassWeights = Literal["balanced"] | list[float] | None
MAX_LINES = 40  # of classes in the table of the labels
MIN_TEMPERED = 30  # validation rows; fewer that are all right would make any probability a certainty


@dataclass(frozen=True)
class Classification(Task):
    """Classes to choose from.

    Attributes:
        class_counts: training rows of each class; empty: not known.
        threshold: probability strictly above which the second of two classes, or a label, is predicted; for labels
            also one for each.
        temperature: that logits are divided by.
    """

    several: ClassVar[bool] = False  # whether a row may have several of them, or none

    class_counts: tuple[int, ...] = ()
    threshold: float | tuple[float, ...] = 0.5
    temperature: float = 1.0

    def __post_init__(self) -> None:
        num = self.num_outputs
        if isinstance(self.threshold, tuple) and len(self.threshold) != num:
            each = "" if num == 1 else f", or one for each of the {num} labels"
            raise UserError(f"threshold: expected one number{each}; got {len(self.threshold)}.")

    def loss(self, **settings: Any) -> nn.Module:
        """Return the cross-entropy of the task."""
        return ClassLoss(self, **settings)

    def seen_by(self, loss: nn.Module) -> nn.Module:
        """Return the loss as it is, unless it is one for numbers."""
        if isinstance(loss, nn.L1Loss | nn.MSELoss | nn.HuberLoss | nn.SmoothL1Loss):
            raise UserError(
                f"loss: {type(loss).__name__} is for numbers, and here is {self.described}. Leave it out, or say that "
                "numbers are predicted: task=regression."
            )
        return loss

    @abstractmethod
    def cross_entropy(self, logits: Tensor, target: Tensor, class_weights: Tensor | None, smoothing: float) -> Tensor:
        """Return the mean loss of N rows, a scalar.

        Args:
            logits: (N, num_outputs).
            target: (N,) class numbers, or (N, num_labels) of 0 and 1.
            class_weights: (num_classes,), or ``None``: all weigh the same.
            smoothing: share of the target that is spread evenly over the classes.
        """

    def squared_hinge(self, logits: Tensor, target: Tensor, class_weights: Tensor | None, margin: float) -> Tensor:
        """Return the mean loss of N rows, a scalar: of each class against the rest, as of a linear SVM.

        ``relu(margin - z)^2 / (2 * margin)``, summed over the outputs of a row, with ``z`` the logit of a class that
        the row has, and the negative one of a class that it has not. Rows that are right by the margin are done with.
        """
        there = target if self.several else target.unsqueeze(1)  # (N,) -> (N, 1)
        if not self.several and self.num_outputs > 1:
            there = there == torch.arange(self.num_outputs, device=target.device)  # (N, num_classes)
        short = (margin - (2 * there.to(logits.dtype) - 1) * logits).relu().square()
        if class_weights is not None and self.several:
            short = torch.where(there > 0, class_weights, 1.0) * short
        elif class_weights is not None:
            short = class_weights[target.long()].unsqueeze(1) * short
        return short.sum(dim=1).mean() / (2 * margin)

    def best_without_features(self, margin: float) -> list[float]:
        """Return the outputs with the least squared hinge for rows of which nothing is known."""
        shares = self.shares(torch.empty(0))[-self.num_outputs :]
        outputs: list[float] = (margin * (2 * shares - 1)).tolist()
        return outputs

    def check(self, outputs: Any, target: Any) -> None:
        """Raise a `UserError` unless outputs are logits (N, num_outputs), and the target holds N rows of classes."""
        num, num_values, shape = self.num_outputs, len(self.classes), "(N,)"
        what = f"{len(self.classes)} classes"
        if self.several:
            num_values, shape, what = 2, f"(N, {num})", f"{num} labels, each there or not"
        if isinstance(outputs, Tensor) and isinstance(target, Tensor) and outputs.ndim == 2:
            wanted = (len(outputs), num)
            if outputs.shape == wanted and target.shape == wanted[: 2 if self.several else 1]:
                wrong = ~((target >= 0) & (target < num_values) & (target == target.long()))
                if not wrong.any():
                    return
                raise UserError(
                    f"data: expected a target of whole numbers from 0 to {num_values - 1}, since there are {what}; row "
                    f"{int(wrong.nonzero()[0, 0]) + 1} of a batch has {target[wrong][0]}. Number classes from 0, or "
                    "say what is to be predicted: task=..."
                )
        raise UserError(
            f"model: expected outputs (N, {num}) and a target {shape} for {what}; got outputs {shape_of(outputs)} and "
            f"a target {shape_of(target)}. Give the model {num} outputs, or say what is to be predicted: task=..."
        )

    def own_metrics(self, ranking: bool, per_class: bool) -> tuple[dict[str, Metric], dict[str, Metric]]:
        """Return accuracy, and of the others those of the second of two classes, or their means over classes."""
        import torchmetrics as tm

        num, binary = len(self.classes), self.name == "binary"
        shared: dict[str, Any] = {"task": self.name, "num_classes": num, "num_labels": num}
        shared |= {"validate_args": False, "sync_on_compute": False}  # see `rosenblatt.tasks.epoch`
        kinds: dict[str, Any] = {"f1": tm.F1Score, "precision": tm.Precision, "recall": tm.Recall}
        decided: dict[str, Metric] = {"acc": tm.Accuracy(average="micro", **shared)}
        decided |= {name: make(average="macro", **shared) for name, make in kinds.items()}
        if per_class and not binary:
            decided |= {f"class_{name}": make(average="none", **shared) for name, make in kinds.items()}
        ranked: dict[str, Any] = {"auroc": tm.AUROC, "ap": tm.AveragePrecision} if ranking else {}
        prefix = "" if binary else "class_"
        return decided, {f"{prefix}{name}": make(average="none", **shared) for name, make in ranked.items()}

    def tempered(self, logits: Tensor) -> Tensor:
        """Return logits divided by the temperature."""
        return logits if self.temperature == 1 else logits / self.temperature

    def decide(self, scores: Tensor) -> Tensor:
        """Return classes (N,) int64, or (N, num_labels) uint8 of 0 and 1."""
        above = scores > torch.as_tensor(self.threshold, dtype=torch.float32, device=scores.device)
        return above.to(torch.uint8 if self.several else torch.int64)

    def confidence(self, scores: Tensor, preds: Tensor) -> Tensor:
        """Return the probability of what is predicted, of the shape of ``preds``."""
        # In float64: in float32 one less 1e-8 is one, and rows that are sure in different degrees would tie.
        return torch.where(preds == 1, scores.double(), 1 - scores.double())

    def tuned(self: Self, outputs: Tensor, target: Tensor, decision: Decision) -> Self:
        """Return the task with the temperature, and the threshold, that validation says."""
        self.check_decision(decision)
        enough = len(target) >= MIN_TEMPERED
        task = replace(self, temperature=fit_temperature(outputs, target)) if decision.temperature and enough else self
        if decision.goal is None:
            return task
        chosen = choose_threshold(decision.goal, task.scores(outputs), target, self.classes, decision.at_least)
        return replace(task, threshold=tuple(chosen) if self.several else chosen[0])

    def decision_figures(self) -> dict[str, Any]:
        """Return threshold and temperature."""
        threshold = list(self.threshold) if isinstance(self.threshold, tuple) else self.threshold
        return {"threshold": threshold, "temperature": self.temperature}

    def intervals(self, scores: Tensor, target: Tensor, ranking: bool) -> dict[str, Interval]:
        """Return Wilson's interval of accuracy, and bootstrapped ones of the other metrics, the loss aside.

        What would take many seconds is left out: ``auroc`` and ``ap``, and of millions of rows the others.
        """
        scores, target = scores.cpu(), target.cpu()
        preds, num_rows, ranked = self.decide(scores), len(target), scores.numel()
        right = (preds == target).view(num_rows, -1).all(dim=1)  # (N,) or (N, num_labels) -> (N,)
        found = {"acc": wilson(int(right.sum()), num_rows)}
        num = num_replicates(num_rows)
        if num * num_rows > MOST_WORK:
            return found
        kinds: list[Replicates] = [CountScores(scores, preds, target, len(self.classes))]
        if ranking and self.ranks_cheaply and num_replicates(ranked) * ranked <= MOST_WORK:
            num = num_replicates(ranked)
            kinds.append(RankingScores(scores, target))
        return found | resampled(kinds, num_rows, num)

    def shares(self, target: Tensor) -> Tensor:
        """Return the share of each class, (num_classes,): of training rows, or of these where nobody counted those."""
        known = self if self.class_counts else self.counted(target)
        return (torch.tensor(known.class_counts) / known.num_rows).clamp(1e-7, 1 - 1e-7)

    def baseline_outputs(self, target: Tensor) -> Tensor:
        """Return the logits of the share of the second class, or of each label."""
        return self.shares(target).logit()[-self.num_outputs :].expand(len(target), -1)

    def more_figures(self, outputs: Tensor, target: Tensor) -> dict[str, float]:
        """Return the calibration error, and where there is a temperature, the one without it."""
        found = {"ece": calibration_error(self.scores(outputs), target)}
        if self.temperature != 1:
            found["ece_uncalibrated"] = calibration_error(replace(self, temperature=1.0).scores(outputs), target)
        return found

    def notes(self, figures: Mapping[str, Any], split: str, decision: Decision) -> list[tuple[str, str]]:
        """Return what there is to say of threshold and calibration."""
        notes = []
        value = self.threshold
        if decision.goal is not None:
            shown = f"{value:.4f}" if isinstance(value, float) else f"{min(value):.4f} to {max(value):.4f}, by label"
            words = {"accuracy": "the most rows right", "f1": "the largest F1", "youden": "the largest Youden index"}
            what = words.get(decision.goal, f"the most recall at a precision of {decision.at_least}")
            notes.append(("threshold", f"{shown}: {what} on validation"))
        elif value != 0.5:
            notes.append(("threshold", f"{value:g}" if isinstance(value, float) else str(list(value))))
        if f"{split}/ece_uncalibrated" in figures:
            before, now = figures[f"{split}/ece_uncalibrated"], figures[f"{split}/ece"]
            notes.append(
                ("calibration", f"error {before:.4f} before, {now:.4f} with temperature {self.temperature:.3f}")
            )
        return notes

    def arrays(self, outputs: Tensor, target: Tensor) -> dict[str, Arrays | str]:
        """Return confusions, curves and reliability."""
        probs = self.scores(outputs)
        found: dict[str, Arrays | str] = {"confusion": confusions(self.decide(probs), target, self.classes)}
        if not probs.isfinite().all():
            return found | dict.fromkeys(
                ("roc", "precision_recall", "reliability"), "some probabilities are no numbers"
            )
        found["roc"], found["precision_recall"] = ranking_curves(probs, target, self.classes)
        before = None if self.temperature == 1 else replace(self, temperature=1.0).scores(outputs)
        return found | {"reliability": reliability_curves(probs, target, self.classes, before)}

    def questions(self, outputs: Tensor, target: Tensor, at_most: int) -> list[OneAgainstRest]:
        """Return whether a row is of each class."""
        return one_against_rest(self.scores(outputs), target, self.classes, at_most)

    def table(self, targets: Mapping[str, Tensor]) -> DataTable:
        """Return the rows of each class in each split, the most frequent ones of the first split first."""
        counts = [class_counts(target, len(self.classes)).tolist() for target in targets.values()]
        order = sorted(range(len(self.classes)), key=lambda k: -counts[0][k])
        rows = [[self.classes[k], *(f"{one[k]:,}" for one in counts)] for k in order[:MAX_LINES]]
        if rest := order[MAX_LINES:]:
            rows.append([f"{len(rest):,} more", *(f"{sum(one[k] for k in rest):,}" for one in counts)])
        rows.append(["rows", *(f"{len(target):,}" for target in targets.values())])
        return DataTable(["class", *targets], rows, "A row may have several labels, or none." if self.several else "")

    def named_outputs(self) -> dict[int, str]:
        """Return the classes, the most frequent ones first."""
        counts = self.class_counts or [0] * len(self.classes)
        return {k: self.classes[k] for k in sorted(range(len(self.classes)), key=lambda k: -counts[k])}

    def predictions(self, scores: Tensor) -> pl.DataFrame:
        """Return ``prediction``, a name, and its ``probability``."""
        decided = self.decide(scores)
        names = pl.Series(self.classes, dtype=pl.String).gather(decided.numpy())
        probability = self.confidence(scores, decided).to(scores.dtype)
        frame = pl.DataFrame({"prediction": names, "probability": probability.numpy()})
        return frame.with_columns(pl.when(pl.col("probability").is_not_nan()).then(pl.all()))

    def of_every_class(self, scores: Tensor) -> Tensor:
        """Return probabilities (N, num_classes) from scores."""
        return torch.stack([1 - scores, scores], dim=1) if scores.ndim == 1 else scores

    def score_columns(self, scores: Tensor) -> pl.DataFrame:
        """Return the probability of each class, a column each."""
        names = [f"probability of {name}" for name in self.classes]
        return pl.DataFrame(self.of_every_class(scores).numpy(), schema=names, orient="row")

    def labels_of(self, target: Tensor) -> list[Any]:
        """Return the name of the class of each row."""
        return [self.classes[number] for number in target.long().tolist()]

    def mistakes(self, scores: Tensor, target: Tensor, at_most: int) -> list[int]:
        """Return the rows with a wrong class or label, the most confident in it first."""
        preds = self.decide(scores)
        wrong = preds != target
        confidence = self.confidence(scores, preds).where(wrong, 0)
        if self.several:
            wrong, confidence = wrong.any(dim=1), confidence.amax(dim=1)  # (N, num_labels) -> (N,)
        rows = wrong.nonzero().flatten()  # (num_wrong, 1) -> (num_wrong,)
        order = confidence[rows].argsort(descending=True, stable=True)
        numbers: list[int] = rows[order[:at_most]].tolist()
        return numbers

    def counted(self: Self, target: Tensor) -> Self:
        """Return the task with how many rows of this training target have each class."""
        counts = class_counts(target, len(self.classes)).tolist()
        return replace(self, class_counts=tuple(counts), num_rows=target.shape[0])

    def balanced(self) -> Tensor:
        """Return weights with which each class counts the same: num_rows / (num_classes * count), as scikit-learn."""
        counts = torch.tensor(self.class_counts, dtype=torch.float32).clamp(min=1)
        return self.num_rows / (len(self.classes) * counts)


class ClassLoss(nn.Module):
    """Cross-entropy on logits with optional class weights and label smoothing, or a squared hinge; the mean over rows.

    Args:
        task: what the logits are of.
        class_weights: ``None`` (each row counts the same), ``"balanced"`` (each class counts the same), or one number
            a class.
        label_smoothing: share of the target spread evenly over the classes, in [0, 1) (Szegedy et al. 2016).

    Raises:
        UserError: smoothing outside of [0, 1); an unknown word, a wrong number of weights, or counts that nobody knows.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        task: Classification,
        class_weights: ClassWeights = None,
        label_smoothing: float = 0.0,
        margin: float | None = None,
    ) -> None:
        super().__init__()
        if margin is not None and not (margin > 0 and label_smoothing == 0):
            raise UserError(
                f"loss.margin: expected a number above 0, and no loss.label_smoothing beside it; got {margin} and "
                f"{label_smoothing}."
            )
        if not 0 <= label_smoothing < 1:
            raise UserError(f"loss.label_smoothing: expected a number from 0 to below 1; got {label_smoothing}.")
        self.task = task
        self.label_smoothing, self.margin = label_smoothing, margin
        self.register_buffer("class_weights", _weights(task, class_weights), persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss of N rows, a scalar; arguments as for `Classification.cross_entropy`."""
        if self.margin is not None:
            return self.task.squared_hinge(logits, target, self.class_weights, self.margin)
        return self.task.cross_entropy(logits, target, self.class_weights, self.label_smoothing)


def _weights(task: Classification, given: ClassWeights) -> Tensor | None:
    """Return what each class weighs in the loss, (num_classes,) float32; ``None``: all the same."""
    if given is None:
        return None
    if isinstance(given, str):
        check_choice("loss.class_weights", given, ["balanced"])
        if not task.class_counts:
            raise UserError(
                "loss.class_weights=balanced: nobody has counted the classes of these data. Give a number for "
                f"each: loss.class_weights=[{','.join(['1'] * len(task.classes))}]"
            )
        return task.balanced()
    if len(given) != len(task.classes):
        raise UserError(
            f"loss.class_weights: expected {len(task.classes)} numbers, one for each of {', '.join(task.classes)}; "
            f"got {len(given)}."
        )
    if not all(0 <= weight < math.inf for weight in given):
        raise UserError(f"loss.class_weights: expected numbers of at least 0; got {given}.")
    return torch.tensor(given, dtype=torch.float32)


def shape_of(value: Any) -> str:
    """Return shape and kind of a tensor in words, or the type of anything else."""
    return f"{tuple(value.shape)} of {value.dtype}" if isinstance(value, Tensor) else f"of type {type(value).__name__}"
