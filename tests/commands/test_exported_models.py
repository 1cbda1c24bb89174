"""Exported models, run by another runtime, against arithmetic on plain arrays. Each kind is exported once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from perceptron.models import MLP, Perceptron
from rosenblatt.commands import export as exporting
from rosenblatt.commands.export import (
    SUFFIXES,
    TOLERANCE,
    PlainBagLinear,
    inputs_of,
    largest_difference,
    write_exported,
)
from rosenblatt.data.batches import rows_between
from rosenblatt.data.features import Bags
from rosenblatt.errors import UserError
from rosenblatt.saved.model import SavedModel
from rosenblatt.text.sparse import BagLinear
from saved_models import KINDS, NUMBERS, TASKS, plain_logits, plain_probs, points, table, task_of, texts

pytestmark = [
    # What newer versions of the exporters may say of their own doings; the command ignores it, too.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
MANY = 1000
WORDS = ["good", "film", "Bad", "unheard", "of", "пьеса", "!", "so", "a"]


@cache
def rows_of(kind: str) -> pl.DataFrame:
    """A thousand rows; every tenth text is empty."""
    rng = np.random.default_rng(2)
    if kind == "table":
        return table(MANY, seed=2)
    if kind == "points":
        return pl.DataFrame(rng.normal(0, 3, (MANY, 2)), schema=["x1", "x2"])
    return pl.DataFrame({"text": ["" if i % 10 == 0 else " ".join(rng.choice(WORDS, 6)) for i in range(MANY)]})


class ExportedModel(NamedTuple):
    saved: SavedModel
    path: Path
    format: str
    kind: str
    run: Callable[..., tuple[np.ndarray, np.ndarray]]  # its inputs to logits and probabilities


def runner(path: Path, format: str) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    if format == "onnx":
        session = pytest.importorskip("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_inputs()]

        def run(*inputs):
            feed = dict(zip(names, (one.numpy() for one in inputs), strict=True))
            return tuple(session.run([one.name for one in session.get_outputs()], feed))

        return run
    program = torch.export.load(path).module()
    return lambda *inputs: tuple(one.detach().numpy() for one in program(*inputs))


def needs(format: str) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime") if format == "onnx" else ():
        pytest.importorskip(package)


def made(folder: Path, format: Any, kind: str, saved: SavedModel) -> ExportedModel:
    needs(format)
    path = folder / "new" / f"model{SUFFIXES[format]}"
    write_exported(saved, path, format, saved.encode(rows_of(kind)))
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    return ExportedModel(saved, path, format, kind, runner(path, format))


MODELS = (Perceptron, MLP)
KINDS_OF = {Perceptron: ("points", "both"), MLP: ("table", "words")}  # dense features, and bags
EVERY = [  # each task with dense features and with bags, and with either model
    (format, KINDS_OF[make][bags], make, task)
    for format, (number, task), bags in product(SUFFIXES, enumerate(TASKS), (0, 1))
    for make in [MODELS[(number + bags) % 2]]
]


@pytest.fixture(scope="module", params=EVERY, ids=lambda one: f"{one[0]}-{one[2].__name__}-{one[1]}-{one[3]}")
def exported(request, tmp_path_factory) -> ExportedModel:
    format, kind, make, task = request.param
    return made(tmp_path_factory.mktemp("exported"), format, kind, KINDS[kind](task, make))


@pytest.mark.parametrize("num", [0, 1, MANY])
def test_logits_and_probabilities_are_those_of_the_model_for_any_number_of_rows(exported, num):
    frame = rows_of(exported.kind)[:num]
    logits, probs = exported.run(*inputs_of(exported.saved.encode(frame)))
    if exported.saved.task.name == "regression":
        assert (logits.shape, logits.dtype, probs.dtype) == ((num, 1), np.float32, np.float64)
        expected = plain_logits(exported.saved, frame)[:, 0]
        assert np.abs(probs - expected).max(initial=0) < TOLERANCE * NUMBERS["std"]
        np.testing.assert_allclose(logits[:, 0] * NUMBERS["std"] + NUMBERS["mean"], probs, rtol=1e-6)
        return
    assert logits.dtype == probs.dtype == np.float32
    np.testing.assert_allclose(logits, plain_logits(exported.saved, frame), atol=1e-4, rtol=1e-4)
    expected = plain_probs(exported.saved, frame)
    expected = expected[:, 1] if exported.saved.task.name == "binary" else expected
    assert probs.shape == expected.shape
    assert np.abs(probs - expected).max(initial=0) < TOLERANCE


def test_rows_of_which_nothing_is_known_are_no_exception(exported):
    saved = exported.saved
    nothing = saved.encode([""] * 5) if saved.sizes["bags"] else torch.zeros(5, saved.sizes["num_features"])
    _, probs = exported.run(*inputs_of(nothing))
    np.testing.assert_allclose(probs, saved.scores_of(nothing).numpy(), atol=TOLERANCE * saved.task.scale)


def test_inputs_and_outputs_are_those_that_are_documented(exported):
    sizes, task = exported.saved.sizes, exported.saved.task
    names = ["ids", "weights", "offsets"] if sizes["bags"] else ["features"]
    assert len(inputs_of(exported.saved.encode(rows_of(exported.kind)[:3]))) == len(names)
    if exported.format == "onnx":
        session = pytest.importorskip("onnxruntime").InferenceSession(str(exported.path))
        types = ["tensor(int64)", "tensor(float)", "tensor(int64)"] if sizes["bags"] else ["tensor(float)"]
        assert [(one.name, one.type) for one in session.get_inputs()] == list(zip(names, types, strict=True))
        results = ["outputs", "predictions"] if task.name == "regression" else ["logits", "probabilities"]
        assert [one.name for one in session.get_outputs()] == results
        for one in (*session.get_inputs(), *session.get_outputs()):
            assert not isinstance(one.shape[0], int), f"{one.name} has a fixed number of rows"
        assert session.get_outputs()[0].shape[1:] == [task.num_outputs]
        assert sizes["bags"] or session.get_inputs()[0].shape[1:] == [sizes["num_features"]]


def test_the_difference_is_measured_and_is_small(exported):
    features = exported.saved.encode(rows_of(exported.kind))
    assert largest_difference(exported.saved, exported.path, exported.format, features) < TOLERANCE


def test_a_difference_is_found(exported, monkeypatch):
    features = exported.saved.encode(rows_of(exported.kind))
    name = exported.saved.task.name
    changed = {"std": NUMBERS["std"] * 1.01} if name == "regression" else {"temperature": 1.75 * 1.01}
    monkeypatch.setattr(exported.saved, "task", task_of(name, **changed))
    expected, (_, found) = exported.saved.scores_of(features).numpy(), exported.run(*inputs_of(features))
    difference = largest_difference(exported.saved, exported.path, exported.format, features)
    scale = exported.saved.task.scale
    assert difference == pytest.approx(np.abs(expected - found).max() / scale, abs=1e-7)
    assert difference > TOLERANCE


@pytest.mark.parametrize("format", SUFFIXES)
def test_weights_that_changed_since_are_found_in_the_last_row_too(tmp_path, format):
    one = made(tmp_path, format, "points", points("multiclass"))
    with torch.no_grad():
        one.saved.model.linear.weight[2, 1] += 0.01
    features = torch.zeros(50, 2)
    assert largest_difference(one.saved, one.path, format, features) < TOLERANCE
    features[-1, 1] = 1.0
    assert largest_difference(one.saved, one.path, format, features) > TOLERANCE


@pytest.mark.parametrize("format", SUFFIXES)
def test_what_is_no_number_in_one_of_the_two_only_is_the_largest_difference(tmp_path, format):
    one = made(tmp_path, format, "points", points())
    features = torch.tensor([[1.0, 2.0], [float("nan"), 1.0]])
    assert largest_difference(one.saved, one.path, format, features) < TOLERANCE  # a row that can't be read, in both
    with torch.no_grad():
        one.saved.model.linear.bias.fill_(float("nan"))
    assert largest_difference(one.saved, one.path, format, features) == float("inf")


def test_probabilities_of_another_shape_are_refused(tmp_path):
    one = made(tmp_path, "torch_export", "points", points("multilabel"))
    with pytest.raises(UserError, match=r"of 0 rows it gives probabilities \(0, 3\), not \(0,\)"):
        largest_difference(points("binary"), one.path, "torch_export", torch.ones(2, 2))


@pytest.mark.parametrize("format", SUFFIXES)
def test_a_vocabulary_of_one_word_can_be_exported(tmp_path, format):
    one = made(tmp_path, format, "words", texts(max_features=1))
    assert one.saved.sizes["num_features"] == 1
    features = one.saved.encode(rows_of("words"))
    assert largest_difference(one.saved, one.path, format, features) < TOLERANCE


def test_sums_of_many_pairs_lose_no_digits():
    layer = BagLinear(1000, 2)
    num_rows, each = 5000, 40
    rng = np.random.default_rng(0)
    ids = torch.from_numpy(rng.integers(0, 1000, num_rows * each).astype(np.int32))
    bags = Bags(ids, torch.full((len(ids),), 100.0), torch.arange(num_rows + 1) * each)
    nn.init.uniform_(layer.weight, 0, 1)  # all of one sign, so that the sum over all rows grows
    exact = layer.weight.double()[ids.long()].mul(100).view(num_rows, each, 2).sum(dim=1) + layer.bias
    found = PlainBagLinear(layer)(Bags(*inputs_of(bags)))
    torch.testing.assert_close(found.double(), exact, rtol=3e-7, atol=0)
    last = rows_between(bags, num_rows - 1, num_rows)
    torch.testing.assert_close(layer(last)[0], found[-1])


def test_the_model_itself_stays_as_it_was(tmp_path):
    saved = texts("multiclass", MLP)
    before = saved.predict_proba(["a good film"]).tolist()
    write_exported(saved, tmp_path / "model.pt2", "torch_export", saved.encode(["a good film", ""]))
    assert type(saved.model.layers[0]) is BagLinear
    assert saved.predict_proba(["a good film"]).tolist() == before


@pytest.mark.parametrize("format", SUFFIXES)
def test_what_fails_half_way_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, format):
    needs(format)
    path = tmp_path / f"model{SUFFIXES[format]}"
    path.write_bytes(b"old")

    def replace(temporary, path):
        assert temporary.stat().st_size > 100
        raise OSError("No space left on device")

    monkeypatch.setattr(exporting, "replace", replace)
    with pytest.raises(OSError, match="No space left"):
        write_exported(points(), path, format, torch.ones(3, 2))
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [(path.name, b"old")]


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_packages_that_are_missing_are_named_with_how_to_get_them(tmp_path, monkeypatch, package):
    needs("onnx")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"format=onnx needs {package}\. Try: pip install 'rosenblatt\[onnx\]'"):
        write_exported(points(), tmp_path / "model.onnx", "onnx", torch.ones(3, 2))
    assert not list(tmp_path.iterdir())


def test_a_model_that_differs_does_not_take_the_place_of_one_that_does_not(tmp_path, monkeypatch):
    path = tmp_path / "model.pt2"
    write_exported(points(), path, "torch_export", torch.ones(3, 2))
    before = path.read_bytes()
    monkeypatch.setattr(exporting, "largest_difference", lambda *_: 0.1)
    with pytest.raises(UserError, match=r"differ from those of the model by up to 1\.0e-01, .* not kept"):
        write_exported(points(), path, "torch_export", torch.ones(3, 2))
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [(path.name, before)]
