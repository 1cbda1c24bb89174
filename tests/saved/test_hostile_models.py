"""A model folder from a stranger: each way to do harm with it ends in one refusal that names the file; nothing runs.

Each is tried twice: as somebody does who only puts a file there, and with sizes and digests that are right for it.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import rosenblatt
from perceptron.models import MLP, Perceptron
from rosenblatt.errors import UserError
from rosenblatt.loop import checkpoints
from rosenblatt.saved.folder import write
from rosenblatt.saved.refusal import ModelRefused
from saved_models import correct, new_rows, read, texts, write_json

JSON, WEIGHTS, VOCABULARY = "model.json", "weights.safetensors", "vocabulary.parquet"


class Payload:
    """Makes a file where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def checkpoint(marker: Path) -> bytes:
    """What `torch.save` makes of a checkpoint with a payload beside its weights."""
    file = io.BytesIO()
    torch.save({"state_dict": {"linear.weight": torch.ones(2, 1)}, "callbacks": Payload(marker)}, file)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(texts("multiclass"), tmp_path / "run" / "model", "card")
    return tmp_path / "run" / "model"


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "payload was here"


def refuse(folder: Path, name: str, marker: Path, match: str | None = None) -> None:
    """Assert that both ways to load it refuse it, in one line that names the file, and that nothing has run."""
    for load in (partial(rosenblatt.load, classes=[Perceptron, MLP]), read):
        with pytest.raises(ModelRefused, match=match) as refusal:
            load(folder)
        message = str(refusal.value)
        assert message.startswith(f"{folder / name}: the model is refused: ")
        assert message.isprintable()
        assert len(message) < 800
        assert not marker.exists()


def with_weights(change):
    """Tensors that are changed, in a safetensors file that is whole."""

    def attack(folder, marker):
        tensors = {name: one.clone() for name, one in load_file(folder / WEIGHTS).items()}
        save_file(change(tensors), folder / WEIGHTS)

    return attack


def with_bytes(change, name=WEIGHTS):
    def attack(folder, marker):
        (folder / name).write_bytes(change((folder / name).read_bytes(), marker))

    return attack


def header(content: bytes | dict, rest: bytes = b"") -> bytes:
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(content)) + content + rest


def not_finite(value: float):
    return with_weights(
        lambda tensors: tensors | {"model.linear.bias": torch.full_like(tensors["model.linear.bias"], value)}
    )


HUGE = {"model.linear.weight": {"dtype": "F32", "shape": [2**40, 3], "data_offsets": [0, 2**42 * 3]}}
WEIGHT_ATTACKS = {
    "pickle": with_bytes(lambda _, marker: pickle.dumps(Payload(marker))),
    "checkpoint": with_bytes(lambda _, marker: checkpoint(marker)),
    "cut off": with_bytes(lambda content, _: content[:-1]),
    "cut to its header": with_bytes(lambda content, _: content[:9]),
    "empty": with_bytes(lambda *_: b""),
    "too long": with_bytes(lambda content, _: content + bytes(1 << 20)),
    "header of 2^63 bytes": with_bytes(lambda content, _: b"\xff" * 7 + b"\x7f" + content[8:]),
    "header of brackets": with_bytes(lambda *_: header(b"[" * 200_000)),
    "header that lies": with_bytes(lambda content, _: header(HUGE, content)),
    "others": with_weights(lambda tensors: {"other.weight": torch.ones(3)}),
    "one more": with_weights(lambda tensors: tensors | {"more": torch.ones(3)}),
    "without the prefix": with_weights(lambda tensors: {name[6:]: one for name, one in tensors.items()}),
    "one less": with_weights(lambda tensors: {"model.linear.weight": tensors["model.linear.weight"]}),
    "transposed": with_weights(lambda tensors: {name: one.t().contiguous() for name, one in tensors.items()}),
    "flat": with_weights(lambda tensors: {name: one.flatten() for name, one in tensors.items()}),
    "of 64 bits": with_weights(lambda tensors: {name: one.double() for name, one in tensors.items()}),
    "of 8 bits": with_weights(lambda tensors: {name: one.to(torch.float8_e4m3fn) for name, one in tensors.items()}),
    "whole numbers": with_weights(lambda tensors: {name: one.int() for name, one in tensors.items()}),
    "NaN": not_finite(float("nan")),
    "infinite": not_finite(float("inf")),
    "minus infinite": not_finite(float("-inf")),
}


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("attack", WEIGHT_ATTACKS)
def test_weights_that_are_not_those_of_the_model_are_refused(folder, marker, attack, corrected):
    WEIGHT_ATTACKS[attack](folder, marker)
    if corrected:
        correct(folder)
    refuse(folder, WEIGHTS, marker)


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("name", [JSON, WEIGHTS, VOCABULARY])
@pytest.mark.parametrize("make", [lambda marker: pickle.dumps(Payload(marker)), checkpoint], ids=["pickle", "zip"])
def test_a_pickle_in_place_of_any_file_is_refused(folder, marker, make, name, corrected):
    (folder / name).write_bytes(make(marker))
    if corrected and name != JSON:
        correct(folder)
    refuse(folder, name, marker)


def test_the_payload_would_have_run(tmp_path, marker):
    pickle.loads(pickle.dumps(Payload(marker)))
    assert marker.exists()


def test_a_checkpoint_with_a_payload_is_refused_and_does_not_run(tmp_path, marker):
    path = tmp_path / "last.ckpt"
    path.write_bytes(checkpoint(marker))
    with pytest.raises(ValueError, match="it is damaged, or holds code"):
        checkpoints.read(path)
    path.write_bytes(pickle.dumps({"state_dict": Payload(marker)}))  # what torch.save made before it made zips
    with pytest.raises(ValueError, match=r"it is damaged$"):
        checkpoints.read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Payload(marker)))
        archive.writestr("archive/version", "3\n")
    with pytest.raises(ValueError, match=r"."):
        checkpoints.read(path)
    assert not marker.exists()
    torch.save({"state_dict": {"weight": torch.ones(2)}}, path)
    assert checkpoints.read(path)["state_dict"]["weight"].tolist() == [1, 1]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("name", [JSON, WEIGHTS, VOCABULARY])
def test_links_are_refused_wherever_they_lead(folder, tmp_path, marker, name):
    outside = tmp_path / "outside"
    (folder / name).rename(outside)  # the very same content, so that sizes and digests are right
    (folder / name).symlink_to(outside)
    refuse(folder, name, marker, "it is a link")
    for target in ("/dev/zero", "/etc/passwd", name):
        (folder / name).unlink()
        (folder / name).symlink_to(target)
        with pytest.raises(UserError, match=r"is a link|there is none"):
            rosenblatt.load(folder)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_model_folder_that_is_a_link_out_of_its_run_is_refused(folder, tmp_path):
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "model").symlink_to(folder)
    with pytest.raises(ModelRefused, match=r"model: .*it is a link, which leads out of the run"):
        rosenblatt.load(tmp_path / "sent")


@pytest.mark.parametrize("name", [JSON, WEIGHTS, VOCABULARY])
def test_folders_pipes_and_nothing_in_place_of_a_file_are_refused(folder, marker, name):
    (folder / name).unlink()
    with pytest.raises(ModelRefused, match=f"{name}: .*No such file"):
        read(folder)
    if os.name != "nt":
        os.mkfifo(folder / name)
        refuse(folder, name, marker, "it is no plain file")
        (folder / name).unlink()
    (folder / name).mkdir()
    refuse(folder, name, marker, "it is no plain file")


@pytest.mark.parametrize("name", [JSON, WEIGHTS, VOCABULARY])
def test_files_that_are_too_long_are_refused_before_they_are_read(folder, marker, name):
    with (folder / name).open("ab") as file:
        file.truncate(1 << 40)  # all of it holes, which take no place on the disk
    refuse(folder, name, marker, "1,099,511,627,776 bytes, more than the ")


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/passwd", "model/../../outside", "C:\\outside", "README.md", "model.json", "", "."]
)
def test_other_files_than_those_of_a_model_can_not_be_named(folder, marker, name):
    (folder.parent / "outside").write_bytes((folder / WEIGHTS).read_bytes())
    content = json.loads((folder / JSON).read_text())
    for files in ({name: content["files"][WEIGHTS]}, content["files"] | {name: content["files"][WEIGHTS]}):
        write_json(folder, content | {"files": files})
        refuse(folder, JSON, marker, "expected files to be weights.safetensors and vocabulary.parquet; it names ")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", [JSON, WEIGHTS, VOCABULARY])
def test_a_byte_that_is_changed_leads_to_a_refusal_or_to_the_same_model(folder, name, seed):
    rng, original = np.random.default_rng(seed), (folder / name).read_bytes()
    frame = new_rows("words")
    expected = read(folder)
    probs = expected.predict_proba(frame).tobytes()
    for _ in range(40):
        content = bytearray(original)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            content[place] ^= 1 << rng.integers(0, 8)
        (folder / name).write_bytes(content)
        try:
            found = read(folder)
        except ModelRefused:
            continue
        assert name == JSON or content == original  # JSON has blanks that mean nothing
        assert found.predict_proba(frame).tobytes() == probs
        for attribute in ("task", "columns", "sizes", "origin", "loss", "batch_size"):
            assert getattr(found, attribute) == getattr(expected, attribute)


def test_an_mlp_is_guarded_as_well(tmp_path, marker):
    write(texts("binary", MLP), tmp_path, "card")
    with_weights(lambda tensors: {name: one.nan_to_num().sqrt() for name, one in tensors.items()})(tmp_path, marker)
    correct(tmp_path)
    refuse(tmp_path, WEIGHTS, marker, "holds what is no number")
