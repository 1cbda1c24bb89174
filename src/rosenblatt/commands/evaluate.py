"""Evaluate a saved model: what ``python scripts/evaluate.py`` does."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import polars
from omegaconf import OmegaConf
from rich.console import Console, Group, RenderableType
from torch import Tensor, nn

from rosenblatt.cli.project import foreign
from rosenblatt.commands.anew import built_anew
from rosenblatt.commands.classes import KNOWN
from rosenblatt.commands.parts import make_loss, with_metrics
from rosenblatt.commands.results import Evaluator, Reached, put_in_proportion, worst_rows
from rosenblatt.commands.results import evaluate as measure
from rosenblatt.data.batches import Batches
from rosenblatt.data.columns import Columns
from rosenblatt.data.features import Features
from rosenblatt.errors import UserError
from rosenblatt.loop.threads import use_threads
from rosenblatt.run.folder import as_json
from rosenblatt.run.whole import check_free, write_whole
from rosenblatt.saved.folder import OwnRows, own_rows, read
from rosenblatt.saved.model import SavedModel
from rosenblatt.saved.place import find, run_of
from rosenblatt.show.metrics import parted
from rosenblatt.show.tables import class_table, confusion_table, mistake_table, summary
from rosenblatt.tasks.counts import by_class, class_counts, confusion_matrix
from rosenblatt.tasks.epoch import Measured
from rosenblatt.tasks.inference import LabelEncoder
from rosenblatt.tasks.task import Task
from rosenblatt.tasks.threshold import Decision

log = logging.getLogger(__name__)


def evaluate(settings: dict[str, Any]) -> dict[str, Any]:
    """Measure a model on its own test split or on another file, print the tables, and write ``evaluation.json``.

    Args:
        settings: those of ``configs/evaluate.yaml``, checked.

    Returns:
        The content of ``evaluation.json``.

    Raises:
        UserError: no such model, rows that can't be read, a label that it does not know.
    """
    if settings["output"] is not None:
        check_free(Path(settings["output"]), settings["overwrite"])
    folder = find(settings["run"])
    saved = read(folder, KNOWN)
    use_threads(settings["threads"], saved.model)
    rows = rows_of(saved, folder, settings["data"])
    if rows is not None and saved.encoder is not None and saved.task is not None:
        reached, where = of_rows(saved, rows, settings["accelerator"]), rows.where
    else:
        reached, where = of_loader(saved, folder, settings["accelerator"], settings["threads"])
    frame = rows.frame if rows is not None and rows.split == reached.last else None
    content: dict[str, Any] = {"run": str(folder), "data": where}
    notes, task = [("data", where)], reached.task
    tables: list[RenderableType] = []
    if task is not None and reached.measured is not None:
        content |= {"rows": reached.num_rows[reached.last], **reached.figures, **task.decision_figures()}
        more, tables = classes_and_mistakes(saved.columns, task, reached.measured, frame, settings["mistakes"])
        content |= more
        notes += [one for one in task.notes(reached.figures, reached.last, Decision()) if one[0] == "intervals"]
    else:
        content |= reached.figures
    baseline = "majority" if task is None else task.baseline_title
    tables.insert(0, summary(reached.figures, reached.num_rows, notes, baseline))
    own = settings["data"]["test"] is None
    name = "evaluation.json" if own else f"evaluation-{Path(where).name.split('.')[0]}.json"
    output = Path(settings["output"] or run_of(folder) / name)
    try:
        write_whole(output, as_json(content).encode())
    except OSError as error:
        raise UserError(
            f"{output}: it can't be written: {error.strerror}. Name a place: output=evaluation.json"
        ) from None
    Console().print(Group(*tables))
    log.info("Written to %s.", output)
    return content


def rows_of(saved: SavedModel, folder: Path, data: dict[str, Any]) -> OwnRows | None:
    """Return the rows to evaluate, or ``None`` where the run has none of its own.

    Raises:
        UserError: a file can't be read, or the model can't make features of its rows.
    """
    if data["test"] is None:
        return own_rows(folder, saved)
    if saved.encoder is None or saved.task is None:
        raise UserError(
            f"data.test={data['test']}: this model can't read files, since the data module that it was trained with "
            "has no encoder. Leave data.test out, and its own test split is built anew."
        )
    options = {key: data[key] for key in ("encoding", "header", "separator", "broken_rows")}
    columns = saved.columns = saved.columns.named(data["text_column"], data["label_column"], **options)
    path, task, frame = data["test"], saved.task.name, columns.read(data["test"])
    return OwnRows("test", path, columns.labelled(frame, columns.labels_of(frame, path, task), path, task)[0])


class Outputs(pl.LightningModule):
    """Gives the outputs of a model."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def predict_step(self, batch: tuple[Features, Tensor], batch_idx: int) -> Tensor:
        """Return outputs (N, num_outputs)."""
        outputs: Tensor = self.model(batch[0])
        return outputs


def of_rows(saved: SavedModel, rows: OwnRows, accelerator: str) -> Reached:
    """Measure a model on rows, as training did; neither its data nor its settings are needed."""
    split, where, frame = rows
    task, loss = task_and_loss(saved)
    features, target = encoded(saved, frame, where)
    evaluator = Evaluator(Outputs(saved.model), accelerator, saved.precision)
    batches = Batches(features, target, saved.batch_size)
    measured = evaluator.measured(batches, task, loss, ranking=True, per_class=True, keep_all=True)
    figures = {f"{split}/{name}": one for name, one in measured.values.items()}
    return put_in_proportion(Reached(figures, [split], task, measured, {split: len(target)}), loss)


def of_loader(saved: SavedModel, folder: Path, accelerator: str, threads: int | None) -> tuple[Reached, str]:
    """Measure a model on the last split of its data, which are built anew; return what that was, too."""
    parts = built_anew(folder, saved)
    parts.use_threads(threads)
    reached = measure(parts, accelerator, saved.precision, final=True, keep_all=True)
    reached = put_in_proportion(reached, parts.loss)
    if not reached.splits:
        raise UserError(
            f"run={folder}: nothing can be measured. Write test_dataloader and test_step (or predict_step, and a task)."
        )
    figures = {name: one for name, one in reached.figures.items() if parted(name)[0] == reached.last}
    num_rows = {split: num for split, num in reached.num_rows.items() if split == reached.last}
    return reached._replace(figures=figures, num_rows=num_rows), f"{reached.last} of {type(parts.data).__name__}"


def task_and_loss(saved: SavedModel) -> tuple[Task, nn.Module]:
    """Return the task with its further metrics, and the loss, as training had them.

    Raises:
        UserError: they are of a class that the project's own YAML files do not name.
    """
    nodes = {"loss": saved.loss, "metrics": saved.metrics}
    if target := foreign(nodes, []):
        raise UserError(
            f"The model was measured with {target!r}, which no file of configs/ of this project names for that. Give "
            "the project that has trained it, or add the file."
        )
    task = with_metrics(saved.known_task, OmegaConf.create(saved.metrics))
    return task, make_loss(OmegaConf.create(saved.loss), task)


def encoded(saved: SavedModel, frame: polars.DataFrame, where: str) -> tuple[Features, Tensor]:
    """Return features and target of labelled rows.

    Raises:
        UserError: a label that the model does not know, or a value that is no number.
    """
    labels = LabelEncoder(saved.known_task.name)
    labels.classes = saved.classes
    target = labels.transform(saved.columns.labels_of(frame, where, saved.known_task.name), where)
    labels.warn({where: target})
    features = saved.encode_frame(frame, where)
    if isinstance(features, Tensor) and not features.isfinite().all():
        row = int((~features.isfinite().all(dim=1)).nonzero()[0]) + 1
        raise UserError(f"{where}: expected numbers; row {row} has {list(frame.row(row - 1))}.")
    return features, target


def classes_and_mistakes(
    columns: Columns, task: Task, measured: Measured, frame: polars.DataFrame | None, at_most: int
) -> tuple[dict[str, Any], list[RenderableType]]:
    """Return classes, confusions and the worst rows, for the file and as tables.

    Args:
        columns: of the frame.
        task: what outputs mean.
        measured: outputs and target.
        frame: the rows, where they are known.
        at_most: the number of rows to show.
    """
    content: dict[str, Any] = {}
    tables: list[RenderableType] = []
    scores, target = task.scores(measured.outputs), measured.target
    if task.classes:
        num = len(task.classes)
        confusions = confusion_matrix(task.decide(scores), target, num)
        counts = class_counts(target, num).tolist()
        per_class = measured.per_class or by_class(confusions)  # of two classes training gives the second alone
        content |= {"classes": list(task.classes), "rows_of_class": counts, "per_class": per_class}
        content["confusion"] = confusions.tolist()
        tables = [class_table(task.classes, counts, per_class), confusion_table(task.classes, confusions.numpy())]
    shown = worst_rows(columns, task, scores, target, frame, at_most)
    title = "Most confident mistakes" if task.classes else "Farthest off"
    return content | {"mistakes": shown}, [*tables, mistake_table(shown, title)] if shown else tables
