"""Evaluate a saved model: what ``python scripts/evaluate.py`` does."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import polars
import torch
from omegaconf import DictConfig
from rich.console import Console, Group
from torch import Tensor

from perceptron.classifier import Classifier
from rosenblatt.cli.checked import checked
from rosenblatt.cli.libraries import silence_libraries, use_threads
from rosenblatt.cli.settings import check_threads
from rosenblatt.commands.results import measured, put_in_proportion
from rosenblatt.data.batches import Batches
from rosenblatt.data.features import Features, class_counts
from rosenblatt.data.labels import LabelEncoder
from rosenblatt.errors import UserError
from rosenblatt.run.folder import as_json
from rosenblatt.run.whole import check_free, write_whole
from rosenblatt.saved.folder import find, read, run_of
from rosenblatt.saved.mistakes import shown_mistakes
from rosenblatt.saved.model import SavedModel
from rosenblatt.saved.rows import OwnRows, own_rows
from rosenblatt.show.tables import class_table, confusion_table, mistake_table, summary
from rosenblatt.tasks.evaluation import confusion_matrix, decide, to_probs
from rosenblatt.tasks.losses import ClassificationLoss

log = logging.getLogger(__name__)

TYPES: dict[str, Any] = {
    "run": str, "data": dict, "output": str | None, "mistakes": int, "accelerator": str, "threads": int | None,
    "overwrite": bool,
}  # fmt: skip
DATA_TYPES: dict[str, Any] = {
    "test": str | None, "text_column": str | int | list[str | int] | None, "label_column": str | int | None,
    "encoding": str | None,
}  # fmt: skip


def evaluate(config: DictConfig) -> dict[str, Any]:
    """Measure a model on its own test split or on another file, print the tables, and write ``evaluation.json``.

    Args:
        config: ``configs/evaluate.yaml``, composed.

    Returns:
        The content of ``evaluation.json``.

    Raises:
        UserError: no such model, rows that can't be read, a label that it does not know.
    """
    silence_libraries()
    settings = checked(config, TYPES)
    if settings["output"] is not None:
        check_free(Path(settings["output"]), settings["overwrite"])
    settings["data"] = checked(config.data, DATA_TYPES)
    check_threads(settings["threads"])
    if settings["mistakes"] < 0:
        raise UserError(f"mistakes: expected a number of at least 0; got {settings['mistakes']}.")
    folder = find(settings["run"])
    saved = read(folder)
    split, where, frame = rows_of(saved, folder, settings["data"])
    features, target = encoded(saved, frame, where)
    classifier = Classifier(
        saved.model,
        saved.spec,
        ClassificationLoss(saved.spec, **saved.loss),
        torch.optim.SGD,
        threshold=saved.threshold,
    )
    classifier.temperature = saved.temperature
    use_threads(settings["threads"], saved.model)
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    kind: Any = saved.precision
    try:
        trainer = pl.Trainer(
            accelerator=settings["accelerator"], devices=1, precision=kind, enable_checkpointing=False, **quiet
        )
    except ImportError as error:  # such as torch_xla, for a TPU
        raise UserError(f"accelerator={settings['accelerator']}: {str(error).splitlines()[0]}. Try auto.") from None
    batches = {split: Batches(features, target, saved.batch_size)}
    metrics, result = measured(trainer, classifier, batches, keep_all=True)
    proportion = put_in_proportion(classifier, target, result)
    metrics |= {f"{split}/{name}": value for name, value in proportion.items()}

    spec = saved.spec
    probs = to_probs(classifier.test_logits, spec.task)
    preds = decide(probs, spec.task, saved.threshold)
    confusions = confusion_matrix(preds, target, len(spec.classes))
    shown = shown_mistakes(saved, frame, probs, target, settings["mistakes"])
    counts = class_counts(target, len(spec.classes)).tolist()
    content: dict[str, Any] = {"run": str(folder), "data": where, "rows": len(target), **metrics}
    content |= {"threshold": saved.threshold, "temperature": saved.temperature, "classes": spec.classes}
    per_class = result.per_class or of_two_classes(confusions)
    content |= {"rows_of_class": counts, "per_class": per_class, "confusion": confusions.tolist()}
    content["mistakes"] = shown
    tables = [summary(metrics, {split: len(target)}, [("data", where)])]
    tables.append(class_table(spec.classes, counts, per_class))
    tables.append(confusion_table(spec.classes, confusions.numpy()))
    if shown:
        tables.append(mistake_table(shown))
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


def of_two_classes(confusions: Tensor) -> dict[str, list[float]]:
    """Return precision, recall and F1 of each of two classes, which training gives for the second alone.

    Args:
        confusions: (2, 2), rows true, columns predicted.
    """
    right, true, predicted = confusions.diagonal().double(), confusions.sum(dim=1), confusions.sum(dim=0)
    found = {"f1": 2 * right / (true + predicted), "precision": right / predicted, "recall": right / true}
    return {name: values.nan_to_num(0.0).tolist() for name, values in found.items()}


def rows_of(saved: SavedModel, folder: Path, data: dict[str, Any]) -> OwnRows:
    """Return the rows to evaluate.

    Raises:
        UserError: the run has none of its own.
    """
    if data["test"] is not None:
        saved.columns = saved.columns.named(data["text_column"], data["label_column"], data["encoding"])
        return OwnRows("test", data["test"], saved.columns.read(data["test"]))
    found = own_rows(folder, saved)
    if found is None:
        raise UserError(f"run={folder}: there are no test rows beside this model. Give it some: data.test=FILE")
    return found


def encoded(saved: SavedModel, frame: polars.DataFrame, where: str) -> tuple[Features, Tensor]:
    """Return features and target of labelled rows.

    Raises:
        UserError: a label that the model does not know, or a value that is no number.
    """
    labels = LabelEncoder(saved.spec.task)
    labels.classes = saved.classes
    target = labels.transform(saved.columns.labels_of(frame, where), where)
    labels.warn({where: target})
    features = saved.encode_frame(frame, where)
    if isinstance(features, Tensor) and not features.isfinite().all():
        row = int((~features.isfinite().all(dim=1)).nonzero()[0]) + 1
        raise UserError(f"{where}: expected numbers; row {row} has {list(frame.row(row - 1))}.")
    return features, target
