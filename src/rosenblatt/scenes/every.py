"""All pictures of a view."""

from __future__ import annotations

from collections.abc import Iterator

from rosenblatt.evaluation import confusion_matrix, decide, to_probs
from rosenblatt.models import MLP
from rosenblatt.scenes.classes import confusions_of
from rosenblatt.scenes.curves import rankings, reliability_diagram
from rosenblatt.scenes.plane import boundary, hidden_layer
from rosenblatt.scenes.view import Scene, View


def scenes_of(view: View) -> Iterator[tuple[str, Scene]]:
    """Yield the name of each picture of a view, and what it shows."""
    spec, target = view.spec, view.target
    probs = to_probs(view.logits, spec.task)
    preds = decide(probs, spec.task, view.threshold)
    yield "boundary", boundary(view, preds)
    if isinstance(view.model, MLP):
        yield "hidden_layer", hidden_layer(view, preds)
    yield (
        "confusion",
        confusions_of(confusion_matrix(preds, target, len(spec.classes)), spec, view.titled("Confusions")),
    )
    if probs.isfinite().all():
        yield from zip(("roc", "precision_recall"), rankings(view, probs), strict=True)
        yield "reliability", reliability_diagram(view, probs)
    else:
        yield from ((name, "some probabilities are no numbers") for name in ("roc", "precision_recall", "reliability"))
