"""Plain Lightning code of other people's: it trains as in a bare Trainer, and goes on to the same bits."""

from __future__ import annotations

import csv
import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util.tensor_util import make_ndarray

from any_code import CASES, Bare, Counter, Training
from fitting import assert_same
from rosenblatt.loop.checkpoints import Checkpoints, read

pytestmark = pytest.mark.filterwarnings("ignore")


def points(folder: Path) -> dict[str, list[tuple[int, Any]]]:
    """Each point of each logger, but for ``lr`` and the times."""
    found: dict[str, list[tuple[int, Any]]] = {}
    for file in sorted((folder / "tensorboard").glob("events.*")):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                if not value.tag.startswith("_hparams_"):
                    found.setdefault(value.tag, []).append((event.step, make_ndarray(value.tensor).tolist()))
    with (folder / "csv" / "metrics.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if value and name != "step":
                    found.setdefault(f"csv {name}", []).append((int(row["step"]), value))
    return {name: sorted(series) for name, series in found.items() if not name.endswith("lr")}


class Copying:
    """Keeps a copy of the run folder as it is after each checkpoint, which is what a killed process leaves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.copies: list[Path] = []
        save = Checkpoints._save_last

        def save_last(checkpoints: Checkpoints, trainer: Any, whole_epochs: bool) -> None:
            save(checkpoints, trainer, whole_epochs)
            copy = folder.with_name(f"{folder.name}-{trainer.fit_loop.total_batch_idx + 1}-{whole_epochs}")
            shutil.copytree(checkpoints.run.path, copy)
            self.copies.append(copy)

        monkeypatch.setattr(Checkpoints, "_save_last", save_last)


SLOW = ("spawn",)  # each of its workers imports all anew


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.soak] if case in SLOW else []) for case in CASES]
)
def test_it_ends_as_a_bare_trainer_does_and_goes_on_to_the_same_bits(tmp_path, monkeypatch, case):
    expected = Training(case, tmp_path / "bare", bare=True).outcome()
    with monkeypatch.context() as patch:
        copying = Copying(patch, tmp_path / "killed")
        ours = Training(case, tmp_path / "ours", every=1 if case == "gradients of three" else 3)
    assert_same(ours.outcome(), expected)
    assert points(tmp_path / "ours") == points(tmp_path / "bare")
    within = [copy for copy in copying.copies if copy.name.endswith("False")]
    assert bool(within) == (case != "stream")
    between = [copy for copy in copying.copies if copy not in within]
    more = [*within[:1], *between[-1:]] if case == "shuffled" else []  # in the first epoch, and after the last
    for copy in {*within[-1:], between[0], *more}:
        resumed = Training(case, copy)
        assert_same(resumed.outcome(), expected, copy.name)
        assert points(copy) == points(tmp_path / "bare"), copy.name


def test_workers_end_with_the_training(tmp_path):
    before = multiprocessing.active_children()  # one that draws, of an earlier test
    training = Training("two workers", tmp_path)
    assert training.trainer.current_epoch == 2
    assert [one for one in multiprocessing.active_children() if one not in before] == []


def test_what_can_not_be_gone_through_again_is_told_at_the_start(tmp_path, caplog):
    def told() -> list[str]:
        lines = [message for message in caplog.messages if message.startswith("Resuming, to the bit?")]
        caplog.clear()
        return lines

    Training("shuffled", tmp_path / "shuffled")
    assert told() == []
    Training("stream", tmp_path / "stream")
    (line,) = told()
    assert "goes on from its last whole epoch" in line
    Training("stream, counted in steps", tmp_path / "steps")
    (line,) = told()
    assert "goes through as many batches again" in line
    Training("workers that live on", tmp_path / "workers")
    (line,) = told()
    assert "persistent_workers=True" in line


def test_a_state_that_no_checkpoint_can_hold_is_left_out_with_a_word(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(Counter, "state_dict", lambda self: {"odd": object()})
    monkeypatch.setattr(Bare, "on_save_checkpoint", lambda self, checkpoint: checkpoint.update(mine=1, odd=print))
    Training("shuffled", tmp_path)
    last = read(tmp_path / "checkpoints" / "last.ckpt")
    assert (last["mine"], "odd" in last, "Counter" in last["callbacks"]) == (1, False, False)
    lines = [message for message in caplog.messages if "so it is left out" in message]
    assert [line.split(":")[0] for line in lines] == ["Counter", "odd"]
