"""What can be seen inside a model: the regions of a plane, its last hidden layer, the words of its first one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rosenblatt.data.features import Bags, Features, Plane, first_rows
from rosenblatt.errors import first_line
from rosenblatt.show.figures.kinds import Drawing
from rosenblatt.show.figures.plane import Boundary, HiddenLayer
from rosenblatt.show.figures.style import COLOURS
from rosenblatt.show.influence import bag_layer
from rosenblatt.show.words import short_name
from rosenblatt.tasks.task import Task
from rosenblatt.text.sparse import BagLinear

MAX_POINTS = 500  # rows that are drawn; more hide each other
MAX_HIDDEN_ROWS = 2_000  # that the hidden layer is asked for
GRID = 100  # places along each side of a plane at which the model is asked
NUM_COUNTED = 20_000  # rows in which words are counted
NUM_EMBEDDED = 1_000  # words in the projector


class Rows(NamedTuple):
    """N rows of a split whose classes are known, and how a model is asked for more.

    Attributes:
        features: of all rows.
        target: (N,) class numbers.
        preds: (N,) class numbers.
        task: what outputs mean.
        plane: how rows are points, or ``None`` where they are none.
    """

    features: Features
    target: Tensor
    preds: Tensor
    task: Task
    plane: Plane | None = None


@contextmanager
def looked_at(model: nn.Module) -> Iterator[None]:
    """Ask a model without changing anything: in eval mode, and leaving random numbers to training."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for module, training in modes:
            module.training = training


def inside_figures(model: nn.Module, rows: Rows, of: str) -> dict[str, Drawing | str]:
    """Return the figures that look into a model, by name, or why one can't be drawn.

    Args:
        model: maps features to outputs.
        rows: that it is looked at with; several labels a row have no figure here.
        of: what is shown, such as ``validation, epoch 3``.
    """
    layers = model if isinstance(model, nn.Sequential) else getattr(model, "layers", None)
    makers: dict[str, Callable[[], Boundary | str]] = {"boundary": lambda: boundary(model, rows)}
    if isinstance(layers, nn.Sequential) and len(layers) > 0:
        makers["hidden_layer"] = lambda: hidden_layer(layers, rows)
    found: dict[str, Drawing | str] = {}
    for name, make in makers.items():
        try:
            with looked_at(model), torch.no_grad():
                made = make()
        except Exception as error:  # such as of a model with ways of its own: it costs no other figure
            made = f"it can't be made ({type(error).__name__}: {first_line(error)})"
        found[name] = made if isinstance(made, str) else Drawing(made, of)
    return found


def boundary(model: nn.Module, rows: Rows) -> Boundary | str:
    """Return rows of two numbers, and the classes of all places between them."""
    plane, features, like = rows.plane, rows.features, next(model.parameters())
    if plane is None or not isinstance(features, Tensor):
        return "only rows of two numbers are points of a plane"
    x, y = (short_name(name) for name in plane.axes)
    return _plane(rows, plane.points(features), lambda places: model(plane.features(places).to(like)), (x, y))


def hidden_layer(layers: nn.Sequential, rows: Rows) -> HiddenLayer | str:
    """Return what the last of some layers sees, where it has two inputs (the book, chapter 4, figure 4-4)."""
    *before, last = layers
    if not isinstance(last, nn.Linear | BagLinear):
        return f"the last layer is {type(last).__name__}, not linear"
    num_inputs = last.weight.shape[0] if isinstance(last, BagLinear) else last.in_features
    if not before or num_inputs != 2:
        return f"the last layer has {num_inputs:,} inputs, not 2"
    hidden, like = first_rows(rows.features, MAX_HIDDEN_ROWS), next(layers.parameters())
    hidden = hidden.to(like) if isinstance(hidden, Tensor) else Bags(*(part.to(like.device) for part in hidden))
    for layer in before:
        hidden = layer(hidden)
    assert isinstance(hidden, Tensor)
    axes = ("hidden unit 1", "hidden unit 2")
    found = _plane(rows, hidden.float().cpu(), lambda places: last(places.to(like)), axes)
    return found if isinstance(found, str) else HiddenLayer(*found)


def _plane(rows: Rows, points: Tensor, model: Callable[[Tensor], Tensor], axes: tuple[str, str]) -> Boundary | str:
    """Return the first rows as points of a plane, all places of which a model maps to outputs."""
    if len(rows.task.classes) > len(COLOURS):
        return f"{len(rows.task.classes):,} classes are more than there are colours to tell apart"
    known = points.isfinite().all(dim=1).nonzero().flatten()  # numbers may be missing, or too far off
    if len(known) == 0:
        return "no row has two numbers that are known"
    some = known[torch.linspace(0, len(known) - 1, min(len(known), MAX_POINTS)).round().long()]
    note = f"{len(some):,} of {len(rows.target):,} rows" if len(some) < len(rows.target) else ""
    low, high = points[known].amin(dim=0), points[known].amax(dim=0)  # of all: the same place after each epoch
    margin = torch.where(high > low, 0.05 * (high - low), (0.05 * low.abs()).clamp(min=1))
    (left, bottom), (right, top) = (low - margin).tolist(), (high + margin).tolist()
    across, up = (torch.linspace(*ends, GRID, dtype=torch.float64) for ends in ((left, right), (bottom, top)))
    scores = rows.task.scores(model(torch.cartesian_prod(across, up)).float().cpu())
    probs = scores.view(GRID, GRID).T.numpy() if scores.ndim == 1 else None
    return Boundary(  # (GRID * GRID,), y runs fastest -> (y, x)
        axes, [short_name(name, 18) for name in rows.task.classes], points[some].numpy(), rows.target[some].numpy(),
        (rows.target != rows.preds)[some].numpy(), (left, right, bottom, top),
        rows.task.decide(scores).view(GRID, GRID).T.byte().numpy(), probs,
        getattr(rows.task, "threshold", 0.5), note,
    )  # fmt: skip


def word_vectors(model: nn.Module, features: Features) -> tuple[np.ndarray, Tensor] | None:
    """Return the most frequent words, and what a model makes of each: the weights that its first layer has for it.

    Args:
        model: any; of one that takes no bags, or has a single layer, there are no such vectors.
        features: of N rows, the first 20,000 of which are counted.

    Returns:
        Feature numbers (num_words,) and vectors (num_words, width), or ``None``.
    """
    if not isinstance(features, Bags) or not any(isinstance(module, nn.Linear) for module in model.modules()):
        return None
    ids = features.ids[: features.offsets[: NUM_COUNTED + 1][-1]]
    counts, weight = np.bincount(ids.numpy()), bag_layer(model).weight.detach()  # (num_features, width)
    numbers = np.argsort(-counts, kind="stable")[: min(NUM_EMBEDDED, int((counts > 0).sum()))]
    return (numbers, weight[numbers]) if len(numbers) > 1 and weight.shape[1] > 1 else None
