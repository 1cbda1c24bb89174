"""All pictures of a view."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

from torch import Tensor

from perceptron.models import MLP
from rosenblatt.errors import first_line
from rosenblatt.show.scenes.classes import confusions_of
from rosenblatt.show.scenes.curves import rankings, reliability_diagram
from rosenblatt.show.scenes.plane import boundary, hidden_layer
from rosenblatt.show.scenes.view import Scene, View
from rosenblatt.tasks.evaluation import decide, to_probs

log = logging.getLogger(__name__)

Made = TypeVar("Made")


def scenes_of(view: View) -> Iterator[tuple[str, Scene]]:
    """Yield the name of each picture of a view, and what it shows."""
    probs = to_probs(view.logits, view.spec.task)
    preds = decide(probs, view.spec.task, view.threshold)
    yield "boundary", _made(boundary, view, preds)
    if isinstance(view.model, MLP):
        yield "hidden_layer", _made(hidden_layer, view, preds)
    yield "confusion", _made(confusions_of, view, preds)
    if probs.isfinite().all():
        curves = _made(rankings, view, probs)
        yield from zip(("roc", "precision_recall"), (curves,) * 2 if isinstance(curves, str) else curves, strict=True)
        yield "reliability", _made(reliability_diagram, view, probs)
    else:
        yield from ((name, "some probabilities are no numbers") for name in ("roc", "precision_recall", "reliability"))


def _made(make: Callable[[View, Tensor], Made], view: View, numbers: Tensor) -> Made | str:
    """Return a scene; one that can't be made, such as of a model with ways of its own, says why and costs no other."""
    try:
        return make(view, numbers)
    except Exception as error:
        log.debug("scenes", exc_info=True)
        return f"it can't be made ({type(error).__name__}: {first_line(error)})"
