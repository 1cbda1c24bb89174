"""Predict with a saved model: what ``python scripts/predict.py`` does."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from lightning_utilities.core.apply_func import apply_to_collection
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from rosenblatt.cli.launch import importing
from rosenblatt.commands.classes import KNOWN
from rosenblatt.data.features import SPLITS
from rosenblatt.data.files import FrameWriter
from rosenblatt.errors import UserError, check_choice, first_line
from rosenblatt.saved.folder import own_rows, read
from rosenblatt.saved.model import SavedModel
from rosenblatt.saved.place import find
from rosenblatt.saved.reasons import Reason
from rosenblatt.show.words import printable, words

log = logging.getLogger(__name__)

REASONS = 5  # a row, where explain=true
STDIN_BYTES = 1 << 22  # that are taken at once, where so many are waiting


def predict(settings: dict[str, Any]) -> None:
    """Predict, and write or print what comes out.

    Args:
        settings: those of ``configs/predict.yaml``, checked.

    Raises:
        UserError: no such model, a file that can't be read as a whole or in any row, a column that is missing.
    """
    folder = find(settings["run"])
    saved = read(folder, KNOWN)
    if settings["split"] is None:
        saved.check_reads_rows()
    if settings["text_column"] is not None and not saved.columns.text:
        raise UserError("text_column: this model reads columns by the names of training, and has none of texts.")
    options = {key: settings[key] for key in ("encoding", "header", "separator")}
    saved.columns = saved.columns.named(settings["text_column"], **options)
    predictor = Predictor(saved, settings["probabilities"], settings["explain"], settings["prefix"])
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # whatever the terminal of Windows has
    if settings["split"] is not None:
        predict_split(predictor, folder, settings["split"], settings["output"], settings["overwrite"])
    elif settings["text"] is not None:
        show_text(predictor, settings["text"])
    elif settings["input"] == "-":
        follow(predictor)
    else:
        predict_file(predictor, settings["input"], settings["output"], settings["overwrite"])
    if (output := settings["output"]) is not None:
        log.info("%s rows predicted, in %s.", f"{predictor.num_rows - predictor.num_unreadable:,}", output)
    if predictor.num_unreadable == predictor.num_rows > 0:
        raise UserError("None of the rows could be read, so that none has a prediction.")
    if predictor.num_unreadable:
        log.warning(
            "%s of %s rows could not be read, and have no prediction.",
            f"{predictor.num_unreadable:,}", f"{predictor.num_rows:,}",
        )  # fmt: skip


class Predictor:
    """Adds columns with predictions to frames.

    Args:
        saved: the model.
        probabilities: also add a column for each class.
        explain: also add what moved each prediction; a number: so many reasons.
        prefix: of the names of all new columns.

    Attributes:
        num_rows: rows so far.
        num_unreadable: of them without a prediction.
    """

    def __init__(self, saved: SavedModel, probabilities: bool, explain: bool | int, prefix: str) -> None:
        self.saved = saved
        self.probabilities = probabilities
        self.num_reasons = REASONS if explain is True else int(explain)
        self.prefix = prefix
        self.num_rows = self.num_unreadable = 0

    def added(self, frame: pl.DataFrame, readable: pl.Series, where: str) -> pl.DataFrame:
        """Return the new columns for N rows; nulls where ``readable`` (N,) is false."""
        columns = pl.concat([self._added(some, where) for some in self.saved.slices(frame)])
        known = readable & columns["prediction"].is_not_null()
        self.num_rows += frame.height
        self.num_unreadable += frame.height - int(known.sum())
        if not known.all():
            columns = columns.with_columns(pl.when(known).then(pl.all()))
        return columns.rename({name: f"{self.prefix}{name}" for name in columns.columns})

    def columns_of(self, scores: Tensor) -> pl.DataFrame:
        """Return what is predicted at the scores of N rows, and with ``probabilities`` those of each class."""
        columns = self.saved.predictions(scores)
        if self.probabilities:
            more = self.saved.known_task.score_columns(scores)
            if more is None:
                raise UserError("probabilities=true: this model predicts numbers, which have none. Leave it out.")
            columns = columns.hstack(more)
        return columns

    def _added(self, frame: pl.DataFrame, where: str) -> pl.DataFrame:
        found: list[list[Reason]] = []
        if self.num_reasons:
            scores, found = self.saved.explained(frame, where, self.num_reasons)
        else:
            scores = self.saved.scores_of_frame(frame, where)
        columns = self.columns_of(scores)
        if self.num_reasons:
            texts = ["; ".join(f"{name} {part:+.3f}" for name, part in row) for row in found]
            columns = columns.with_columns(pl.Series("reasons", texts, dtype=pl.String))
        return columns


def predict_file(predictor: Predictor, path: str, output: str | None, overwrite: bool) -> None:
    """Predict all rows of a file, block by block; its columns are kept, and the new ones follow."""
    if output is not None and os.path.exists(path) and os.path.exists(output) and os.path.samefile(path, output):
        raise UserError(f"output={output}: this is the input itself. Name another file.")
    columns = predictor.saved.columns
    console = Console(stderr=True)
    shown = TextColumn("predicting"), BarColumn(bar_width=None), DownloadColumn(), TimeRemainingColumn(compact=True)
    bar = Progress(*shown, console=console, transient=True, expand=True)
    with FrameWriter(output or "-", overwrite) as writer, bar if console.is_terminal else nullcontext():
        task = bar.add_task("", total=None)
        for block in columns.blocks(path, lines=bool(columns.text)):
            frame = as_known(block.frame, predictor.saved)
            found = predictor.added(frame, block.readable, path)
            twice = [name for name in found.columns if name in block.frame.columns]
            if twice:
                raise UserError(
                    f"{path}: it has a column {twice[0]!r} already. Give the new ones another name: prefix=new_"
                )
            writer.write(block.frame.hstack(found))
            bar.update(task, completed=block.num_bytes, total=block.total_bytes)


def predict_split(predictor: Predictor, folder: Path, split: str, output: str | None, overwrite: bool) -> None:
    """Predict the rows of a split of the run: those beside the model, or what its loader gives, in its order."""
    own = None if predictor.saved.encoder is None else own_rows(folder, predictor.saved)
    if own is not None and own.split == split:
        with FrameWriter(output or "-", overwrite) as writer:
            for frame in predictor.saved.slices(own.frame):
                writer.write(frame.hstack(predictor.added(frame, pl.repeat(True, frame.height, eager=True), own.where)))
    else:
        predict_loader(predictor, folder, split, output, overwrite)


def predict_loader(predictor: Predictor, folder: Path, split: str, output: str | None, overwrite: bool) -> None:
    """Write a row for each row that the loader of a split gives, of data and module that are built anew.

    Raises:
        UserError: no such split, or a module that does not predict.
    """
    check_choice("split", split, SPLITS)
    saved = predictor.saved
    if predictor.num_reasons and saved.encoder is None:
        raise UserError("explain: without an encoder of the data module there are no names of features. Leave it out.")
    with importing():  # Lightning takes its time, and rows of files do without
        from lightning.pytorch import LightningModule
        from lightning.pytorch.utilities.model_helpers import is_overridden

        from rosenblatt.commands.anew import built_anew
        from rosenblatt.commands.results import Evaluator
        from rosenblatt.data.contract import LOADERS, loader_of
    with FrameWriter(output or "-", overwrite) as writer:
        parts = built_anew(folder, saved)
        parts.use_threads(None)
        if split == "test":
            parts.data.setup("test")
        loader = loader_of(parts.data, split)
        if loader is None:
            why = "which gives rows in any order" if split == "train" else "or it gives no batch"
            raise UserError(f"split={split}: {type(parts.data).__name__} has no {LOADERS[split]}, {why}.")
        name = type(parts.module).__name__
        own_step = is_overridden("predict_step", parts.module, LightningModule)
        if not own_step and not is_overridden("forward", parts.module, LightningModule):
            raise UserError(
                f"module: {name} has neither predict_step nor forward, so that it predicts nothing. "
                "Write predict_step(self, batch, batch_idx), which returns a tensor with a row for each row."
            )

        def write(outputs: Any, batch: Any) -> None:
            if is_of_task(outputs, saved):
                frame = predictor.columns_of(saved.known_task.scores(outputs.float().cpu()))
            else:
                frame = frame_of(outputs, name)
            writer.write(frame.rename({one: f"{predictor.prefix}{one}" for one in frame.columns}))
            predictor.num_rows += frame.height

        try:
            Evaluator(parts.module, "auto", saved.precision).outputs(loader, write)
        except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
            if own_step:
                raise
            raise UserError(
                f"module: {name} has no predict_step, and its forward can't take a whole batch: "
                f"{first_line(error)}. Write predict_step(self, batch, batch_idx)."
            ) from error


def is_of_task(outputs: Any, saved: SavedModel) -> bool:
    """Return whether outputs are those of the model's task."""
    if saved.task is None or not isinstance(outputs, Tensor):
        return False
    if outputs.ndim == 1:
        return not saved.task.classes
    return outputs.ndim == 2 and outputs.shape[1] == saved.task.num_outputs


def frame_of(outputs: Any, module: str) -> pl.DataFrame:
    """Return what ``predict_step`` gives as columns ``output_0``, ``output_1``, ...

    Tensors (N,) or (N, k) give a column each number, more dimensions lists; several, in a tuple or a dict, follow
    each other.

    Raises:
        UserError: it is something else, or of different numbers of rows.
    """
    tensors: list[Tensor] = []
    apply_to_collection(outputs, (Tensor, np.ndarray), lambda one: tensors.append(torch.as_tensor(one)))
    if not tensors or any(one.ndim == 0 for one in tensors) or len({len(one) for one in tensors}) > 1:
        raise UserError(
            f"module: expected predict_step of {module} to return a tensor with a row for each row of the batch, or "
            f"several of them; it returns {type(outputs).__name__}{[tuple(one.shape) for one in tensors]}."
        )
    columns: list[pl.Series] = []
    for tensor in tensors:
        numbers = tensor.detach().cpu()
        numbers = numbers.float() if numbers.dtype in (torch.bfloat16, torch.float16) else numbers
        if numbers.ndim == 2:
            columns += [pl.Series(column.numpy()) for column in numbers.T.contiguous()]
        else:
            columns.append(pl.Series(numbers.numpy() if numbers.ndim == 1 else numbers.tolist()))
    return pl.DataFrame([one.alias(f"output_{number}") for number, one in enumerate(columns)])


def as_known(frame: pl.DataFrame, saved: SavedModel) -> pl.DataFrame:
    """Return rows under the name that the model knows, where they are lines of text and it reads one column."""
    if frame.columns == ["text"] and len(saved.columns.text) == 1:
        return frame.rename({"text": str(saved.columns.text[0])})
    return frame


def show_text(predictor: Predictor, text: str) -> None:
    """Print the prediction for a text."""
    saved = predictor.saved
    if not saved.columns.text:
        raise UserError("text=...: this model reads columns, not texts. Give it a file: input=rows.csv")
    found = predictor.added(saved.frame_of([text]), pl.Series([True]), "text")
    for name, value in found.row(0, named=True).items():
        print(f"{name.removeprefix(predictor.prefix)}: {printable(words(value))}")


def follow(predictor: Predictor) -> None:
    """Predict each line of standard input as it comes: one line out, tabs between, for each line in."""
    saved = predictor.saved
    if not saved.columns.text:
        raise UserError("input=-: lines are texts, and this model reads columns. Give it a file: input=rows.csv")
    for lines in waiting_lines(sys.stdin.fileno()):
        texts, readable = decoded(lines, saved.columns.encoding)
        frame = saved.frame_of(texts)
        found = predictor.added(frame, pl.Series(readable, dtype=pl.Boolean), "standard input")
        rows = (["" if value is None else printable(words(value)) for value in row] for row in found.iter_rows())
        sys.stdout.write("".join("\t".join(row) + "\n" for row in rows))
        sys.stdout.flush()


def waiting_lines(descriptor: int) -> Iterator[list[bytes]]:
    """Yield the lines that can be read without waiting, at least one at a time."""
    rest = b""
    while chunk := os.read(descriptor, STDIN_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]


def decoded(lines: list[bytes], encoding: str) -> tuple[list[str], list[bool]]:
    """Return lines as text, and whether each could be read; an empty text where not."""
    texts, readable = [], []
    for line in lines:
        try:
            texts.append(line.removesuffix(b"\r").decode(encoding))
            readable.append(True)
        except UnicodeDecodeError:
            texts.append("")
            readable.append(False)
    return texts, readable
