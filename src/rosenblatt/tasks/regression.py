"""Numbers: one output a row, and an interval around it that holds nine of ten new ones, whatever the model.

Intervals are those of split conformal prediction: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, "Distribution-Free
Predictive Inference for Regression" (2018), algorithm 2; how sure the share is for few rows: Vovk, "Conditional
validity of inductive conformal predictors" (2012).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from rosenblatt.errors import UserError
from rosenblatt.tasks.arrays import Arrays, DataTable, PredictedNumbers, Residuals
from rosenblatt.tasks.classification import shape_of
from rosenblatt.tasks.counts import explained
from rosenblatt.tasks.intervals import Interval, Scores, num_replicates, resampled
from rosenblatt.tasks.task import Task
from rosenblatt.tasks.threshold import Decision

if TYPE_CHECKING:  # torchmetrics takes as long to import as torch, and predicting does without
    from torchmetrics import Metric

LEVEL = 0.9  # share of new rows that are to be inside
FEW = 400  # validation rows below which it is told how sure intervals are
MAX_ROWS = 20_000  # that are drawn


class ScaledLoss(nn.Module):
    """A loss that is called with outputs (N,) and a target (N,) in standard deviations of the training rows."""

    def __init__(self, loss: nn.Module, mean: float, std: float) -> None:
        super().__init__()
        self.loss, self.mean, self.std = loss, mean, std

    def forward(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return the loss of outputs (N, 1) or (N,) and a target (N,) or (N, 1) in its own units."""
        scaled = ((target.flatten() - self.mean) / self.std).to(outputs.dtype)
        loss: Tensor = self.loss(outputs.flatten(), scaled)  # (N, 1) -> (N,), else they would be paired each with each
        return loss


@dataclass(frozen=True)
class Regression(Task):
    """A number a row; an output (N, 1) in standard deviations of the training rows, a target (N,) in its own units.

    Attributes:
        mean: of the target of the training rows.
        std: of the same; 0 is taken for 1.
        radius: half the width of prediction intervals, in units of the target; ``None``: not known yet.
        num_validation: rows that it was read from.
    """

    name: ClassVar[str] = "regression"
    needs_validation: ClassVar[bool] = True
    spread: ClassVar[float] = 1.0  # a standard deviation
    score: ClassVar[str] = "r2"
    baseline_title: ClassVar[str] = "mean"
    unit: ClassVar[str] = "prediction"

    mean: float = 0.0
    std: float = 1.0
    radius: float | None = None
    num_validation: int = 0

    @property
    def described(self) -> str:
        """The task in a few words."""
        return f"regression, mean {self.mean:.5g}, standard deviation {self.std:.5g}" if self.num_rows else "regression"

    @property
    def scale(self) -> float:
        """The standard deviation of the training target."""
        return self.std or 1.0

    def loss(self, **settings: Any) -> nn.Module:
        """Return the mean squared error, in variances of the target; margins and smoothed labels are for classes."""
        of_classes = ("label_smoothing", "margin")
        given = [name for name, value in settings.items() if value is not None and name not in of_classes]
        if given:
            raise UserError(f"loss.{given[0]}: numbers have no classes. Leave it out; there is loss=mae, loss=huber.")
        return self.seen_by(nn.MSELoss())

    def seen_by(self, loss: nn.Module) -> nn.Module:
        """Return a loss that is called with scaled numbers of one shape."""
        return ScaledLoss(loss, self.mean, self.scale)

    def check(self, outputs: Any, target: Any) -> None:
        """Raise a `UserError` unless there is one number a row, and a target of finite numbers."""
        both = isinstance(outputs, Tensor) and isinstance(target, Tensor)
        if not both or outputs.ndim == 0 or not outputs.numel() == len(outputs) == target.numel():
            raise UserError(
                f"model: expected outputs (N, 1) for numbers; got outputs {shape_of(outputs)} and a target "
                f"{shape_of(target)}. Give the model one output, or say what is to be predicted: task=..."
            )
        if not target.isfinite().all():
            row = int((~target.flatten().isfinite()).nonzero()[0])
            raise UserError(f"data: expected numbers to predict; row {row + 1} of a batch has {target.flatten()[row]}.")

    def own_metrics(self, ranking: bool, per_class: bool) -> tuple[dict[str, Metric], dict[str, Metric]]:
        """Return root mean squared error, mean absolute error, and the share of the variance that is explained."""
        import torchmetrics as tm

        from rosenblatt.tasks.epoch import R2

        found: dict[str, Metric] = {
            "rmse": tm.MeanSquaredError(squared=False, sync_on_compute=False),
            "mae": tm.MeanAbsoluteError(sync_on_compute=False),
            "r2": R2(self.mean, sync_on_compute=False),
        }
        for metric in found.values():
            metric.set_dtype(torch.float64)  # sums of squares of prices lose their digits in 32 bits
        return found, {}

    def with_metrics(self, metrics: Mapping[str, Metric]) -> Regression:
        """Return the task with metrics of somebody's own, which get numbers in 64 bits and keep them so."""
        return super().with_metrics({name: metric.clone().set_dtype(torch.float64) for name, metric in metrics.items()})

    def scores(self, outputs: Tensor) -> Tensor:
        """Return numbers (N,) float64 in the target's units."""
        return outputs.flatten().double() * self.scale + self.mean

    def counted(self, target: Tensor) -> Regression:
        """Return the task for numbers like these training ones."""
        numbers = target.flatten().double()
        return replace(self, num_rows=len(numbers), mean=float(numbers.mean()), std=float(numbers.std(correction=0)))

    def check_decision(self, decision: Decision) -> None:
        """Raise a `UserError` for a threshold or a temperature."""
        if decision.by_validation:
            raise UserError("threshold, calibration: numbers have no classes to decide between. Leave them out.")

    def tuned(self, outputs: Tensor, target: Tensor, decision: Decision) -> Regression:
        """Return the task with the radius that holds nine of ten validation rows."""
        self.check_decision(decision)
        radius = radius_of(self.scores(outputs) - target.flatten())
        return replace(self, radius=radius, num_validation=len(target))

    def decision_figures(self) -> dict[str, Any]:
        """Return half the width of prediction intervals."""
        return {} if self.radius is None else {"radius": self.radius}

    def intervals(self, scores: Tensor, target: Tensor, ranking: bool) -> dict[str, Interval]:
        """Return bootstrapped intervals of all metrics."""
        if len(target) < 2:
            return {}
        target, error = target.flatten().double(), scores.double() - target.flatten().double()
        centred = target - target.mean()  # the same R2, with all its digits
        columns = torch.stack([error.square(), error.abs(), centred, centred.square()], dim=1)  # (N, 4)

        def replicates(weights: Tensor) -> Scores:
            squares, distances, total, total_squares = (weights.double() @ columns).T  # (B,) each
            num_rows = weights.sum(dim=1).double()
            r2 = explained(squares, total, total_squares, num_rows)
            return {"rmse": (squares / num_rows).sqrt(), "mae": distances / num_rows, "r2": r2}

        return resampled([replicates], len(target), num_replicates(len(target)))

    def baseline_outputs(self, target: Tensor) -> Tensor:
        """Return the mean of the training rows, which is 0."""
        return torch.zeros(len(target), 1)

    def more_figures(self, outputs: Tensor, target: Tensor) -> dict[str, float]:
        """Return the share of rows within their prediction intervals."""
        if self.radius is None:
            return {}
        distances = (self.scores(outputs) - target.flatten()).abs()
        return {"inside": float((distances <= self.radius).double().mean())}

    def arrays(self, outputs: Tensor, target: Tensor) -> dict[str, Arrays | str]:
        """Return predicted against true numbers, and residuals, of rows where both are finite."""
        preds, target = self.scores(outputs), target.flatten().double()
        places = (preds.isfinite() & target.isfinite()).nonzero().flatten()
        if len(places) == 0:
            return dict.fromkeys(("predicted", "residuals"), "no row has a prediction that is a number")
        some = places[torch.linspace(0, len(places) - 1, min(len(places), MAX_ROWS)).round().long()]
        note = f"{len(some):,} of {len(target):,} rows" if len(some) < len(target) else ""
        radius = None if self.radius is None or math.isinf(self.radius) else self.radius
        found = PredictedNumbers(target[some].numpy(), preds[some].numpy(), radius, note)
        return {"predicted": found, "residuals": Residuals(*found)}

    def table(self, targets: Mapping[str, Tensor]) -> DataTable:
        """Return mean, spread and ends of the numbers."""
        numbers = [target.flatten().double() for target in targets.values()]
        kinds: dict[str, Callable[[Tensor], Tensor]] = {
            "mean": torch.mean,
            "standard deviation": lambda one: one.std(correction=0),
            "median": torch.median,
            "smallest": torch.min,
            "largest": torch.max,
        }
        rows = [[word, *(f"{float(kind(one)):.6g}" for one in numbers)] for word, kind in kinds.items()]
        rows.append(["rows", *(f"{len(one):,}" for one in numbers)])
        return DataTable(["number", *targets], rows)

    def named_outputs(self) -> dict[int, str]:
        """Return the one output."""
        return {0: "the number"}

    def notes(self, figures: Mapping[str, Any], split: str, decision: Decision) -> list[tuple[str, str]]:
        """Return how wide prediction intervals are, how many rows are inside, and of few rows how sure that is."""
        if self.radius is None:
            return []
        wanted = f"{LEVEL:.0%}"
        if math.isinf(self.radius):
            return [("intervals", f"none: {self.num_validation} validation rows are too few for {wanted}")]
        note = f"{wanted} within ± {self.radius:.5g}"
        if f"{split}/inside" in figures:
            note += f"; of {split} {figures[f'{split}/inside']:.1%} are"
        if self.num_validation < FEW:
            low, high = share_inside(self.num_validation)
            note += f" ({self.num_validation} validation rows: it may be {low:.0%} to {high:.0%} of new ones)"
        return [("intervals", note)]

    def predictions(self, scores: Tensor) -> pl.DataFrame:
        """Return ``prediction``, and ``low`` and ``high``, between which nine of ten are."""
        frame = pl.DataFrame({"prediction": scores.numpy()})
        if self.radius is not None and math.isfinite(self.radius):
            number = pl.col("prediction")
            frame = frame.with_columns((number - self.radius).alias("low"), (number + self.radius).alias("high"))
        return frame.with_columns(pl.when(pl.col("prediction").is_not_nan()).then(pl.all()))

    def mistakes(self, scores: Tensor, target: Tensor, at_most: int) -> list[int]:
        """Return the rows that are farthest off, the farthest first."""
        order: list[int] = (scores - target.flatten()).abs().argsort(descending=True, stable=True)[:at_most].tolist()
        return order


def rank_of(num_rows: int) -> int:
    """Return which of the residuals by size, counted from 1, new ones stay below with probability `LEVEL`."""
    return math.ceil((num_rows + 1) * LEVEL)


def radius_of(residuals: Tensor) -> float:
    """Return how far from its prediction a new number is at most, with probability `LEVEL`.

    It is infinity where there are too few residuals (N,), of rows that the model was not trained on: fewer than 9.
    """
    rank = rank_of(len(residuals))
    if rank > len(residuals):
        return math.inf
    return float(residuals.abs().double().sort().values[rank - 1])


def share_inside(num_rows: int) -> tuple[float, float]:
    """Return between which shares of all new rows are inside, for 95 of 100 sets of as many validation rows.

    It is the interval of a Beta(k, N + 1 - k) distribution, k being `rank_of`.
    """
    rank = rank_of(num_rows)
    if rank > num_rows:
        return 1.0, 1.0
    low, high = (_beta_quantile(share, rank, num_rows + 1 - rank) for share in (0.025, 0.975))
    return low, high


def _beta_quantile(share: float, a: int, b: int) -> float:
    """Return a quantile of a Beta distribution by halving; whole parameters make it a sum of binomial terms."""
    num = a + b - 1  # P(Beta(a, b) <= x) = P(Binomial(num, x) >= a)
    hits = np.arange(a, num + 1)
    ways = [math.lgamma(num + 1) - math.lgamma(one + 1) - math.lgamma(num - one + 1) for one in hits.tolist()]
    low, high = 0.0, 1.0
    for _ in range(50):
        x = (low + high) / 2
        terms = np.exp(np.array(ways) + hits * math.log(x) + (num - hits) * math.log1p(-x))
        low, high = (x, high) if terms.sum() < share else (low, x)
    return (low + high) / 2
