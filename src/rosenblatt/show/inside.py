"""What can be seen inside a model: the regions of a plane, its last hidden layer, and the part that each feature has in
its outputs, of single rows and on average."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rosenblatt.data.features import Bags, Features, Plane, rows_between
from rosenblatt.errors import first_line
from rosenblatt.show.words import short_name
from rosenblatt.tasks.arrays import Boundary, HiddenLayer, Influence, InfluenceBars
from rosenblatt.tasks.task import Task
from rosenblatt.text.sparse import BagLinear

MAX_CLASSES = 8  # of a plane, for which there are colours
MAX_POINTS = 500  # rows that are drawn; more hide each other
MAX_ROWS = 2_000  # that the hidden layer is asked for, and that the mean of parts is taken over
GRID = 100  # places along each side of a plane at which the model is asked
NUM_COUNTED = 20_000  # rows in which words are counted
NUM_EMBEDDED = 1_000  # words in the projector
MAX_WORK = 20_000_000  # numbers, once for each output
MAX_PASSED = 20_000  # rows, once for each column that is taken away
MAX_OUTPUTS, MAX_PANELS = 12, 6  # that are asked, and drawn
NUM_FEATURES = 20  # for an output, and against it, at most
NAME = 18  # letters of the name of an output or a class


class Rows(NamedTuple):
    """N rows of a split whose classes are known, and how a model is asked for more.

    Attributes:
        target: (N,) class numbers, as ``preds``.
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


def inside_arrays(model: nn.Module, rows: Rows) -> dict[str, Boundary | str]:
    """Return the figures that look into a model, by name, or why one can't be drawn; of single labels a row alone."""
    layers = model if isinstance(model, nn.Sequential) else getattr(model, "layers", None)
    makers: dict[str, Callable[[], Boundary | str]] = {"boundary": lambda: boundary(model, rows)}
    if isinstance(layers, nn.Sequential) and len(layers) > 0:
        makers["hidden_layer"] = lambda: hidden_layer(layers, rows)
    found: dict[str, Boundary | str] = {}
    for name, make in makers.items():
        try:
            with looked_at(model), torch.no_grad():
                found[name] = make()
        except Exception as error:  # such as of a model with ways of its own: it costs no other figure
            found[name] = f"it can't be made ({type(error).__name__}: {first_line(error)})"
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
    hidden, like = rows_between(rows.features, 0, MAX_ROWS), next(layers.parameters())
    hidden = hidden.to(like) if isinstance(hidden, Tensor) else Bags(*(part.to(like.device) for part in hidden))
    for layer in before:
        hidden = layer(hidden)
    assert isinstance(hidden, Tensor)
    axes = ("hidden unit 1", "hidden unit 2")
    found = _plane(rows, hidden.float().cpu(), lambda places: last(places.to(like)), axes)
    return found if isinstance(found, str) else HiddenLayer(*found)


def _plane(rows: Rows, points: Tensor, model: Callable[[Tensor], Tensor], axes: tuple[str, str]) -> Boundary | str:
    """Return the first rows as points of a plane, all places of which a model maps to outputs."""
    if len(rows.task.classes) > MAX_CLASSES:
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
        axes, [short_name(name, NAME) for name in rows.task.classes], points[some].numpy(), rows.target[some].numpy(),
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


def influences(
    model: nn.Module, features: Features, task: Task, names_of: Callable[[NDArray[np.int64]], list[str]]
) -> list[Influence]:
    """Return the most influential features of each output: the size of their part in it, in the mean of all rows.

    So a word counts by its weight and by how often it is there, a number by its weight and by how much it varies. A
    feature speaks for a class where more of it makes the logit larger. For a perceptron parts are exact (see
    `parts_of`).

    Args:
        model: maps features to outputs.
        features: of N rows, the first 2,000 of which are looked at.
        task: says which outputs are looked at, the first 12 of them, and what they mean.
        names_of: names features by number.
    """
    num_rows = MAX_ROWS
    if num_columns := len(getattr(model, "column_sizes", ())):  # each of which takes a pass
        num_rows = max(1, min(MAX_ROWS, MAX_PASSED // num_columns))
    elif isinstance(features, Bags):  # in memory are as many numbers for each entry of a bag as the layer has outputs
        most = MAX_WORK // bag_layer(model).weight.shape[1]
        num_rows = max(1, min(MAX_ROWS, int((features.offsets <= most).sum()) - 1))
    features = rows_between(features, 0, num_rows)
    num_rows = features.num_rows if isinstance(features, Bags) else len(features)
    found = []
    for k, name in [*task.named_outputs().items()][:MAX_OUTPUTS]:

        def score(logits: Tensor, k: int = k) -> Tensor:
            return logits[:, k] - logits.mean(dim=1) if task.above_mean else logits[:, k]

        ids, values, parts, _ = parts_of(model, features, score)
        sizes = np.bincount(ids, weights=np.abs(parts)) / num_rows * task.scale
        signed = sizes * np.sign(np.bincount(ids, weights=parts * values))
        some = np.flatnonzero(signed)
        order = some[np.argsort(-np.abs(signed[some]), kind="stable")]
        ends = [order[sign * signed[order] > 0][:NUM_FEATURES] for sign in (1, -1)]
        high, low = (list(zip(names_of(numbers), signed[numbers].tolist(), strict=True)) for numbers in ends)
        of = f"{task.unit} of {short_name(name, NAME)}" + (" above the mean" if task.above_mean else "")
        found.append(Influence(name, high, low, of))
    return found


def influence_bars(found: Sequence[Influence], num_outputs: int) -> InfluenceBars | str:
    """Return what is drawn of the features that were found; ``num_outputs`` could have some."""
    shown = [one for one in found if one.in_favour or one.against][:MAX_PANELS]
    note = f"the {len(shown)} most frequent of {num_outputs:,} classes" if num_outputs > len(shown) else ""
    return InfluenceBars(shown, note) if shown else "no feature has a part in any output"


def bag_layer(model: nn.Module) -> BagLinear:
    """Return the layer that takes bags; a model that takes them in another way can't be looked into."""
    layer = next((module for module in model.modules() if isinstance(module, BagLinear)), None)
    if layer is None:
        raise TypeError(f"{type(model).__name__} takes bags in a layer that is no BagLinear")
    return layer


class Parts(NamedTuple):
    """What features of N rows have for a part in a score, all rows in a row.

    Attributes:
        ids: numbers of features.
        values: of these features.
        parts: that they have.
        offsets: (N + 1,), where each row begins.
    """

    ids: NDArray[np.int64]
    values: NDArray[np.float32]
    parts: NDArray[np.float64]
    offsets: NDArray[np.int64]


def parts_of(model: nn.Module, features: Features, score: Callable[[Tensor], Tensor]) -> Parts:
    """Return the part of each feature in a score of each row: its value times the score's slope.

    For a model that is linear in its features the parts are exact, for others a first-order estimate. Of one that has
    ``column_sizes`` and ``number_columns``, as `rosenblatt.table.realmlp.RealMLP`, it is how far the score falls when a
    column alone is taken away.

    Args:
        model: maps features to outputs; it takes rows of numbers, or bags in a `rosenblatt.text.sparse.BagLinear`.
        features: of N rows.
        score: from outputs (N, num_outputs) to scores (N,).
    """
    model.eval()
    if hasattr(model, "column_sizes"):
        return _parts_of_columns(model, features, score)
    if not isinstance(features, Bags):
        with torch.enable_grad():
            dense = features.to(next(model.parameters()).dtype, copy=True).requires_grad_()
            (slope,) = torch.autograd.grad(score(model(dense)).sum(), dense)
        num_rows, num_features = features.shape
        parts = (features * slope.float()).flatten()
        ids, offsets = np.tile(np.arange(num_features), num_rows), np.arange(num_rows + 1) * num_features
        return Parts(ids, features.flatten().numpy(), parts.double().numpy(), offsets)
    hidden: list[Tensor] = []

    def cut(module: nn.Module, arguments: object, output: Tensor) -> Tensor:
        hidden.append(output.detach().requires_grad_())
        return hidden[0]

    layer = bag_layer(model)
    handle = layer.register_forward_hook(cut)
    try:
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(score(model(features)).sum(), hidden)
    finally:
        handle.remove()
    words, weight = features.ids.long(), layer.weight.detach()
    if len(slope) > 0 and (slope == slope[0]).all():  # as of a perceptron and one class: no (nnz, C)
        parts = features.weights * (weight @ slope[0])[words]
    else:
        rows = torch.repeat_interleave(torch.arange(features.num_rows), features.offsets.diff())
        parts = features.weights * (weight[words] * slope[rows]).sum(dim=1)
    return Parts(words.numpy(), features.weights.numpy(), parts.double().numpy(), features.offsets.numpy())


def _parts_of_columns(model: nn.Module, features: Features, score: Callable[[Tensor], Tensor]) -> Parts:
    """Return how far the score falls without each column: its number at the median, or no category.

    A part stands at the feature of the column's category, or at the first one of a column of numbers.
    """
    columns, numbers = np.array(model.column_sizes), np.array(model.number_columns)
    ends = np.cumsum(columns)
    starts = ends - columns
    if isinstance(features, Bags):
        places, weights = features.ids.long().numpy(), features.weights.numpy()
        rows = np.repeat(np.arange(features.num_rows), features.offsets.diff().numpy())
        size = (features.num_rows, len(columns))
    else:
        rows, places = features.numpy().nonzero()
        weights, size = features.numpy()[rows, places], (len(features), len(columns))
    ids, values, parts = np.tile(starts, (size[0], 1)), np.zeros(size, dtype=np.float32), np.zeros(size)
    owner = np.searchsorted(ends, places, side="right")
    first = ~np.isin(owner, numbers) | (places == starts[owner])  # flags and bins tell of the number itself
    ids[rows[first], owner[first]], values[rows[first], owner[first]] = places[first], weights[first]
    with torch.no_grad():
        whole = score(model(features))
        for k, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            if isinstance(features, Bags):
                inside = (features.ids >= start) & (features.ids < end)
                less: Features = features._replace(weights=features.weights.masked_fill(inside, 0))
            else:
                less = features.index_fill(1, torch.arange(start, end), 0)
            parts[:, k] = (whole - score(model(less))).numpy()
    return Parts(ids.ravel(), values.ravel(), parts.ravel(), np.arange(size[0] + 1, dtype=np.int64) * len(columns))
