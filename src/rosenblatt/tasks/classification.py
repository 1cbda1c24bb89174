"""What the three tasks with classes have in common: class weights, thresholds, calibration, the majority class."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import polars as pl
import torch
from torch import Tensor, nn

from rosenblatt.errors import UserError, check_choice
from rosenblatt.tasks.arrays import Arrays, DataTable
from rosenblatt.tasks.calibration import calibration_error, fit_temperature
from rosenblatt.tasks.counts import class_counts
from rosenblatt.tasks.examination import OneAgainstRest, class_table, classification_arrays, one_against_rest
from rosenblatt.tasks.intervals import Interval, class_intervals
from rosenblatt.tasks.task import Decision, Task

Self = TypeVar("Self", bound="Classification")
ClassWeights = Literal["balanced"] | list[float] | None
MAX_RANKED = 50  # classes up to which AUROC and average precision cost little: they sort all rows for each class
SHARED: dict[str, Any] = {"validate_args": False, "sync_on_compute": False}  # see `rosenblatt.tasks.epoch`


@dataclass(frozen=True)
class Classification(Task):
    """Classes to choose from.

    Attributes:
        class_counts: training rows of each class; empty: not known.
        threshold: probability strictly above which the second of two classes, or a label, is predicted; for labels
            also one for each.
        temperature: that logits are divided by.
    """

    class_counts: tuple[int, ...] = ()
    threshold: float | tuple[float, ...] = 0.5
    temperature: float = 1.0

    def __post_init__(self) -> None:
        num = self.num_outputs
        if isinstance(self.threshold, tuple) and len(self.threshold) != num:
            each = "" if num == 1 else f", or one for each of the {num} labels"
            raise UserError(f"threshold: expected one number{each}; got {len(self.threshold)}.")

    @property
    def num_outputs(self) -> int:
        """The number of logits per row."""
        return len(self.classes)

    @property
    def ranks_cheaply(self) -> bool:
        """Whether there are few enough classes to sort all rows for each after every epoch."""
        return len(self.classes) <= MAX_RANKED

    @property
    def described(self) -> str:
        """The task in a few words."""
        return f"{self.name}, {len(self.classes)} classes"

    @abstractmethod
    def gaps(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return how far logits are on the wrong side, float64: what `calibration.fit_temperature` works on."""

    def at_threshold(self: Self, threshold: float) -> Self:
        """Return the task with a threshold that is given."""
        return replace(self, threshold=float(threshold))

    def tempered(self, logits: Tensor) -> Tensor:
        """Return logits divided by the temperature."""
        return logits if self.temperature == 1 else logits / self.temperature

    def calibrated(self: Self, logits: Tensor, target: Tensor) -> Self:
        """Return the task with the temperature that makes these rows the most likely."""
        gaps = self.gaps(logits.double(), target)
        return replace(self, temperature=fit_temperature(gaps, softmax=self.name == "multiclass"))

    def tuned(self: Self, outputs: Tensor, target: Tensor, decision: Decision) -> Self:
        """Return the task with the temperature, and the threshold, that validation says."""
        task = self.calibrated(outputs, target) if decision.temperature else self
        return task if decision.goal is None else task.with_threshold(task.scores(outputs), target, decision)

    def with_threshold(self: Self, probs: Tensor, target: Tensor, decision: Decision) -> Self:
        """Return the task with the threshold that does best on these rows."""
        raise UserError(
            "threshold: with more than two classes the most probable one is predicted, so there is no threshold to "
            "choose. Leave threshold=fixed, or set task=multilabel where several classes can be right."
        )

    def decision_figures(self) -> dict[str, Any]:
        """Return threshold and temperature."""
        threshold = list(self.threshold) if isinstance(self.threshold, tuple) else self.threshold
        return {"threshold": threshold, "temperature": self.temperature}

    def counted_by(self: Self, target: Tensor) -> Self:
        """Return the task with the shares of classes among these rows, where nobody has counted the training rows."""
        return self if self.class_counts else self.counted(target)

    @property
    def shares(self) -> Tensor:
        """Share of each class among the training rows, (num_classes,)."""
        counts = torch.tensor(self.class_counts or [1] * len(self.classes))
        return (counts / (self.num_rows or len(self.classes))).clamp(1e-7, 1 - 1e-7)

    @abstractmethod
    def certainty(self, probs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability of each prediction and whether it is true, flat: for reliability."""

    def intervals(self, scores: Tensor, target: Tensor, ranking: bool) -> dict[str, Interval]:
        """Return intervals of all metrics: Wilson's of accuracy, bootstrapped ones of the others."""
        ranking = ranking and self.ranks_cheaply
        return class_intervals(self.decide(scores), scores, target, len(self.classes), ranking)

    def score_columns(self, scores: Tensor) -> pl.DataFrame:
        """Return the probability of each class, a column each."""
        names = [f"probability of {name}" for name in self.classes]
        return pl.DataFrame(self.of_every_class(scores).numpy(), schema=names, orient="row")

    def of_every_class(self, scores: Tensor) -> Tensor:
        """Return probabilities (N, num_classes) from scores."""
        return scores

    def labels_of(self, target: Tensor) -> list[Any]:
        """Return the name of the class of each row."""
        return [self.classes[number] for number in target.long().tolist()]

    def more_figures(self, outputs: Tensor, target: Tensor) -> dict[str, float]:
        """Return the calibration error, and where there is a temperature, the one without it."""
        found = {"ece": calibration_error(*self.certainty(self.scores(outputs), target))}
        if self.temperature != 1:
            before = replace(self, temperature=1.0).scores(outputs)
            found["ece_uncalibrated"] = calibration_error(*self.certainty(before, target))
        return found

    def arrays(self, outputs: Tensor, target: Tensor) -> dict[str, Arrays | str]:
        """Return confusions, curves and reliability."""
        scores = self.scores(outputs)
        before = None if self.temperature == 1 else replace(self, temperature=1.0).scores(outputs)
        return classification_arrays(scores, self.decide(scores), target, self.classes, before)

    def questions(self, outputs: Tensor, target: Tensor, at_most: int) -> list[OneAgainstRest]:
        """Return whether a row is of each class."""
        return one_against_rest(self.scores(outputs), target, self.classes, at_most)

    def table(self, targets: Mapping[str, Tensor]) -> DataTable:
        """Return the rows of each class."""
        return class_table(self.classes, targets)

    def named_outputs(self) -> dict[int, str]:
        """Return the classes, the most frequent ones first."""
        counts = self.class_counts or [0] * len(self.classes)
        return {k: self.classes[k] for k in sorted(range(len(self.classes)), key=lambda k: -counts[k])}

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

    def weights(self, class_weights: ClassWeights) -> Tensor | None:
        """Return what each class weighs in the loss, (num_classes,) float32; ``None``: all the same.

        Args:
            class_weights: ``None`` (each row counts the same), ``"balanced"`` (each class counts the same), or one
                number a class.

        Raises:
            UserError: an unknown word, a wrong number of weights, or counts that nobody knows.
        """
        if class_weights is None:
            return None
        if isinstance(class_weights, str):
            check_choice("loss.class_weights", class_weights, ["balanced"])
            if not self.class_counts:
                raise UserError(
                    "loss.class_weights=balanced: nobody has counted the classes of these data. Give a number for "
                    f"each: loss.class_weights=[{','.join(['1'] * len(self.classes))}]"
                )
            return self.balanced()
        if len(class_weights) != len(self.classes):
            raise UserError(
                f"loss.class_weights: expected {len(self.classes)} numbers, one for each of {', '.join(self.classes)};"
                f" got {len(class_weights)}."
            )
        if not all(0 <= weight < math.inf for weight in class_weights):
            raise UserError(f"loss.class_weights: expected numbers of at least 0; got {class_weights}.")
        return torch.tensor(class_weights, dtype=torch.float32)

    def counted(self: Self, target: Tensor) -> Self:
        """Return the task with how many rows of this training target have each class."""
        counts = class_counts(target, len(self.classes)).tolist()
        return replace(self, class_counts=tuple(counts), num_rows=target.shape[0])

    def balanced(self) -> Tensor:
        """Return weights with which each class counts the same: num_rows / (num_classes * count), as scikit-learn."""
        counts = torch.tensor(self.class_counts, dtype=torch.float32).clamp(min=1)
        return self.num_rows / (len(self.classes) * counts)


class ClassLoss(nn.Module):
    """A loss on logits with optional class weights and label smoothing; the mean over rows.

    Args:
        task: what the logits are of.
        class_weights: see `Classification.weights`.
        label_smoothing: share of the target spread evenly over the classes, in [0, 1) (Szegedy et al. 2016).

    Raises:
        UserError: smoothing outside of [0, 1), class weights that are none.
    """

    class_weights: Tensor | None

    def __init__(self, task: Classification, class_weights: ClassWeights = None, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise UserError(f"loss.label_smoothing: expected a number from 0 to below 1; got {label_smoothing}.")
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weights", task.weights(class_weights), persistent=False)


def check_logits(outputs: Any, target: Any, num_outputs: int, num_values: int, dims: int, what: str) -> None:
    """Raise a `UserError` unless outputs are logits (N, num_outputs), and target has N rows of class numbers.

    Args:
        outputs: of a batch.
        target: of the same batch.
        num_outputs: that there are to be.
        num_values: that a target may have, from 0 on.
        dims: of the target, 1 or 2.
        what: the target in words, for the message.
    """
    if isinstance(outputs, Tensor) and isinstance(target, Tensor) and outputs.ndim == 2:
        wanted = (len(outputs), num_outputs)
        if outputs.shape == wanted and target.shape == wanted[:dims]:
            wrong = ~((target >= 0) & (target < num_values) & (target == target.long()))
            if not wrong.any():
                return
            raise UserError(
                f"data: expected a target of whole numbers from 0 to {num_values - 1}, since there are {what}; row "
                f"{int(wrong.nonzero()[0, 0]) + 1} of a batch has {target[wrong][0]}. Number classes from 0, or say "
                "what is to be predicted: task=..."
            )
    shape = "(N,)" if dims == 1 else f"(N, {num_outputs})"
    raise UserError(
        f"model: expected outputs (N, {num_outputs}) and a target {shape} for {what}; got outputs {shape_of(outputs)} "
        f"and a target {shape_of(target)}. Give the model {num_outputs} outputs, or say what is to be predicted: "
        "task=..."
    )


def shape_of(value: Any) -> str:
    """Return shape and kind of a tensor in words, or the type of anything else."""
    return f"{tuple(value.shape)} of {value.dtype}" if isinstance(value, Tensor) else f"of type {type(value).__name__}"


def class_names(num_classes: int) -> tuple[str, ...]:
    """Return names for classes that nobody has named: their numbers."""
    return tuple(str(number) for number in range(num_classes))


def named(classes: tuple[str, ...], decided: Tensor, probability: Tensor) -> pl.DataFrame:
    """Return class numbers (N,) as names with their probability, null where that is NaN."""
    names = pl.Series("prediction", classes, dtype=pl.String)
    frame = pl.DataFrame({"prediction": names.gather(decided.numpy()), "probability": probability.numpy()})
    return frame.with_columns(pl.when(pl.col("probability").is_not_nan()).then(pl.all()))


def most(confidence: Tensor, wrong: Tensor, at_most: int) -> list[int]:
    """Return the numbers of the rows that are wrong, the largest confidence first."""
    rows = wrong.nonzero().flatten()  # (num_wrong, 1) -> (num_wrong,)
    order = confidence[rows].argsort(descending=True, stable=True)
    numbers: list[int] = rows[order[:at_most]].tolist()
    return numbers
