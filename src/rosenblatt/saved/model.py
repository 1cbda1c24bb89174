"""A model that is trained: it takes rows as they come, and gives classes, probabilities and reasons."""

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
from rosenblatt.data.encoder import Encoder
from rosenblatt.data.features import DataSpec, Features
from rosenblatt.data.points import PointEncoder
from rosenblatt.errors import UserError, first_line
from rosenblatt.saved.reasons import Reason, reasons
from rosenblatt.tasks.evaluation import decide, to_probs

Rows: TypeAlias = pl.DataFrame | pl.Series | Sequence[Any] | NDArray[Any] | Mapping[str, Sequence[Any]]
CHUNK = 200_000  # rows that are encoded at a time
MAX_DENSE = 10_000_000  # numbers of dense features that are there at a time: 40 MB, and copies of them


@dataclass
class SavedModel:
    """A model with all that it needs to predict; `rosenblatt.load` returns one.

    Attributes:
        model: gives logits.
        spec: task, and the classes in the order of all probabilities.
        encoder: makes features of rows; ``None`` where the data module of the project had none.
        columns: which columns of a file hold text and label.
        model_arguments: that ``model`` was made with.
        threshold: probability above which the second of two classes, or a label (one for each, or for all), is
            predicted.
        temperature: that logits are divided by.
        loss: arguments of `rosenblatt.tasks.losses.ClassificationLoss`, to measure as training did.
        batch_size: rows a batch, to measure to the same bits as training did.
        precision: of the Trainer, for the same reason.
        rows: ``split``, ``bytes`` and ``sha256`` of the file with the rows that it was measured on, or ``None``.
    """

    model: nn.Module
    spec: DataSpec
    encoder: Encoder | None
    columns: Columns = field(default_factory=Columns)
    model_arguments: dict[str, Any] = field(default_factory=dict)
    threshold: float | Sequence[float] = 0.5
    temperature: float = 1.0
    loss: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 4096
    precision: str = "32-true"
    rows: dict[str, Any] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns of `predict_proba`."""
        return self.spec.classes

    def predict(self, rows: Rows) -> NDArray[Any] | list[list[str]]:
        """Return the class of each row.

        Args:
            rows: N texts for a model of texts; a frame (polars, pandas), a mapping of columns or a list of mappings for
                one of tables; for one of points also numbers (N, num_features).

        Returns:
            (N,) names; for multilabel a list of names for each row.

        Raises:
            UserError: a column is missing, or rows are of another kind.
        """
        found = self.predictions(torch.from_numpy(self._probs(rows)))["prediction"]
        if self.spec.task == "multilabel":
            return found.to_list()
        return np.array(found.to_list(), dtype=object)

    def predict_proba(self, rows: Rows) -> NDArray[np.float32]:
        """Return probabilities (N, num_classes) float32, in the order of `classes`; see `predict` for rows."""
        return self.of_every_class(torch.from_numpy(self._probs(rows))).numpy()

    def of_every_class(self, probs: Tensor) -> Tensor:
        """Return probabilities (N, num_classes) from those of `probs_of_frame`."""
        return torch.stack([1 - probs, probs], dim=1) if self.spec.task == "binary" else probs

    def explain(self, rows: Rows, num: int = 10) -> list[list[Reason]]:
        """Return what has moved each prediction, the strongest first.

        For a perceptron the parts of all features and of the bias add up to the logit of the predicted class (of
        several classes: to how far it is above the mean logit); for an MLP they are a first-order estimate.

        Args:
            rows: see `predict`.
            num: reasons a row, at most.

        Returns:
            For each row (name, part): words or n-grams of a text, ``column = value`` of a table. A positive part
            speaks for the predicted class, a negative one against it.
        """
        return [row for frame in self.slices(self.frame_of(rows)) for row in self.explained(frame, "rows", num)[1]]

    def explained(self, frame: pl.DataFrame, where: str, num: int) -> tuple[Tensor, list[list[Reason]]]:
        """Return probabilities and reasons of rows as read from a file; see `probs_of_frame` and `explain`."""
        features = self.encode_frame(frame, where)
        probs = self.probs_of(features)
        preds = decide(probs, self.spec.task, self.threshold)
        found = reasons(self.model, features, preds, frame, self._known_encoder, num, self.temperature)
        return probs, found

    def encode(self, rows: Rows) -> Features:
        """Return the features of N rows: what the model itself, or an exported one, takes."""
        return self.encode_frame(self.frame_of(rows), "rows")

    def probs_of_frame(self, frame: pl.DataFrame, where: str) -> Tensor:
        """Return probabilities, (N,) of the second class for binary, (N, num_classes) otherwise; NaN where none are.

        Args:
            frame: rows as read from a file.
            where: that file, for messages.
        """
        return self.probs_of(self.encode_frame(frame, where))

    def encode_frame(self, frame: pl.DataFrame, where: str) -> Features:
        """Return the features of rows as read from a file; ``where`` is that file, for messages."""
        return self._known_encoder.encode(frame, self.columns, where)

    def predictions(self, probs: Tensor) -> pl.DataFrame:
        """Return what is predicted, and how probable that is.

        Args:
            probs: of N rows, as `probs_of_frame` gives them.

        Returns:
            ``prediction`` and ``probability``: a name and a number a row; for multilabel lists of them; null where
            probabilities are NaN.
        """
        decided = decide(probs, self.spec.task, self.threshold)
        names = pl.Series("prediction", self.classes, dtype=pl.String)
        if self.spec.task == "multilabel":
            rows, labels = decided.numpy().nonzero()
            found = pl.DataFrame(
                {"row": rows, "prediction": names.gather(labels), "probability": probs.numpy()[rows, labels]}
            )
            lists = found.group_by("row", maintain_order=True).agg(pl.all())
            every = pl.DataFrame({"row": np.arange(len(probs)), "known": ~probs.isnan().any(dim=1).numpy()})
            every = every.join(lists, on="row", how="left", maintain_order="left")
            return every.select(
                pl.when("known").then(pl.col(name).fill_null([])) for name in ("prediction", "probability")
            )
        if self.spec.task == "binary":
            probability = torch.where(decided.bool(), probs, 1 - probs)
        else:
            probability = probs.gather(1, decided.unsqueeze(1)).squeeze(1)  # (N, 1) -> (N,)
        frame = pl.DataFrame({"prediction": names.gather(decided.numpy()), "probability": probability.numpy()})
        known = pl.col("probability").is_not_nan()
        return frame.with_columns(pl.when(known).then(pl.all()))

    @property
    def _known_encoder(self) -> Encoder:
        if self.encoder is None:
            raise UserError(
                "This model can't read rows: the data module that it was trained with has no encoder. Give it one (see "
                "rosenblatt.data.module.DataModule), or use `.model` on features of your own."
            )
        return self.encoder

    @torch.inference_mode()
    def probs_of(self, features: Features) -> Tensor:
        """Return probabilities of N rows of features; see `probs_of_frame`."""
        logits: Tensor = self.model.eval()(features)
        return to_probs(logits if self.temperature == 1 else logits / self.temperature, self.spec.task)

    def _probs(self, rows: Rows) -> NDArray[np.float32]:
        parts = [self.probs_of_frame(frame, "rows").numpy() for frame in self.slices(self.frame_of(rows))]
        return np.concatenate(parts)

    def slices(self, frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Yield the rows of a frame, as many at a time as can be encoded without filling the memory; once at least."""
        size = CHUNK if self.spec.bags else max(1, min(CHUNK, MAX_DENSE // self.spec.num_features))
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
            raise UserError(f"These are no rows for this model: {first_line(error)}") from None
        raise UserError(
            f"Expected a frame, a mapping of columns or a list of mappings, since this model reads columns by name; "
            f"got {type(rows).__name__}."
        )


def _known(value: Any) -> Any:
    """Return a value of pandas, whose NaN stands for what is missing also where there are words."""
    return None if type(value).__name__ in ("NAType", "NaTType") or value != value else value
