"""Planes: rows of two numbers, and the two units of a hidden layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from perceptron.models import MLP
from rosenblatt.data.features import first_rows
from rosenblatt.show.figures.boundary import Boundary
from rosenblatt.show.figures.style import COLOURS
from rosenblatt.show.scenes.view import Scene, View, short_name
from rosenblatt.tasks.evaluation import decide, to_probs

MAX_POINTS = 500  # rows that are drawn; more hide each other
MAX_HIDDEN_ROWS = 2_000  # that the hidden layer is asked for
GRID = 100  # places along each side of a plane at which the model is asked


@torch.no_grad()
def boundary(view: View, preds: Tensor) -> Scene:
    """Return rows of two numbers, and the classes of all places between them; ``preds`` are of all rows."""
    plane = view.plane
    if plane is None or not isinstance(view.features, Tensor):
        return "only rows of two numbers are points of a plane"
    points = plane.points(view.features)
    like = next(view.model.parameters())

    def logits_of(places: Tensor) -> Tensor:
        found: Tensor = view.model(plane.features(places).to(like))  # its device, and its kind of numbers
        return found

    x, y = plane.axes
    return _plane(view, points, preds, logits_of, view.titled("Decision boundary"), (short_name(x), short_name(y)))


@torch.no_grad()
def hidden_layer(view: View, preds: Tensor) -> Scene:
    """Return what the last layer of an MLP sees, where it has two inputs (the book, chapter 4, figure 4-4)."""
    assert isinstance(view.model, MLP)
    *before, last = view.model.layers
    assert isinstance(last, nn.Linear) or not before
    if not before or last.in_features != 2:
        return f"the last layer has {last.in_features if before else view.spec.num_features:,} inputs, not 2"
    hidden, like = first_rows(view.features, MAX_HIDDEN_ROWS), next(view.model.parameters())
    hidden = hidden.to(like) if isinstance(hidden, Tensor) else type(hidden)(*(part.to(like.device) for part in hidden))
    for layer in before:
        hidden = layer(hidden)
    assert isinstance(hidden, Tensor)
    title, axes = view.titled("Hidden layer"), ("hidden unit 1", "hidden unit 2")
    return _plane(view, hidden.float().cpu(), preds, lambda places: last(places.to(like)), title, axes)


def _plane(
    view: View, points: Tensor, preds: Tensor, model: Callable[[Tensor], Tensor], title: str, axes: tuple[str, str]
) -> Scene:
    """Return the first rows as points of a plane, all places of which a model maps to logits."""
    spec = view.spec
    if spec.task == "multilabel":
        return "several labels can be right at one place"
    if len(spec.classes) > len(COLOURS):
        return f"{len(spec.classes):,} classes are more than there are colours to tell apart"
    known = points.isfinite().all(dim=1).nonzero().flatten()  # numbers may be missing, or too far off
    if len(known) == 0:
        return "no row has two numbers that are known"
    points, target, preds = points[known], view.target[known], preds[known]
    wrong = target != preds
    some = torch.linspace(0, len(points) - 1, min(len(points), MAX_POINTS)).round().long()
    if len(some) < len(view.target):
        title += f"\n{len(some):,} of {len(view.target):,} rows"
    low, high = points.amin(dim=0), points.amax(dim=0)  # of all: the same place after each epoch
    margin = torch.where(high > low, 0.05 * (high - low), (0.05 * low.abs()).clamp(min=1))
    (left, bottom), (right, top) = (low - margin).tolist(), (high + margin).tolist()
    across, up = (torch.linspace(*ends, GRID, dtype=torch.float64) for ends in ((left, right), (bottom, top)))
    places = torch.cartesian_prod(across, up)
    probs = to_probs(model(places).float().cpu() / view.temperature, spec.task)
    threshold = view.threshold if isinstance(view.threshold, float) else 0.5
    regions = decide(probs, spec.task, threshold).view(GRID, GRID).T  # (GRID * GRID,), y runs fastest -> (y, x)
    return Boundary(
        title, axes, [short_name(name, 18) for name in spec.classes], points[some].numpy(), target[some].numpy(),
        wrong[some].numpy(), (left, right, bottom, top), regions.byte().numpy(),
        probs.view(GRID, GRID).T.numpy() if spec.task == "binary" else None, threshold,
    )  # fmt: skip
