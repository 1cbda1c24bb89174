"""Predict a split of a run whose data and module are built anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import numpy as np
import polars
import torch
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor

from rosenblatt.commands.anew import built_anew
from rosenblatt.commands.results import Collect, Evaluator
from rosenblatt.data.contract import LOADERS, loader_of
from rosenblatt.data.features import SPLITS
from rosenblatt.data.writer import FrameWriter
from rosenblatt.errors import UserError, check_choice, first_line
from rosenblatt.saved.model import SavedModel

if TYPE_CHECKING:  # whose file is the story
    from rosenblatt.commands.predict import Predictor


def predict_loader(predictor: Predictor, folder: Path, split: str, output: str | None, overwrite: bool) -> None:
    """Write a row for each row that the loader of a split gives, in its order.

    Args:
        predictor: with the model.
        folder: of the model.
        split: ``train``, ``val`` or ``test``.
        output: file; ``None``: standard output.
        overwrite: whether a file that is there already is replaced.

    Raises:
        UserError: no such split, or a module that does not predict.
    """
    check_choice("split", split, SPLITS)
    if predictor.num_reasons and predictor.saved.encoder is None:
        raise UserError("explain: without an encoder of the data module there are no names of features. Leave it out.")
    with FrameWriter(output or "-", overwrite) as writer:
        parts = built_anew(folder, predictor.saved)
        if split == "test":
            parts.data.setup("test")
        loader = loader_of(parts.data, split)
        if loader is None:
            why = "which gives rows in any order" if split == "train" else "or it gives no batch"
            raise UserError(f"split={split}: {type(parts.data).__name__} has no {LOADERS[split]}, {why}.")
        module = parts.module
        own_step, own_forward = (
            is_overridden(name, module, pl.LightningModule) for name in ("predict_step", "forward")
        )
        if not own_step and not own_forward:
            raise UserError(
                f"module: {type(module).__name__} has neither predict_step nor forward, so that it predicts nothing. "
                "Write predict_step(self, batch, batch_idx), which returns a tensor with a row for each row."
            )
        try:
            evaluator = Evaluator(module, "auto", predictor.saved.precision)
            evaluator.outputs(loader, Write(predictor, writer, type(module).__name__))
        except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
            if own_step:
                raise
            raise UserError(
                f"module: {type(module).__name__} has no predict_step, and its forward can't take a whole batch: "
                f"{first_line(error)}. Write predict_step(self, batch, batch_idx)."
            ) from error


class Write(Collect):
    """Writes what a module makes of each batch: predictions where there is a task, else its outputs as they are.

    Args:
        predictor: with the model.
        writer: of the file.
        module: its name, for messages.
    """

    def __init__(self, predictor: Predictor, writer: FrameWriter, module: str) -> None:
        self.predictor, self.writer, self.module = predictor, writer, module

    def take(self, outputs: Any, batch: Any) -> None:
        """Write the rows of a batch."""
        saved, predictor = self.predictor.saved, self.predictor
        if predicts(saved, outputs):
            assert saved.task is not None
            frame = predictor.columns_of(saved.task.scores(outputs.float().cpu()))
        else:
            frame = frame_of(outputs, self.module)
        self.writer.write(frame.rename({name: f"{predictor.prefix}{name}" for name in frame.columns}))
        predictor.num_rows += frame.height


def predicts(saved: SavedModel, outputs: Any) -> bool:
    """Return whether outputs are those of the model's task."""
    task = saved.task
    if task is None or not isinstance(outputs, Tensor):
        return False
    if outputs.ndim == 1:
        return not task.classes
    return outputs.ndim == 2 and outputs.shape[1] == task.num_outputs


def frame_of(outputs: Any, module: str) -> polars.DataFrame:
    """Return what ``predict_step`` gives as columns ``output_0``, ``output_1``, ...

    Args:
        outputs: tensors (N,) or (N, k), a column each number; more dimensions are lists; several in a tuple or a dict
            follow each other.
        module: its name, for messages.

    Raises:
        UserError: it is something else, or of different numbers of rows.
    """
    tensors = list(_tensors(outputs))
    if not tensors or any(one.ndim == 0 for one in tensors) or len({len(one) for one in tensors}) > 1:
        raise UserError(
            f"module: expected predict_step of {module} to return a tensor with a row for each row of the batch, or "
            f"several of them; it returns {type(outputs).__name__}{[tuple(one.shape) for one in tensors]}."
        )
    columns: list[polars.Series] = []
    for tensor in tensors:
        numbers = tensor.detach().cpu()
        numbers = numbers.float() if numbers.dtype in (torch.bfloat16, torch.float16) else numbers
        if numbers.ndim == 2:
            columns += [polars.Series(column.numpy()) for column in numbers.T.contiguous()]
        elif numbers.ndim == 1:
            columns.append(polars.Series(numbers.numpy()))
        else:
            columns.append(polars.Series(numbers.tolist()))
    return polars.DataFrame([one.alias(f"output_{number}") for number, one in enumerate(columns)])


def _tensors(outputs: Any) -> Any:
    """Yield tensors, in order."""
    if isinstance(outputs, Tensor):
        yield outputs
    elif isinstance(outputs, np.ndarray):
        yield torch.from_numpy(outputs)
    elif isinstance(outputs, dict):
        for one in outputs.values():
            yield from _tensors(one)
    elif isinstance(outputs, tuple | list):
        for one in outputs:
            yield from _tensors(one)
