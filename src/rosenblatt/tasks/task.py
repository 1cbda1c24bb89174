"""What every task can do: make a loss and metrics, turn outputs into what is predicted, and say how good that is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import polars as pl
from torch import Tensor, nn

from rosenblatt.tasks.arrays import Arrays, DataTable
from rosenblatt.tasks.examination import OneAgainstRest
from rosenblatt.tasks.intervals import Interval
from rosenblatt.tasks.threshold import Decision

if TYPE_CHECKING:  # torchmetrics takes as long to import as torch, and predicting does without
    from torchmetrics import Metric

Self = TypeVar("Self", bound="Task")
MAX_RANKED = 50  # classes up to which AUROC and average precision cost little


@dataclass(frozen=True)
class Task(ABC):
    """What there is to predict; a value, which a model folder keeps.

    Attributes:
        name: as ``task=`` says it.
        classes: their names, in the order of the target's numbers; none where there are no classes.
        num_rows: training rows that it was learnt from; 0: not known.
        metrics: torchmetrics on `scores` and target, by name, beside the task's own.
    """

    name: ClassVar[str]
    needs_validation: ClassVar[bool] = False  # whether something is always chosen on it
    spread: ClassVar[float] = 4.0  # of outputs that are sure: a logit of 4 is a probability of 0.98
    score: ClassVar[str] = "acc"  # the metric, to be high, that is called ``score`` whatever the task is

    classes: tuple[str, ...] = ()
    num_rows: int = 0
    metrics: Mapping[str, Metric] = field(default_factory=dict, compare=False, repr=False, kw_only=True)

    @property
    def num_outputs(self) -> int:
        """The number of outputs per row."""
        return len(self.classes) or 1

    @property
    def ranks_cheaply(self) -> bool:
        """Whether metrics that sort all rows for each class cost little enough to be computed after each epoch."""
        return len(self.classes) <= MAX_RANKED

    @property
    def described(self) -> str:
        """The task in a few words."""
        return f"{self.name}, {len(self.classes)} classes"

    @abstractmethod
    def loss(self, **settings: Any) -> nn.Module:
        """Return the loss that is taken where none is named; with the settings under ``loss``."""

    def seen_by(self, loss: nn.Module) -> nn.Module:
        """Return a loss of somebody's own that is called with outputs and target as this task has them."""
        return loss

    @abstractmethod
    def check(self, outputs: Any, target: Any) -> None:
        """Raise a `UserError` unless outputs and target of a batch are of this task."""

    @abstractmethod
    def own_metrics(self, ranking: bool, per_class: bool) -> tuple[dict[str, Metric], dict[str, Metric]]:
        """Return the metrics of this task: those of decisions, and those of scores.

        Args:
            ranking: also those that keep the scores of all rows.
            per_class: also those of every class by itself, under ``class_...``.
        """

    @abstractmethod
    def scores(self, outputs: Tensor) -> Tensor:
        """Return what outputs mean: probabilities, or numbers in the label's units."""

    def decide(self, scores: Tensor) -> Tensor:
        """Return what is predicted at these scores."""
        return scores

    def tempered(self, outputs: Tensor) -> Tensor:
        """Return outputs as the loss takes them once decisions are made."""
        return outputs

    def decision_figures(self) -> dict[str, Any]:
        """Return what was decided, as ``metrics.json`` has it."""
        return {}

    @abstractmethod
    def counted(self: Self, target: Tensor) -> Self:
        """Return the task with what this training target, (N,) or (N, num_labels), teaches."""

    def check_decision(self, decision: Decision) -> None:  # noqa: B027 - most tasks take any
        """Raise a `UserError` for what this task has nothing to choose of, before anything is trained."""

    def tuned(self: Self, outputs: Tensor, target: Tensor, decision: Decision) -> Self:
        """Return the task with what outputs (N, num_outputs) and target of the validation rows say of decisions."""
        return self

    @abstractmethod
    def intervals(self, scores: Tensor, target: Tensor, ranking: bool) -> dict[str, Interval]:
        """Return 95 % intervals of metrics, by name."""

    @abstractmethod
    def baseline_outputs(self, target: Tensor) -> Tensor:
        """Return outputs (N, num_outputs) of the model that has seen no features, for the rows of ``target``."""

    baseline_title: ClassVar[str] = "majority"
    unit: ClassVar[str] = "logit"  # that parts of features are in
    above_mean: ClassVar[bool] = False  # whether an output counts by how far it is above the mean of all

    @property
    def scale(self) -> float:
        """What outputs are multiplied by to be in `unit`."""
        return 1.0

    def more_figures(self, outputs: Tensor, target: Tensor) -> dict[str, float]:
        """Return figures of a split beside metrics, such as a calibration error, by name."""
        return {}

    def notes(self, figures: Mapping[str, Any], split: str, decision: Decision) -> list[tuple[str, str]]:
        """Return what there is to say of decisions, as pairs of a word and a note."""
        return []

    @abstractmethod
    def arrays(self, outputs: Tensor, target: Tensor) -> dict[str, Arrays | str]:
        """Return all there is to draw of N rows, by name; or the reason why there is none."""

    def questions(self, outputs: Tensor, target: Tensor, at_most: int) -> list[OneAgainstRest]:
        """Return the questions of yes and no that this task consists of, for precision-recall curves."""
        return []

    @abstractmethod
    def table(self, targets: Mapping[str, Tensor]) -> DataTable:
        """Return what the targets of splits are like, by split."""

    @abstractmethod
    def named_outputs(self) -> dict[int, str]:
        """Return the outputs that features are asked for, by number, the most telling ones first."""

    @abstractmethod
    def predictions(self, scores: Tensor) -> pl.DataFrame:
        """Return a row for each of N, with ``prediction`` and how sure it is; null where scores are NaN."""

    def score_columns(self, scores: Tensor) -> pl.DataFrame | None:
        """Return what ``probabilities=true`` adds: a column for each class; ``None``: there is nothing to add."""
        return None

    def labels_of(self, target: Tensor) -> list[Any]:
        """Return the labels of N rows as people read them."""
        labels: list[Any] = target.flatten().tolist()
        return labels

    @abstractmethod
    def mistakes(self, scores: Tensor, target: Tensor, at_most: int) -> list[int]:
        """Return the rows that are wrong, the worst first."""

    def facts(self) -> dict[str, Any]:
        """Return all that makes this task, as JSON takes it."""
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "metrics"}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in own.items()}

    def with_metrics(self: Self, metrics: Mapping[str, Metric]) -> Self:
        """Return the task with metrics of somebody's own."""
        return replace(self, metrics=dict(metrics))
