"""What is written is read back to the last bit, by anybody, and never half."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import rosenblatt
from perceptron.models import MLP, Perceptron
from rosenblatt.data.columns import Columns
from rosenblatt.data.points import PointEncoder
from rosenblatt.errors import UserError
from rosenblatt.saved import folder as model_folder
from rosenblatt.saved.folder import read, write
from rosenblatt.saved.refusal import ModelRefused
from rosenblatt.saved.registry import ENCODERS, MODELS
from saved_models import KINDS, TASKS, new_rows, points, saved_model, texts

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
    assert found.predict_proba(frame).tobytes() == saved.predict_proba(frame).tobytes()
    assert list(found.predict(frame)) == list(saved.predict(frame))
    assert found.explain(frame[:5]) == saved.explain(frame[:5])
    for name in ("spec", "columns", "threshold", "temperature", "loss", "batch_size", "model_arguments"):
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
    assert torch.equal(found.probs_of(features), saved.probs_of(features))
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
        assert pl.read_parquet(folder / "vocabulary.parquet").columns == ["symbol", "prefix", "last", "weight"]


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
    (folder / "model.json").write_text(json.dumps({"format": 2, "rosenblatt": "9.9", "of": [content]}))
    with pytest.raises(ModelRefused, match=r"model\.json.*format 2, of rosenblatt 9\.9.*up to 1: install a newer"):
        read(folder)


class Own(torch.nn.Module):
    """A model of somebody's project: a linear layer after a scale that is made, not learnt, and is not saved."""

    def __init__(self, num_features: int, num_outputs: int, bags: bool = False, scale: float = 1.0) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(num_features, num_outputs)
        self.register_buffer("scale", torch.tensor(scale), persistent=False)
        self.register_buffer("steps", torch.tensor(7))

    def forward(self, features):
        return self.linear(features * self.scale)


class OwnPoints(PointEncoder):
    """An encoder of somebody's project, whose features have no columns."""

    column_of = None

    def encode(self, frame, columns, where):
        return super().encode(frame.rename({"a": "x1", "b": "x2"}, strict=True), columns, where)


def own() -> rosenblatt.saved.model.SavedModel:
    saved = saved_model(PointEncoder(2), False, "binary", Own)
    saved.model.scale.fill_(3.0)
    saved.model_arguments = {"scale": 3.0}
    return saved


def test_a_class_that_is_not_registered_is_refused_with_what_to_do(folder):
    write(own(), folder, "card")
    with pytest.raises(ModelRefused, match=r"'Own' is none of 'Perceptron', 'MLP'\..*add it to .*registry\.MODELS"):
        read(folder)
    saved = saved_model(OwnPoints(2), False, "binary")
    write(saved, folder, "card")
    with pytest.raises(ModelRefused, match=r"'OwnPoints' is none of .*add it to .*registry\.ENCODERS"):
        read(folder)


def test_classes_that_are_registered_are_read_back(folder, monkeypatch):
    monkeypatch.setitem(MODELS, "Own", Own)
    monkeypatch.setitem(ENCODERS, "OwnPoints", OwnPoints)
    saved, frame = own(), new_rows("points")
    write(saved, folder, "card")
    assert read(folder).predict_proba(frame).tobytes() == saved.predict_proba(frame).tobytes()
    saved.encoder, frame = OwnPoints(2), frame.rename({"x1": "a", "x2": "b"})
    write(saved, folder, "card")
    assert read(folder).predict_proba(frame).tobytes() == saved.predict_proba(frame).tobytes()


def test_a_model_is_loaded_from_its_run_or_its_own_folder_however_the_path_is_given(folder, monkeypatch):
    write(points(), folder, "card")
    monkeypatch.setenv("HOME", str(folder.parents[1]))
    monkeypatch.setenv("USERPROFILE", str(folder.parents[1]))
    monkeypatch.chdir(folder)
    expected = points().predict_proba([[1.0, 2.0]])
    for path in (folder, folder.parent, str(folder), str(folder.parent), "~/run", Path("~/run/model"), ".", ".."):
        assert np.array_equal(rosenblatt.load(path).predict_proba([[1.0, 2.0]]), expected)


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
    with pytest.raises(UserError, match=r"no model yet.*Go on: python train.py resume=cut"):
        rosenblatt.load("cut")


def test_neither_hydra_nor_lightning_is_needed(folder):
    write(points(), folder, "card")
    program = (
        "import sys, rosenblatt; assert 'torch' not in sys.modules; "
        f"print(rosenblatt.load({str(folder)!r}).predict([[1.0, 2.0]])[0]); "
        "assert not {'hydra', 'omegaconf', 'lightning'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip() in ("no", "yes"), done.stderr) == (True, "")
