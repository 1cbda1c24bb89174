"""The files of checkpoints: which weights are the best, that each is written whole, and which one is gone on from."""

from __future__ import annotations

import math
import os
import pickle
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import LambdaCallback

from fitting import NUM_BATCHES, QUIET, Poison, fit, perceptron
from rosenblatt.errors import UserError
from rosenblatt.loop import checkpoints as under_test
from rosenblatt.loop import internals
from rosenblatt.loop.checkpoints import Checkpoints, newest, read
from rosenblatt.run.folder import RunFolder

pytestmark = QUIET


def keep(folder: Path, *callbacks: pl.Callback, every_n_steps: int | None = None, **kwargs: Any) -> pl.Trainer:
    """Train with checkpoints in a folder."""
    return fit(*callbacks, Checkpoints(RunFolder(folder), "val/loss", "min", every_n_steps),
               enable_checkpointing=True, **kwargs)  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a short training."""
    folder = tmp_path_factory.mktemp("run")
    keep(folder)
    return contents(folder / "checkpoints")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def written(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("mode", "values", "kept"),
    [
        ("min", [3.0, 2.0, 2.0, 2.5, 1.0, math.inf], [3.0, 2.0, 1.0]),
        ("max", [0.1, 0.3, 0.2, 0.3, 0.4], [0.1, 0.3, 0.3, 0.4]),
        ("min", [math.nan, 2.0, math.nan, 1.0], [2.0, 1.0]),
        ("max", [math.nan, math.nan, 0.0, -1.0], [0.0]),
        ("max", [math.nan], []),
        ("min", [None, 2.0, None], [2.0]),
        ("max", [0.0, -0.0, 1e-30], [0.0, -0.0, 1e-30]),
    ],
)
def test_the_best_is_kept_by_what_is_to_be_low_or_high_and_nan_never_is(monkeypatch, mode, values, kept):
    saved: list[Any] = []
    monkeypatch.setattr(Checkpoints, "save_best", lambda self, trainer: saved.append(self.best_score))
    checkpoints = Checkpoints(RunFolder("nowhere"), "val/auroc", mode)
    trainer: Any = SimpleNamespace(world_size=1, sanity_checking=False, state=SimpleNamespace(fn="fit"))
    for value in values:
        metrics = {} if value is None else {"val/auroc": value}
        monkeypatch.setattr(internals, "measured", lambda trainer, metrics=metrics: metrics)
        checkpoints.on_validation_end(trainer, perceptron())
    assert saved == kept
    assert checkpoints.best_score == (kept[-1] if kept else None)


@pytest.mark.parametrize(("checking", "fn"), [(True, "fit"), (False, "validate"), (False, "test")])
def test_only_validations_of_training_count(checking, fn):
    metrics, state = {"val/loss": torch.tensor(0.1)}, SimpleNamespace(fn=fn)
    trainer: Any = SimpleNamespace(callback_metrics=metrics, sanity_checking=checking, state=state)
    checkpoints = Checkpoints(RunFolder("nowhere"), "val/loss", "min")
    checkpoints.on_validation_end(trainer, perceptron())
    assert checkpoints.best_score is None


def test_the_best_file_holds_the_weights_of_the_best_epoch_alone(tmp_path):
    losses, weights = [], []

    def note(trainer, pl_module):
        losses.append(float(trainer.callback_metrics["val/loss"]))
        weights.append({name: tensor.clone() for name, tensor in pl_module.state_dict().items()})

    keep(tmp_path, LambdaCallback(on_validation_end=note), Poison(2, 9.0), lr=0.05, max_epochs=4)
    best = losses.index(min(losses))
    assert best == 1  # before the bias was thrown far off
    saved = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    assert saved["epoch"] == best
    assert all(torch.equal(tensor, weights[best][name]) for name, tensor in saved["state_dict"].items())
    assert "optimizer_states" not in saved


def test_every_checkpoint_has_the_one_before_beside_it(tmp_path):
    seen: list[dict[str, bytes]] = []

    class Look(Checkpoints):
        def _save_last(self, trainer, whole_epochs):
            super()._save_last(trainer, whole_epochs)
            seen.append(contents(self.run.checkpoints))

    fit(Look(RunFolder(tmp_path), "val/loss", "min", 2), enable_checkpointing=True, max_epochs=2)
    # Within an epoch after two steps; in the fourth and last but one again; and at its end.
    assert len(seen) == 2 * 3
    for before, after in pairwise(seen):
        assert after["previous.ckpt"] == before["last.ckpt"] != after["last.ckpt"]
    assert seen[0].keys() == {"last.ckpt"}
    assert seen[-1].keys() == {"best.ckpt", "last.ckpt", "previous.ckpt"}
    for path in (tmp_path / "checkpoints").iterdir():
        assert read(path)["state_dict"].keys() == perceptron().state_dict().keys()


def test_checkpoints_come_after_minutes_too(tmp_path, monkeypatch):
    now, saved_at = [0.0], []

    class Clock(pl.Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            now[0] += 60.0

    monkeypatch.setattr(under_test, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(Checkpoints, "_write", lambda self, trainer, *_, **__: saved_at.append(trainer.global_step))
    checkpoints = Checkpoints(RunFolder(tmp_path), "val/acc", "max", every_n_minutes=2)
    fit(Clock(), checkpoints, enable_checkpointing=True, max_epochs=2, validate=False)
    # Each step takes a minute, and what is saved at an epoch's end counts.
    assert saved_at == [2, 4, NUM_BATCHES, NUM_BATCHES + 2, NUM_BATCHES + 4, 2 * NUM_BATCHES]


@pytest.mark.parametrize("failing", ["save", "fsync", "interrupt"])
def test_a_failure_while_saving_leaves_the_checkpoints_as_they_were(tmp_path, monkeypatch, failing):
    class Fail(pl.Callback):
        """Lets the disk be full, or somebody press Ctrl-C, from the third epoch on."""

        def on_train_epoch_end(self, trainer, pl_module):
            if trainer.current_epoch != 2:
                return
            self.before = contents(tmp_path / "checkpoints")
            if failing == "fsync":
                monkeypatch.setattr(os, "fsync", fail)
                return
            save = trainer.strategy.save_checkpoint

            def half(checkpoint, path, storage_options=None):
                save(checkpoint, path)
                path.write_bytes(path.read_bytes()[:1000])
                fail()

            monkeypatch.setattr(trainer.strategy, "save_checkpoint", half)

    def fail(*_):
        raise KeyboardInterrupt if failing == "interrupt" else OSError(28, "No space left on device")

    callback = Fail()
    with pytest.raises((OSError, SystemExit)):  # the latter is what Lightning makes of Ctrl-C
        keep(tmp_path, callback, Poison(2, 9.0))  # in the third epoch, the best is not saved any more
    monkeypatch.undo()
    assert callback.before.keys() == {"best.ckpt", "last.ckpt", "previous.ckpt"}
    assert contents(tmp_path / "checkpoints") == callback.before


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    place = content.index(b"best_score") + 3  # in the part that holds all but tensors
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


DAMAGES = {
    "cut off": cut, "without its end": lambda content: content[:-1], "empty": lambda _: b"", "a flipped bit": flipped,
    "a text file": lambda _: b"lr: 0.1\n", "a pickle": lambda _: pickle.dumps({"state_dict": {}}), "not there": None,
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_of_a_damaged_checkpoint_the_one_before_is_taken_with_a_warning(tmp_path, kept, caplog, damage):
    folder = written(tmp_path / "checkpoints", kept)
    assert newest(folder) == folder / "last.ckpt"
    assert caplog.messages == []
    if damage is None:
        (folder / "last.ckpt").unlink()
    else:
        (folder / "last.ckpt").write_bytes(damage(kept["last.ckpt"]))
    assert newest(folder) == folder / "previous.ckpt"
    ((level, message),) = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert level == "WARNING"
    assert message.startswith("The last checkpoint can't be used, so the one before it is taken. (")
    assert str(folder / "last.ckpt") in message


def test_weights_alone_are_nothing_to_go_on_from(tmp_path, kept):
    folder = written(tmp_path, {"last.ckpt": kept["best.ckpt"], "previous.ckpt": kept["previous.ckpt"]})
    assert newest(folder) == folder / "previous.ckpt"


@pytest.mark.parametrize("previous", [None, b"", b"text"])
def test_where_no_checkpoint_is_whole_it_is_told_of_each_and_what_to_do(tmp_path, kept, previous):
    folder = written(tmp_path, {"last.ckpt": cut(kept["last.ckpt"]), "best.ckpt": kept["best.ckpt"]})
    if previous is not None:
        (folder / "previous.ckpt").write_bytes(previous)
    with pytest.raises(UserError, match="No checkpoint of this run can be used") as caught:
        newest(folder)
    for word in (str(folder / "last.ckpt"), str(folder / "previous.ckpt"), f"Remove {folder} to start from the"):
        assert word in str(caught.value)


def test_before_the_first_checkpoint_there_is_none(tmp_path, kept):
    assert newest(tmp_path / "nowhere") is None
    assert newest(written(tmp_path, {"best.ckpt": kept["best.ckpt"], ".last.ckpt.tmp": b"half"})) is None


def test_any_flipped_bit_is_found_or_changes_nothing(tmp_path, kept):
    content, path = kept["last.ckpt"], tmp_path / "last.ckpt"
    path.write_bytes(content)
    whole, num_found = repr(read(path)), 0
    places = range(0, len(content), len(content) // 300)
    for place in places:
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            found = repr(read(path))
        except ValueError:
            num_found += 1
        else:  # in the padding, or in the date of a part
            assert found == whole
    assert num_found > len(places) // 3


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("done",)


def test_a_checkpoint_with_code_in_it_is_refused_and_none_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {}, "callbacks": {"Checkpoints": Evil()}}, "last.ckpt")
    with pytest.raises(ValueError, match="it is damaged, or holds code"):
        read(Path("last.ckpt"))
    torch.save([1, 2], "list.ckpt")
    with pytest.raises(ValueError, match="it is no checkpoint of Lightning's"):
        read(Path("list.ckpt"))
    assert not Path("done").exists()


class Pair(NamedTuple):
    """A class of somebody's own, which no checkpoint that runs no code can hold."""

    first: int


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ([1, (2.0, "a"), {3}, {"b": torch.zeros(1)}, None], True),
        ([1, object()], False),
        ({"a": (print,)}, False),
        (Pair(1), False),
        ([Pair(1)], False),
    ],
)
def test_what_holds_anything_else_than_plain_values_is_told_apart(value, plain):
    assert under_test._is_plain(value) == plain
