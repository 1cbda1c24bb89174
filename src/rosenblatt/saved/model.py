"""A model that is trained: it takes rows as they come, and gives classes or numbers, how sure they are, and reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rosenblatt.data.columns import Columns
from rosenblatt.data.encoder import Encoder, PointEncoder
from rosenblatt.data.features import Features
from rosenblatt.errors import UserError, own_words
from rosenblatt.saved.reasons import Reason, reasons
from rosenblatt.tasks.classification import Classification
from rosenblatt.tasks.regression import Regression
from rosenblatt.tasks.task import Task

Rows: TypeAlias = pl.DataFrame | pl.Series | Sequence[Any] | NDArray[Any] | Mapping[str, Sequence[Any]]
CHUNK = 200_000  # rows that are encoded at a time
MAX_DENSE = 10_000_000  # numbers of dense features that are there at a time: 40 MB, and copies of them


@dataclass(frozen=True)
class Origin:
    """What a model was made of.

    Attributes:
        target: its class, as ``_target_`` names it.
        arguments: of its YAML.
        role: ``model``, or ``module`` for a LightningModule that has its own.
        prefix: of the model's weights among those of the module that has trained it, such as ``model.``.
    """

    target: str
    arguments: dict[str, Any] = field(default_factory=dict)
    role: str = "model"
    prefix: str = "model."


@dataclass
class SavedModel:
    """A model with all that it needs to predict; `rosenblatt.load` returns one.

    Attributes:
        model: gives outputs.
        task: what they mean, with classes in the order of all probabilities; ``None``: the module alone knows.
        encoder: makes features of rows; ``None`` where the data module had none.
        origin: what the model was made of.
        sizes: that the data offered, such as ``num_features`` and ``bags``.
        columns: which columns of a file hold text and label.
        loss: its node in the configuration, to measure as training did; without ``_target_`` the task's own.
        metrics: nodes of metrics beside the task's own, by name.
        batch_size: rows a batch, to measure to the same bits as training did.
        precision: of the Trainer, for the same reason.
        rows: ``split``, ``bytes`` and ``sha256`` of the file with the rows that it was measured on, or ``None``.
        rest: weights of the module that has trained it, by name, which are not the model's.
    """

    model: nn.Module
    task: Task | None
    encoder: Encoder | None
    origin: Origin
    sizes: dict[str, Any] = field(default_factory=dict)
    columns: Columns = field(default_factory=Columns)
    loss: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 4096
    precision: str = "32-true"
    rows: dict[str, Any] | None = None
    rest: dict[str, Tensor] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns of `predict_proba`; none of numbers."""
        return self.known_task.classes

    @property
    def known_task(self) -> Task:
        """The task.

        Raises:
            UserError: there is none.
        """
        if self.task is None:
            raise UserError(
                f"{type(self.model).__name__} has no task, so nobody knows what its outputs mean. Use `.model`, or "
                "predict a split: python scripts/predict.py run=RUN split=test"
            )
        return self.task

    @property
    def state(self) -> dict[str, Tensor]:
        """All weights of the module that has trained the model, by name."""
        return {f"{self.origin.prefix}{name}": one for name, one in self.model.state_dict().items()} | self.rest

    def predict(self, rows: Rows) -> NDArray[Any] | list[list[str]]:
        """Return the class, or the number, of each row.

        Args:
            rows: N texts for a model of texts; a frame (polars, pandas), a mapping of columns or a list of mappings for
                one of tables; for one of points also numbers (N, num_features).

        Returns:
            (N,) names; for multilabel a list of names for each row; for regression numbers (N,) float64, NaN for a row
            that can't be read.

        Raises:
            UserError: a column is missing, or rows are of another kind.
        """
        task = self.known_task
        found = task.predictions(self._scores_of_rows(rows))["prediction"]
        if isinstance(found.dtype, pl.List):
            return found.to_list()
        return found.to_numpy() if found.dtype.is_numeric() else np.array(found.to_list(), dtype=object)

    def predict_proba(self, rows: Rows) -> NDArray[np.float32]:
        """Return probabilities (N, num_classes) float32, in the order of `classes`; see `predict` for rows.

        Raises:
            UserError: numbers are predicted, which have none.
        """
        task = self.known_task
        if not isinstance(task, Classification):
            raise UserError("This model predicts numbers, so there are no classes with probabilities: predict_interval")
        found: NDArray[np.float32] = task.of_every_class(self._scores_of_rows(rows)).numpy()
        return found

    def predict_interval(self, rows: Rows) -> NDArray[np.float64]:
        """Return low and high (N, 2) float64 of each row, between which nine of ten new numbers are; see `predict`.

        Raises:
            UserError: classes are predicted, or validation rows were too few for intervals.
        """
        task = self.known_task
        if not isinstance(task, Regression):
            raise UserError("This model predicts classes, which have probabilities and no intervals: predict_proba")
        found = task.predictions(self._scores_of_rows(rows))
        if "low" not in found.columns:
            raise UserError(
                f"This model has no intervals: they are read off validation rows, and there were {task.num_validation}."
            )
        return found.select("low", "high").cast(pl.Float64).to_numpy()

    def explain(self, rows: Rows, num: int = 10) -> list[list[Reason]]:
        """Return what has moved each prediction, the strongest first.

        For a perceptron the parts of all features and of the bias add up to the logit of the predicted class (of
        several classes: to how far it is above the mean logit), or to the number, with the mean of the training rows;
        for an MLP they are a first-order estimate.

        Args:
            rows: see `predict`.
            num: reasons a row, at most.

        Returns:
            Pairs (name, part) of each row. Names are words or n-grams of a text, ``column = value`` of a table. A
            positive part speaks for the predicted class, a negative one against it; of numbers they are in the units of
            the label.
        """
        return [row for frame in self.slices(self.frame_of(rows)) for row in self.explained(frame, "rows", num)[1]]

    def explained(self, frame: pl.DataFrame, where: str, num: int) -> tuple[Tensor, list[list[Reason]]]:
        """Return scores and reasons of rows as read from a file; see `scores_of_frame` and `explain`."""
        features = self.encode_frame(frame, where)
        scores = self.scores_of(features)
        return scores, reasons(self.model, features, scores, self.known_task, frame, self._known_encoder, num)

    def encode(self, rows: Rows) -> Features:
        """Return the features of N rows: what the model itself, or an exported one, takes."""
        return self.encode_frame(self.frame_of(rows), "rows")

    def scores_of_frame(self, frame: pl.DataFrame, where: str) -> Tensor:
        """Return what the task makes of outputs for rows as read from a file (for messages), NaN where a row has none.

        Returns:
            (N,) probabilities of the second class for binary, (N, num_classes) for other classes; (N,) numbers.
        """
        return self.scores_of(self.encode_frame(frame, where))

    def encode_frame(self, frame: pl.DataFrame, where: str) -> Features:
        """Return the features of rows as read from a file; ``where`` is that file, for messages."""
        return self._known_encoder.encode(frame, self.columns, where)

    def predictions(self, scores: Tensor) -> pl.DataFrame:
        """Return what is predicted of N rows, and how sure it is; see `rosenblatt.tasks.task.Task.predictions`."""
        return self.known_task.predictions(scores)

    def check_reads_rows(self) -> None:
        """Raise a `UserError` unless there is an encoder, which makes features of rows."""
        if self.encoder is None:
            raise UserError(
                "This model can't read rows: the data module that it was trained with has no encoder. Write it "
                "(docs/bring_your_own.md), predict a split (python scripts/predict.py run=RUN split=test), or use "
                "`.model` on features of your own."
            )

    @property
    def _known_encoder(self) -> Encoder:
        self.check_reads_rows()
        assert self.encoder is not None
        return self.encoder

    @torch.inference_mode()
    def scores_of(self, features: Features) -> Tensor:
        """Return scores of N rows of features; see `scores_of_frame`."""
        outputs: Tensor = self.model.eval()(features)
        return self.known_task.scores(outputs)

    def _scores_of_rows(self, rows: Rows) -> Tensor:
        return torch.cat([self.scores_of_frame(one, "rows") for one in self.slices(self.frame_of(rows))])

    def slices(self, frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Yield the rows of a frame, as many at a time as can be encoded without filling the memory; once at least."""
        bags, num_features = self.sizes.get("bags", False), self.sizes.get("num_features", 1)
        size = CHUNK if bags else max(1, min(CHUNK, MAX_DENSE // num_features))
        for start in range(0, max(frame.height, 1), size):
            yield frame[start : start + size]

    def frame_of(self, rows: Any) -> pl.DataFrame:
        """Return rows of any kind that `predict` takes as a frame."""
        encoder = self._known_encoder
        if isinstance(rows, str | bytes):
            raise UserError("Expected a list of rows; got one text. Put it into a list: predict([text])")
        if isinstance(rows, pl.DataFrame):
            return rows
        try:
            if hasattr(rows, "to_dict") and hasattr(rows, "columns"):  # pandas
                rows = {str(name): [_known(one) for one in values] for name, values in rows.to_dict("list").items()}
            if isinstance(rows, Mapping) or (isinstance(rows, list) and rows and isinstance(rows[0], Mapping)):
                # Not strict: a column may hold 1 beside 2.5, or beside "?", as it may in a file.
                return pl.DataFrame(rows, infer_schema_length=None, strict=False)
            if self.columns.text:
                texts = rows if isinstance(rows, pl.Series) else pl.Series("text", list(rows), dtype=pl.String)
                # Where a model joins several columns, a single text is the whole of it.
                others = {str(name): [""] * len(texts) for name in self.columns.text[1:]}
                return pl.DataFrame({str(self.columns.text[0]): texts} | others)
            if isinstance(encoder, PointEncoder):
                names = encoder.columns
                numbers = np.asarray(rows, dtype=np.float32).reshape(len(rows), -1 if len(rows) else len(names))
                if numbers.shape[1] != len(names):
                    raise ValueError(f"expected {len(names)} numbers a row; got {numbers.shape[1]}")
                return pl.DataFrame(numbers, schema=names, orient="row")
            if encoder.column_of is not None and len(rows) == 0:
                return pl.DataFrame(schema=dict.fromkeys(encoder.column_of, pl.String))
        except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
            why = own_words(error, "their values are of other kinds than in training")
            raise UserError(f"These are no rows for this model: {why}") from error
        raise UserError(
            f"Expected a frame, a mapping of columns or a list of mappings, since this model reads columns by name; "
            f"got {type(rows).__name__}."
        )


def _known(value: Any) -> Any:
    """Return a value of pandas, whose NaN stands for what is missing also where there are words."""
    return None if type(value).__name__ in ("NAType", "NaTType") or value != value else value
