"""What a trained model reaches: threshold and temperature chosen on validation, splits evaluated, intervals."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as pl
from torch import Tensor

from perceptron.classifier import Classifier
from rosenblatt.data.module import DataModule
from rosenblatt.errors import UserError
from rosenblatt.tasks.baseline import majority_baseline
from rosenblatt.tasks.calibration import calibration_error, fit_temperature
from rosenblatt.tasks.evaluation import to_probs
from rosenblatt.tasks.intervals import bootstrap, wilson
from rosenblatt.tasks.metrics import MAX_RANKED, Result
from rosenblatt.tasks.threshold import Fixed, Tuned

log = logging.getLogger(__name__)

MAX_KEPT = 50_000_000  # logits of a split that are kept, 200 MB; beyond that, accuracy alone has an interval


def evaluate(trainer: pl.Trainer, classifier: Classifier, batches: Any, last: bool, keep_all: bool = False) -> Result:
    """Return loss and metrics of a whole split; the Trainer sees to the device, eval mode and no gradients.

    Args:
        trainer: of any state.
        classifier: with the weights to evaluate.
        batches: of all rows of the split.
        last: whether this is the split that is reported, of which more is computed.
        keep_all: keep logits however many there are.
    """
    num_logits = batches.target.shape[0] * classifier.spec.num_outputs
    trainer.limit_test_batches = 1.0
    classifier.start_test(ranking=last, keep_logits=keep_all or num_logits <= MAX_KEPT)
    trainer.test(classifier, dataloaders=batches, verbose=False)
    return classifier.test_result


def tune(
    trainer: pl.Trainer, classifier: Classifier, data: DataModule, threshold: Fixed | Tuned, calibration: str | None
) -> None:
    """Fit the temperature and choose the threshold, on validation, and give both to the classifier.

    Args:
        trainer: of any state.
        classifier: with the weights to evaluate.
        data: has the validation split.
        threshold: how it is chosen.
        calibration: ``temperature`` or ``None``.

    Raises:
        UserError: no threshold has the precision that is wanted; there are too many rows.
    """
    if calibration is None and not isinstance(threshold, Tuned):
        return
    evaluate(trainer, classifier, data.batches("val"), last=False)
    logits, target = classifier.test_logits, data.splits["val"][1]
    if len(logits) < len(target):
        raise UserError("threshold, calibration: there are too many validation rows and labels to keep them all.")
    if calibration is not None:
        classifier.temperature = fit_temperature(logits, target, classifier.spec.task)
        logits = logits / classifier.temperature
    if isinstance(threshold, Tuned):
        probs = to_probs(logits, classifier.spec.task)
        chosen = threshold.choose(probs, target, classifier.spec.classes)
        classifier.threshold = chosen[0] if classifier.spec.task == "binary" else chosen


def put_in_proportion(classifier: Classifier, target: Tensor, result: Result) -> dict[str, float]:
    """Return 95 % intervals of the metrics of a split that was just evaluated, its calibration error, and a baseline.

    Args:
        classifier: that has evaluated it.
        target: of the split.
        result: of the split.

    Returns:
        ``acc_low`` and ``acc_high``, the same of other metrics, ``ece``, ``ece_uncalibrated`` where logits were divided
        by a temperature, and with ``baseline_`` before their names the metrics of the majority class.
    """
    spec, logits = classifier.spec, classifier.test_logits
    num_rows = target.shape[0]
    found: dict[str, float] = {}
    intervals = {"acc": wilson(round(result.values["acc"] * num_rows), num_rows)}
    if len(logits) == num_rows:
        probs = to_probs(logits, spec.task)
        ranking = len(spec.classes) <= MAX_RANKED
        intervals |= bootstrap(spec, probs, target, classifier.threshold, ranking)
        found["ece"] = calibration_error(probs, target, spec.task)
        if classifier.temperature != 1:
            before = to_probs(logits * classifier.temperature, spec.task)
            found["ece_uncalibrated"] = calibration_error(before, target, spec.task)
    for name, (low, high) in intervals.items():
        found |= {f"{name}_low": low, f"{name}_high": high}
    baseline = majority_baseline(spec, target, classifier.loss)
    return found | {f"baseline_{name}": value for name, value in baseline.items()}


def measured(
    trainer: pl.Trainer, classifier: Classifier, splits: Mapping[str, Any], keep_all: bool = False
) -> tuple[dict[str, Any], Result]:
    """Evaluate splits.

    Args:
        trainer: of any state.
        classifier: with the weights to evaluate.
        splits: batches by split.
        keep_all: keep logits however many there are.

    Returns:
        Metrics, flat, and the whole result of the last split.
    """
    metrics: dict[str, Any] = {}
    result = Result({}, {})
    for split, batches in splits.items():
        last = split == list(splits)[-1]
        result = evaluate(trainer, classifier, batches, last, keep_all)
        metrics |= {f"{split}/{name}": value for name, value in result.values.items()}
    return metrics, result


def notes_on(metrics: Mapping[str, Any], last: str, threshold: Fixed | Tuned) -> list[tuple[str, str]]:
    """Return what the summary says of threshold and calibration, as pairs of a word and a note.

    Args:
        metrics: flat.
        last: the split that is reported.
        threshold: the setting.
    """
    notes = []
    if isinstance(threshold, Tuned):
        value = metrics["threshold"]
        shown = f"{value:.4f}" if isinstance(value, float) else f"{min(value):.4f} to {max(value):.4f}, by label"
        notes.append(("threshold", f"{shown}: {threshold.described} on validation"))
    elif metrics["threshold"] != 0.5:
        notes.append(("threshold", f"{metrics['threshold']:g}"))
    if f"{last}/ece_uncalibrated" in metrics:
        before, now = metrics[f"{last}/ece_uncalibrated"], metrics[f"{last}/ece"]
        temperature = metrics["temperature"]
        notes.append(("calibration", f"error {before:.4f} before, {now:.4f} with temperature {temperature:.3f}"))
    if metrics.get(f"{last}/repeated"):
        notes.append(("repeated", f"{metrics[f'{last}/repeated']:,} rows of {last} are in train too"))
    return notes
