"""What is written is read back to the last bit, by anybody, and never half."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as pl
import numpy as np
import polars
import pytest
import torch
from safetensors.torch import load_file

import rosenblatt
from conftest import ROOT
from perceptron.models import MLP, Perceptron
from rosenblatt.data.columns import Columns
from rosenblatt.data.encoder import PointEncoder
from rosenblatt.errors import UserError
from rosenblatt.saved import folder as model_folder
from rosenblatt.saved import known
from rosenblatt.saved.folder import write
from rosenblatt.saved.known import path_of
from rosenblatt.saved.model import Origin, SavedModel
from rosenblatt.saved.place import find
from rosenblatt.saved.refusal import ModelRefused
from saved_models import (
    KINDS,
    OF_CLASSES,
    TASKS,
    as_format_1,
    new_rows,
    points,
    read,
    saved_model,
    task_of,
    texts,
    write_json,
)

posix = pytest.mark.skipif(os.name == "nt", reason="has no such rights")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run" / "model"


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("make", [Perceptron, MLP])
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_read_back_to_the_last_bit(folder, kind, make, task):
    saved, frame = KINDS[kind](task, make), new_rows(kind)
    write(saved, folder, "card")
    found = read(folder)
    same = "predict_interval" if task == "regression" else "predict_proba"
    assert getattr(found, same)(frame).tobytes() == getattr(saved, same)(frame).tobytes()
    assert list(found.predict(frame)) == list(saved.predict(frame))
    assert found.explain(frame[:5]) == saved.explain(frame[:5])
    for name in ("task", "columns", "sizes", "origin", "loss", "metrics", "batch_size"):
        assert getattr(found, name) == getattr(saved, name), name
    assert type(found.model) is make
    assert not found.model.training
    for name, tensor in saved.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], tensor)
    assert type(found.encoder) is type(saved.encoder)
    assert found.encoder.settings == saved.encoder.settings
    assert found.encoder.names() == saved.encoder.names()
    write(found, folder.parent / "again", "card")
    assert content_of(folder.parent / "again") == content_of(folder)


@pytest.mark.parametrize("kind", ["words", "characters", "both", "frequent ones"])
def test_a_model_of_texts_of_0_2_gives_what_it_gave(folder, kind):
    saved = KINDS[kind]("multiclass")
    saved.encoder.word_share = None  # words and characters are scaled as one row
    write(saved, folder, "card")
    said = content_of(folder)["model.json"]
    assert not [word for word in (b"word_share", b"punctuation") if word in said]
    assert set(json.loads(said)["encoder"]["learnt"]) == {"row_norm", "sizes"}
    frame = new_rows(kind)
    assert read(folder).predict_proba(frame).tobytes() == saved.predict_proba(frame).tobytes()


def test_columns_are_read_back_whatever_they_say(folder):
    saved = points()
    saved.columns = Columns(label=3, text=(0, "2"), label_separator="|", header=False, encoding="cp1251")
    write(saved, folder, "card")
    assert read(folder).columns == saved.columns


def test_a_model_without_an_encoder_is_read_back_and_says_that_it_reads_no_rows(folder):
    saved = saved_model(None, False, "binary", num_features=3)
    write(saved, folder, "card")
    found, features = read(folder), torch.randn(4, 3)
    assert found.encoder is None
    assert torch.equal(found.scores_of(features), saved.scores_of(features))
    for rows in ([[1.0, 2.0, 3.0]], ["a text"], []):
        with pytest.raises(UserError, match="This model can't read rows"):
            found.predict(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_are_those_that_are_documented_and_none_is_a_pickle(folder, kind):
    write(KINDS[kind](), folder, "# Card, naïve\n")
    vocabulary = set() if kind in ("table", "table of bags", "points") else {"vocabulary.parquet"}
    assert set(content_of(folder)) == {"model.json", "weights.safetensors", "README.md"} | vocabulary
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert (folder / "README.md").read_text(encoding="utf-8") == "# Card, naïve\n"
    for content in content_of(folder).values():
        assert not content.startswith((b"\x80", b"PK"))  # pickle, or the zip that torch.save makes
    strict = json.loads((folder / "model.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert set(strict["files"]) == {"weights.safetensors"} | vocabulary
    if vocabulary:
        assert polars.read_parquet(folder / "vocabulary.parquet").columns == ["symbol", "prefix", "last", "weight"]


@posix
@pytest.mark.parametrize(("mask", "of_files", "of_folder"), [(0o022, 0o644, 0o755), (0o027, 0o640, 0o750)])
def test_others_may_read_it_as_far_as_the_umask_lets_them(folder, mask, of_files, of_folder):
    before = os.umask(mask)
    try:
        write(texts(), folder, "card")
        assert os.umask(mask) == mask  # still the same
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {of_files}
    assert folder.stat().st_mode & 0o777 == of_folder


def test_a_folder_that_is_there_is_replaced_as_a_whole(folder):
    write(texts(), folder, "old")
    (folder / "stray.txt").write_text("from elsewhere")
    write(points(), folder, "new")
    assert set(content_of(folder)) == {"model.json", "weights.safetensors", "README.md"}
    assert type(read(folder).encoder) is PointEncoder
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def failing(function, at: int, error: BaseException):
    """The function, which raises an error the first time that it is called, or the second."""
    calls = []

    def call(*args, **kwargs):
        calls.append(args)
        if len(calls) == at:
            raise error
        return function(*args, **kwargs)

    return call


FAILURES = [("save_file", 1), ("described", 1), ("force", 1), ("os.replace", 1)]


@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()], ids=["disk", "Ctrl-C"])
@pytest.mark.parametrize(
    ("is_there", "name", "at"),
    [*((there, *failure) for there in (True, False) for failure in FAILURES), (True, "os.replace", 2)],
)
def test_what_fails_half_way_leaves_the_old_model_and_nothing_else(folder, monkeypatch, is_there, name, at, error):
    if is_there:
        write(texts(), folder, "old")
    before = content_of(folder.parent)
    with monkeypatch.context() as patched:
        owner, name = (os, "replace") if name == "os.replace" else (model_folder, name)
        patched.setattr(owner, name, failing(getattr(owner, name), at, error))
        with pytest.raises(type(error)):
            write(points(), folder, "new")
    assert content_of(folder.parent) == before
    if is_there:
        assert read(folder).columns == texts().columns


def test_a_newer_format_says_to_install_a_newer_version(folder):
    write(points(), folder, "card")
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({"format": 3, "rosenblatt": "9.9", "of": [content]}))
    with pytest.raises(ModelRefused, match=r"model\.json.*format 3, of rosenblatt 9\.9.*up to 2: install a newer"):
        read(folder)


class Own(torch.nn.Module):
    """A model of somebody's project: a linear layer after a scale that is made, not learnt, and is not saved."""

    def __init__(self, num_features: int, num_outputs: int, bags: bool = False, scale: float = 1.0) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(num_features, num_outputs)
        self.register_buffer("scale", torch.tensor(scale), persistent=False)
        self.register_buffer("steps", torch.tensor(7))
        self.register_buffer("mask", torch.tensor(-float("inf")))
        self.held = torch.tensor([scale])  # no buffer, so that nothing moves or keeps it

    def forward(self, features):
        return self.linear(features * self.scale * self.held)


class Looks(Own):
    """It looks at numbers while it is made, which tensors without memory do not have."""

    def __init__(self, num_features: int, num_outputs: int) -> None:
        super().__init__(num_features, num_outputs, scale=2.0)
        assert self.scale.item() == 2.0


class Tied(torch.nn.Module):
    """Two layers that share their weights."""

    def __init__(self, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.first = torch.nn.Linear(num_features, num_features)
        self.second = torch.nn.Linear(num_features, num_features)
        self.second.weight = self.first.weight
        self.out = torch.nn.Linear(num_features, num_outputs)

    def forward(self, features):
        return self.out(self.second(self.first(features).tanh()))


class Wrapped(torch.nn.Module):
    """It takes another module and its size by arguments, as YAML gives them."""

    def __init__(self, inner: torch.nn.Module, num_outputs: int) -> None:
        super().__init__()
        self.inner = inner
        self.out = torch.nn.Linear(2, num_outputs)

    def forward(self, features):
        return self.out(self.inner(features))


class OwnPoints(PointEncoder):
    """An encoder of somebody's project, whose features have no columns."""

    column_of = None

    def encode(self, frame, columns, where):
        return super().encode(frame.rename({"a": "x1", "b": "x2"}, strict=True), columns, where)


def own(model: torch.nn.Module, **arguments) -> SavedModel:
    """A model of two classes on points."""
    sizes = {"num_features": 2, "bags": False}
    return SavedModel(
        model.eval(), task_of("binary"), PointEncoder(2), Origin(path_of(type(model)), arguments), sizes=sizes
    )


@pytest.mark.parametrize("model", [Own, Looks, Tied])
def test_classes_that_are_given_are_read_back_with_what_is_not_saved(folder, model):
    torch.manual_seed(0)
    saved, frame = own(model(2, 1)), new_rows("points")
    write(saved, folder, "card")
    for found in (read(folder, model), rosenblatt.load(folder, classes=[model])):
        assert type(found.model) is model
        assert found.predict_proba(frame).tobytes() == saved.predict_proba(frame).tobytes()


def test_arguments_that_are_objects_themselves_are_made_of_known_classes(folder):
    model = Wrapped(torch.nn.Linear(2, 2), 1)
    linear = {"_target_": "torch.nn.modules.linear.Linear", "in_features": 2, "out_features": 2}
    saved, frame = own(model, inner=linear), new_rows("points")
    write(saved, folder, "card")
    expected = saved.predict_proba(frame).tobytes()
    assert read(folder, Wrapped, torch.nn.Linear).predict_proba(frame).tobytes() == expected
    with pytest.raises(ModelRefused, match=r"'torch\.nn\.modules\.linear\.Linear' is no model that is known here"):
        read(folder, Wrapped)


class Made(torch.nn.Module):
    """It is given layers in a row, and what makes one more."""

    def __init__(self, layers: torch.nn.Module, make) -> None:
        super().__init__()
        self.layers, self.out = layers, make(3, bias=False)

    def forward(self, features):
        return self.out(self.layers(features))


def test_arguments_may_stand_in_a_row_or_be_called_later(folder):
    linear = {"_target_": path_of(torch.nn.Linear), "in_features": 2, "out_features": 3}
    arguments = {
        "layers": {"_target_": path_of(torch.nn.Sequential), "_args_": [linear, {"_target_": path_of(torch.nn.Tanh)}]},
        "make": {"_target_": path_of(torch.nn.Linear), "_partial_": True, "out_features": 1},
    }
    layers = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh())
    saved, frame = own(Made(layers, partial(torch.nn.Linear, out_features=1)), **arguments), new_rows("points")
    write(saved, folder, "card")
    classes = (Made, torch.nn.Sequential, torch.nn.Linear, torch.nn.Tanh)
    assert read(folder, *classes).predict_proba(frame).tobytes() == saved.predict_proba(frame).tobytes()
    kinds, other = "_args_ is no list, or _partial_ neither", "'{}' are arguments of Hydra, which is not asked here"
    for changed, message in (
        ({"_args_": 1}, kinds),
        ({"_partial_": "yes"}, kinds),
        ({"_convert_": "all"}, other.format("_convert_")),
        ({"_recursive_": False}, other.format("_recursive_")),
    ):
        write(own(saved.model, **arguments | {"make": arguments["make"] | changed}), folder, "card")
        with pytest.raises(ModelRefused, match=message):
            read(folder, *classes)


def test_a_class_that_is_not_known_is_refused_with_what_to_do(folder):
    write(own(Own(2, 1)), folder, "card")
    with pytest.raises(ModelRefused, match=r"Own' is no model that is known here.*load\(run, classes=\[Own\]\)"):
        read(folder)
    saved = saved_model(OwnPoints(2), False, "binary")
    write(saved, folder, "card")
    with pytest.raises(ModelRefused, match=r"OwnPoints' is no encoder that is known here.*classes=\[OwnPoints\]"):
        read(folder)
    frame = new_rows("points").rename({"x1": "a", "x2": "b"})
    assert read(folder, OwnPoints).predict_proba(frame).tobytes() == saved.predict_proba(frame).tobytes()


class Point(NamedTuple):
    """An entry point, as far as we ask."""

    value: str
    loads: Any

    def load(self):
        if self.loads is None:
            raise AssertionError("it was imported")
        return self.loads


def test_classes_of_installed_projects_are_known_and_no_other_is_imported(folder, monkeypatch):
    write(own(Own(2, 1)), folder, "card")
    mine, points_of = path_of(Own), []
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: {known.ENTRY_POINTS: points_of}[group])
    points_of[:] = [Point("other.module:Own", None), Point(mine.replace(".Own", ":Own"), Own)]
    assert type(rosenblatt.load(folder).model) is Own
    points_of[:] = [Point(mine.replace(".Own", ":Own"), Tied)]  # it says one thing, and is another
    with pytest.raises(ModelRefused, match="is no model that is known here"):
        rosenblatt.load(folder)


def test_the_project_s_own_models_are_entry_points():
    content = pytest.importorskip("tomllib").loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = content["project"]["entry-points"][known.ENTRY_POINTS]
    assert {value.replace(":", ".") for value in named.values()} == {path_of(one) for one in (Perceptron, MLP)}
    assert content["project"]["version"] == rosenblatt.__version__


class Scaled(pl.LightningModule):
    """A module of somebody's project that has its own layers, and takes an optimizer."""

    def __init__(self, optimizer, size: int = 3) -> None:
        super().__init__()
        self.make_optimizer = optimizer
        self.layer = torch.nn.Linear(2, size)
        self.register_buffer("seen", torch.tensor(5.0))

    def forward(self, features):
        return self.layer(features) * self.seen


def test_a_module_of_its_own_kind_is_read_back_whole(folder):
    module = Scaled(partial(torch.optim.SGD, lr=0.1), size=4)
    write(SavedModel(module, None, None, Origin(path_of(Scaled), {"size": 4}, "module", "")), folder, "card")
    assert set(load_file(folder / "weights.safetensors")) == {"layer.weight", "layer.bias", "seen"}
    found, features = rosenblatt.load(folder, classes=[Scaled]), torch.randn(3, 2)
    assert torch.equal(found.model(features), module(features))
    assert found.state.keys() == module.state_dict().keys()
    with pytest.raises(UserError, match="Scaled has no task"):
        found.predict([[1.0, 2.0]])


def test_weights_that_are_not_the_model_s_are_kept_and_read_back(folder):
    saved = points()
    saved.rest = {"loss.weight": torch.tensor([0.25, 4.0]), "steps": torch.tensor(7)}
    write(saved, folder, "card")
    names = {"model.linear.weight", "model.linear.bias", "loss.weight", "steps"}
    assert set(load_file(folder / "weights.safetensors")) == names == set(read(folder).state)
    for name, one in read(folder).state.items():
        assert torch.equal(one, saved.state[name])


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "bf16-true", "64-true"])
def test_weights_are_kept_in_32_bits_whatever_the_precision_of_training_was(folder, precision):
    saved = points()
    saved.model.to({"bf16-true": torch.bfloat16, "64-true": torch.float64}.get(precision, torch.float32))
    saved.precision = precision
    write(saved, folder, "card")
    assert {one.dtype for one in read(folder).model.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize("task", OF_CLASSES)
@pytest.mark.parametrize("make", [Perceptron, MLP])
@pytest.mark.parametrize("kind", ["words", "table", "points"])
def test_a_model_of_format_1_is_read_to_the_last_bit_and_written_as_one_of_now(folder, kind, make, task):
    saved, frame = KINDS[kind](task, make), new_rows(kind)
    as_format_1(saved, folder)
    found = read(folder)
    assert found.predict_proba(frame).tobytes() == saved.predict_proba(frame).tobytes()
    assert list(found.predict(frame)) == list(saved.predict(frame))
    for name in ("task", "columns", "sizes", "loss", "batch_size", "precision"):
        assert getattr(found, name) == getattr(saved, name), name
    write(found, folder.parent / "now", "card")
    assert json.loads((folder.parent / "now" / "model.json").read_text())["format"] == 2
    assert read(folder.parent / "now").predict_proba(frame).tobytes() == saved.predict_proba(frame).tobytes()


def test_a_model_of_format_1_is_checked_as_one_of_now(folder):
    as_format_1(points(), folder)
    content = json.loads((folder / "model.json").read_text())
    changes = [
        {"threshold": 2}, {"classes": ["a"]}, {"task": "regression"}, {"num_features": 3},
        {"model": content["model"] | {"name": "os.system"}}, {"model": content["model"] | {"name": "system"}},
    ]  # fmt: skip
    for change in changes:
        write_json(folder, content | change)
        with pytest.raises(ModelRefused, match=r"the model is refused: "):
            read(folder)


def test_a_model_is_loaded_from_its_run_or_its_own_folder_however_the_path_is_given(folder, monkeypatch):
    write(points(), folder, "card")
    monkeypatch.setenv("HOME", str(folder.parents[1]))
    monkeypatch.setenv("USERPROFILE", str(folder.parents[1]))
    monkeypatch.chdir(folder)
    expected = points().predict_proba([[1.0, 2.0]])
    for path in (folder, folder.parent, str(folder), str(folder.parent), "~/run", Path("~/run/model"), ".", ".."):
        found = rosenblatt.load(path, classes=[Perceptron])
        assert np.array_equal(found.predict_proba([[1.0, 2.0]]), expected)


def test_what_is_no_model_folder_says_so_and_which_may_be_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("nowhere", tmp_path, "logs/runs/2026-11-20_22-19-05-443445"):
        with pytest.raises(UserError, match=r"expected the folder of a run, or its model/; there is none\.$"):
            rosenblatt.load(path)
    for time in ("2026-11-20_22-19-05-443446", "2026-11-21_07-00-00-000001"):
        (tmp_path / "logs" / "runs" / time / "model").mkdir(parents=True)
    os.utime(tmp_path / "logs" / "runs" / "2026-11-20_22-19-05-443446", (0, 0))
    with pytest.raises(UserError, match=r"Did you mean '.*2026-11-20_22-19-05-443446'\?"):
        rosenblatt.load("logs/runs/2026-11-20_22-19-05-443445")
    with pytest.raises(UserError, match=r"The newest is '.*2026-11-21_07-00-00-000001'\.$"):
        rosenblatt.load("somewhere/else/altogether")
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "config.yaml").write_text("seed: 0\n")
    with pytest.raises(UserError, match=r"run=cut: this run has no model: .* Its train\.log says why; train anew\."):
        rosenblatt.load("cut")
    (tmp_path / "cut" / "checkpoints").mkdir()
    (tmp_path / "cut" / "checkpoints" / "last.ckpt").write_bytes(b"")
    with pytest.raises(UserError, match=r"no model yet.*Go on: python train.py resume=cut"):
        rosenblatt.load("cut")


def test_neither_hydra_nor_lightning_is_needed(folder):
    write(points(), folder, "card")
    program = (
        "import sys, rosenblatt; assert 'torch' not in sys.modules; from perceptron.models import Perceptron; "
        f"print(rosenblatt.load({str(folder)!r}, classes=[Perceptron]).predict([[1.0, 2.0]])[0]); "
        "assert not {'hydra', 'omegaconf', 'lightning', 'torchmetrics'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip() in ("no", "yes"), done.stderr) == (True, "")


def test_of_a_sweep_the_run_to_take_is_named(tmp_path):
    (tmp_path / "winner.json").write_text('{"folders": ["001_lr=0.1"]}')
    with pytest.raises(UserError, match=r"this is a sweep\. Take one of its runs; the best is run=.*001_lr=0\.1$"):
        find(tmp_path)
    (tmp_path / "winner.json").write_text("{}")
    with pytest.raises(UserError, match="expected the folder of a run"):
        find(tmp_path)
