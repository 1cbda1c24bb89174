"""Small saved models of every kind, with weights at random: to be kept and asked, they need not be good."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from safetensors.torch import save_file
from torch import nn

from conftest import dense_of
from perceptron.models import MLP, Perceptron
from rosenblatt.data.columns import Columns
from rosenblatt.data.encoder import Encoder, PointEncoder
from rosenblatt.data.features import Bags, Features
from rosenblatt.saved import folder as model_folder
from rosenblatt.saved.known import given, path_of
from rosenblatt.saved.model import Origin, SavedModel
from rosenblatt.table.encoder import TableEncoder
from rosenblatt.tasks.binary import Binary
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.tasks.multilabel import Multilabel
from rosenblatt.tasks.regression import Regression
from rosenblatt.tasks.task import Task
from rosenblatt.text.encoder import TextEncoder
from rosenblatt.text.rows import rows_of_class
from rosenblatt.text.sparse import BagLinear

CLASSES = {"binary": ("no", "yes"), "multiclass": ("café", "red, wine", "tea"), "multilabel": ("a b", "c", "d")}
THRESHOLDS: dict[str, Any] = {"binary": 0.375, "multiclass": 0.5, "multilabel": (0.25, 0.5, 0.625)}
NUMBERS = {"mean": 1234.5, "std": 67.25, "radius": 90.5, "num_validation": 450}
WORDS = ["good", "Bad", "film", "isn't", "пьеса", "<br />", ",", "!", "7th", "naïve", "so", "好", "a", "the"]
NUM_ROWS = 250


def fit_and_encode(encoder: TableEncoder, frame: pl.DataFrame) -> Features:
    encoder.fit(frame)
    return encoder.encode(frame, Columns(), "the training rows")


def _texts(num: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(1, 9))) for _ in range(num)]


TEXTS = _texts(NUM_ROWS, seed=0)
NEW_TEXTS = ["", "a good film", "nothing of this was seen", "  ", *_texts(20, seed=1)]


def table(num: int = NUM_ROWS, seed: int = 0, codes: int = 0) -> pl.DataFrame:
    """Rows with two columns of numbers, one with gaps, and one of words; and one of so many codes, where any are."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({"age": rng.integers(17, 90, num), "height": rng.normal(1.7, 0.1, num).round(3)})
    frame = frame.with_columns(pl.when(pl.col("age") % 7 > 0).then("height"))
    frame = frame.with_columns(pl.Series("job", rng.choice(["cook", "nurse = head", "", "très bon"], num)))
    return frame.with_columns(pl.Series("code", [f"c{i % codes}" for i in range(num)])) if codes else frame


def task_of(name: str, **settings: Any) -> Task:
    """A task with facts that are none of the usual ones."""
    if name == "regression":
        return Regression(num_rows=NUM_ROWS, **NUMBERS | settings)
    classes = CLASSES[name]
    kind = {"binary": Binary, "multiclass": Multiclass, "multilabel": Multilabel}[name]
    counts = tuple(range(100, 100 + len(classes)))
    usual = {"class_counts": counts, "threshold": THRESHOLDS[name], "temperature": 1.75}
    return kind(classes, num_rows=NUM_ROWS, **usual | settings)


def saved_model(
    encoder: Encoder | None, bags: bool, task: str, make: type[nn.Module] = Perceptron, **settings: Any
) -> SavedModel:
    """A model on what an encoder gives, with settings that are none of the usual ones."""
    num_features = settings.pop("num_features", None) or encoder.num_features
    arguments = {"hidden": [5, 4], "activation": "tanh", "dropout": 0.5} if make is MLP else {}
    means = task_of(task)
    model = make(num_features, means.num_outputs, bags, **arguments)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    usual = {"batch_size": 7, "sizes": {"num_features": num_features, "bags": bags}}
    usual["loss"] = {} if task == "regression" else {"class_weights": "balanced", "label_smoothing": 0.125}
    return SavedModel(model.eval(), means, encoder, Origin(path_of(make), arguments), **usual | settings)


def read(folder: Path, *classes: type) -> SavedModel:
    """Read a model folder; the project's own models are known."""
    return model_folder.read(folder, [given([Perceptron, MLP, *classes])])


def text_encoder(**settings: Any) -> TextEncoder:
    """An encoder that knows `TEXTS`."""
    encoder = TextEncoder(**{"ngrams": 2, "char_ngrams": 0, "min_count": 1, "max_features": None} | settings)
    encoder.fit_transform(pl.Series(TEXTS), rows_of_class(torch.arange(NUM_ROWS) % 3 // 2, 2))
    return encoder


def texts(task: str = "binary", make: type[nn.Module] = Perceptron, **settings: Any) -> SavedModel:
    """A model of texts; settings are those of the encoder."""
    return saved_model(text_encoder(**settings), True, task, make, columns=Columns(text=("text",)))


def rows(task: str = "binary", make: type[nn.Module] = Perceptron, codes: int = 0) -> SavedModel:
    """A model of `table`, dense or, with more than a thousand codes, on bags."""
    encoder = TableEncoder(bins=2)
    encoder.fit(table(max(NUM_ROWS, codes), codes=codes))
    return saved_model(encoder, codes > 0, task, make)


def points(task: str = "binary", make: type[nn.Module] = Perceptron) -> SavedModel:
    """A model of points in the plane."""
    return saved_model(PointEncoder(2), False, task, make)


CODES = 1100
KINDS: dict[str, Callable[..., SavedModel]] = {
    "words": texts,
    "characters": partial(texts, ngrams=0, char_ngrams=3, weighting="tfidf", lowercase=False),
    "both": partial(texts, char_ngrams=2, weighting="count", min_count=2),
    "frequent ones": partial(texts, char_ngrams=2, max_features=40),
    "table": rows,
    "table of bags": partial(rows, codes=CODES),
    "points": points,
}
TASKS = ("binary", "multiclass", "multilabel", "regression")
OF_CLASSES = TASKS[:3]


def new_rows(kind: str) -> pl.DataFrame:
    """Rows for a model of a kind, some unlike all that it knows."""
    if kind.startswith("table"):
        odd = pl.DataFrame({"age": [-1, 10**6], "height": [None, 1e30], "job": ["pilot", None]})
        frame = pl.concat([table(30, seed=1), odd])
        return frame.with_columns(pl.Series("code", [f"c{50 * i}" for i in range(frame.height)]))
    if kind == "points":
        return pl.DataFrame(np.random.default_rng(1).normal(0, 3, (40, 2)), schema=["x1", "x2"])
    return pl.DataFrame({"text": NEW_TEXTS})


def dense_features(saved: SavedModel, frame: pl.DataFrame) -> np.ndarray:
    """(N, num_features) in float64."""
    features = saved.encoder.encode(frame, saved.columns, "rows")
    return (
        (dense_of(features, saved.sizes["num_features"]) if isinstance(features, Bags) else features).double().numpy()
    )


def layers_of(saved: SavedModel) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weight (num_inputs, num_outputs) and bias of each layer, in float64."""
    found = []
    for layer in saved.model.modules():
        if isinstance(layer, nn.Linear | BagLinear):
            weight, bias = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()
            found.append((weight.T if isinstance(layer, nn.Linear) else weight, bias))
    return found


def plain_logits(saved: SavedModel, frame: pl.DataFrame) -> np.ndarray:
    """(N, num_outputs) by arithmetic on dense arrays: divided by the temperature, or in the units of the label."""
    values = dense_features(saved, frame)
    for number, (weight, bias) in enumerate(layers_of(saved)):
        values = (np.tanh(values) if number else values) @ weight + bias
    if saved.task.name == "regression":
        return values * NUMBERS["std"] + NUMBERS["mean"]
    return values / saved.task.temperature


def plain_probs(saved: SavedModel, frame: pl.DataFrame) -> np.ndarray:
    """(N, num_classes), of `plain_logits`."""
    values = plain_logits(saved, frame)
    if saved.task.name == "multiclass":
        shares = np.exp(values - values.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)
    probs = 1 / (1 + np.exp(-values))
    return np.hstack([1 - probs, probs]) if saved.task.name == "binary" else probs


def correct(folder: Path, **changes: Any) -> None:
    """Write sizes and digests into model.json that are right for what is there, as an attacker would."""
    content = json.loads((folder / "model.json").read_text(encoding="utf-8")) | changes
    for name in content["files"]:
        found = (folder / name).read_bytes()
        content["files"][name] = {"bytes": len(found), "sha256": hashlib.sha256(found).hexdigest()}
    write_json(folder, content)


def write_json(folder: Path, content: dict[str, Any]) -> None:
    """Write model.json with the digest of its content, whatever that is."""
    content.pop("sha256", None)
    text = json.dumps(content, ensure_ascii=False)
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    content = content | {"sha256": digest}
    (folder / "model.json").write_text(json.dumps(content), encoding="utf-8")


def as_format_1(saved: SavedModel, folder: Path) -> None:
    """Write a model folder as rosenblatt 0.1 did."""
    folder.mkdir(parents=True)
    save_file(
        {name: one.contiguous() for name, one in saved.model.state_dict().items()}, folder / "weights.safetensors"
    )
    if (vocabulary := saved.encoder.vocabulary()) is not None:
        vocabulary.write_parquet(folder / "vocabulary.parquet", compression="zstd", compression_level=1)
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in folder.iterdir()
    }
    task, encoder = saved.task, saved.encoder
    threshold = list(task.threshold) if isinstance(task.threshold, tuple) else task.threshold
    content = {
        "format": 1, "rosenblatt": "0.1.0", "num_features": saved.sizes["num_features"], "bags": saved.sizes["bags"],
        "task": task.name, "classes": task.classes, "class_counts": task.class_counts, "num_rows": task.num_rows,
        "model": {"name": type(saved.model).__name__, "arguments": saved.origin.arguments},
        "encoder": {
            "name": type(encoder).__name__, "arguments": encoder.settings, "learnt": encoder.facts(),
        },
        "columns": asdict(saved.columns), "threshold": threshold, "temperature": task.temperature, "loss": saved.loss,
        "batch_size": saved.batch_size, "precision": saved.precision, "rows": saved.rows, "files": files,
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(content, ensure_ascii=False, allow_nan=False).encode()).hexdigest()
    text = json.dumps(content | {"sha256": digest}, indent=1, ensure_ascii=False) + "\n"
    (folder / "model.json").write_text(text, encoding="utf-8")
