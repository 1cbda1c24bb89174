"""What a run leaves for others: ``model/``, and the rows that it was measured on."""

from __future__ import annotations

import logging
from typing import Any

import lightning.pytorch as pl
from omegaconf import DictConfig

from perceptron.classifier import Classifier
from rosenblatt.cli.values import flat, plain
from rosenblatt.data.module import DataModule
from rosenblatt.run.folder import RunFolder
from rosenblatt.run.whole import write_whole
from rosenblatt.saved.card import card
from rosenblatt.saved.folder import write
from rosenblatt.saved.model import SavedModel
from rosenblatt.saved.registry import ENCODERS, MODELS
from rosenblatt.saved.rows import facts_of

log = logging.getLogger(__name__)


def warn_if_unknown(classifier: Classifier, data: DataModule) -> None:
    """Say before training that the run will leave no model that can be loaded, where that is so."""
    for name in _unknown(classifier, data):
        log.warning("%s is not in rosenblatt.saved.registry: this run will leave no model/ that can be loaded.", name)


def _unknown(classifier: Classifier, data: DataModule) -> list[str]:
    made = [(classifier.model, MODELS), *([] if data.encoder is None else [(data.encoder, ENCODERS)])]
    return [type(one).__name__ for one, known in made if known.get(type(one).__name__) is not type(one)]  # type: ignore[attr-defined]


def saved_model(
    config: DictConfig, data: DataModule, classifier: Classifier, trainer: pl.Trainer, rows: bytes | None
) -> SavedModel:
    """Return what a run has trained, with all that it needs to predict.

    Args:
        config: of the run.
        data: that it has learnt from.
        classifier: with the best weights.
        trainer: that has trained it.
        rows: of the last split, as a Parquet file.
    """
    return SavedModel(
        classifier.model, data.spec, data.encoder, data.columns,
        model_arguments={key: value for key, value in plain(config.model).items() if not key.startswith("_")},
        threshold=classifier.threshold, temperature=classifier.temperature,
        loss=plain(config.loss), batch_size=data.eval_batch_size, precision=str(trainer.precision),
        rows=None if rows is None else facts_of(list(data.splits)[-1], rows),
    )  # fmt: skip


def save_model(
    run: RunFolder,
    config: DictConfig,
    data: DataModule,
    classifier: Classifier,
    saved: SavedModel,
    rows: bytes | None,
    metrics: dict[str, Any],
    digests: dict[str, Any],
) -> None:
    """Write ``model/``, all that others need, and the rows that it was measured on."""
    if _unknown(classifier, data):
        return
    if rows is not None:
        write_whole(run.path / f"{list(data.splits)[-1]}.parquet", rows)
    try:
        write(saved, run.model, card(saved, metrics, digests, flat(plain(config))))
    except RuntimeError as error:  # of safetensors, such as weights that share their memory: no reason to lose figures
        log.warning("No model/ is written: %s", str(error).strip().splitlines()[0])
