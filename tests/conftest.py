"""Shared by all tests: the commands, run in this process as a user runs them from the shell."""

from __future__ import annotations

import concurrent.futures
import csv
import functools
import json
import logging
import os
import random
import runpy
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

# Test processes share the cores; a thread of torch's for each waits for the others without rest.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch
from hydra._internal.hydra import Hydra
from hypothesis import settings

from forked import said_mode
from rosenblatt.data.features import Bags
from rosenblatt.run import folder
from rosenblatt.show import pool

ROOT = Path(__file__).parents[1]

settings.register_profile("any machine", deadline=None)  # no test asserts a time
settings.load_profile("any machine")


@dataclass
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str
    run: Path

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json."""
        return json.loads((self.run / "metrics.json").read_text())


@pytest.fixture(autouse=True)
def _without_a_disk_that_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave it to the system when files get to the disk: no test ends with a power cut, and disks may take a second."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True)
def _restore_globals() -> Iterator[None]:
    """Undo what a command changes in its process."""
    environment, argv, random_state = dict(os.environ), list(sys.argv), torch.get_rng_state()
    threads = torch.get_num_threads()
    for name in ("FORCE_COLOR", "NO_COLOR", "HYDRA_FULL_ERROR"):
        os.environ.pop(name, None)
    os.environ |= {"COLUMNS": "100", "TERM": "xterm"}  # the same on every terminal
    yield
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = argv
    logging.raiseExceptions = True
    if "joblib" in sys.modules:  # its workers stay, and with them the folder that they were started in
        sys.modules["joblib"].externals.loky.get_reusable_executor().shutdown(wait=True)
    torch.set_rng_state(random_state)
    torch.set_num_threads(threads)
    for name in ("", "rosenblatt_file"):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            if isinstance(handler, logging.FileHandler):
                handler.close()
                logger.removeHandler(handler)


said_by_git = functools.cache(folder._git)


class Shared:
    """The process that draws, one for all runs of a test process: to begin it takes longer than a small run."""

    executor: ProcessPoolExecutor | None = None

    def __init__(self, *arguments: Any) -> None:
        if Shared.executor is None or Shared.executor._broken:
            Shared.executor = ProcessPoolExecutor(*arguments)
            Shared.executor.submit(pool._warm_up)
        self.futures: list[Future[Any]] = []

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        assert Shared.executor is not None
        is_warm = function is pool._warm_up
        self.futures.append(Shared.executor.submit(bool if is_warm else function, *arguments))
        return self.futures[-1]

    def shutdown(self, wait: bool, cancel_futures: bool) -> None:
        for future in self.futures:
            future.cancel()
        concurrent.futures.wait(self.futures)


def run_program(file: Path, arguments: Sequence[str], run: Path, capsys: pytest.CaptureFixture[str]) -> Outcome:
    """Run a program in this process; ``run`` is the folder that it is to leave."""
    capsys.readouterr()
    sys.argv[:] = [str(file), *arguments]
    full_error = os.environ.get("HYDRA_FULL_ERROR")
    status = 0
    executor = Shared if pool.ProcessPoolExecutor is ProcessPoolExecutor else pool.ProcessPoolExecutor
    quick = patch.object(folder, "_git", said_by_git), patch.object(Hydra, "get_mode", said_mode)
    try:
        with quick[0], quick[1], patch.object(pool, "ProcessPoolExecutor", executor):
            runpy.run_path(str(file), run_name="__main__")
    except SystemExit as exit:
        status = exit.code if isinstance(exit.code, int) else 1
        if isinstance(exit.code, str):
            sys.stderr.write(f"{exit.code}\n")  # as Python does where it ends
    os.environ.pop("HYDRA_FULL_ERROR", None)  # a program sets it for itself
    if full_error is not None:
        os.environ["HYDRA_FULL_ERROR"] = full_error
    return Outcome(status, *capsys.readouterr(), run)


def make_project(folder: Path, code: Iterable[Path], yaml: Mapping[str, str]) -> Path:
    """Make a project that has copied train.py, scripts/ and configs/, and brings its own code and YAML."""
    for name in ("configs", "scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (ROOT / "train.py", *code):
        shutil.copy(file, folder)
    for name, content in yaml.items():
        path = folder / "configs" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return folder


@pytest.fixture
def program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """``python train.py ...``, or a program of scripts/, in an empty folder, in this process."""
    monkeypatch.chdir(tmp_path)

    def run(file: str, *arguments: str, run: str = "run") -> Outcome:
        return run_program(ROOT / file, arguments, tmp_path / run, capsys)

    return run


@pytest.fixture
def train(program: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """``python train.py ...``; the run folder is ``run`` unless it is named; figures only where they are asked for."""

    def with_folder(*overrides: str, run: str = "run") -> Outcome:
        arguments = [word for word in overrides if word]
        if not any(word.startswith(("hydra.run.dir", "resume=", "--")) or word == "-m" for word in arguments):
            arguments.append(f"hydra.run.dir={run}")
        if not any(word.startswith(("figures", "resume=", "--")) for word in arguments):
            arguments.insert(arguments[:1] == ["-m"], "figures=none")  # they take longer than the rest of a small run
        return program("train.py", *arguments, run=run)

    return with_folder


@pytest.fixture(scope="session")
def _kept() -> dict[tuple[str | bytes, ...], Outcome]:
    return {}


@pytest.fixture
def trained(
    train: Callable[..., Outcome],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    _kept: dict[tuple[str | bytes, ...], Outcome],
) -> Callable[..., Outcome]:
    """A run as `train` leaves it: trained once in this process, and copied for each test that asks for it."""

    def copied(*overrides: str, run: str = "run") -> Outcome:
        files = [tmp_path / word.partition("=")[2] for word in overrides]
        key = (*overrides, *(file.read_bytes() for file in files if file.is_file()))
        if key not in _kept:
            done = train(*overrides)
            assert done.status == 0, done.err
            kept = tmp_path_factory.mktemp("kept") / "run"
            shutil.move(done.run, kept)
            _kept[key] = replace(done, run=kept)
        shutil.copytree(_kept[key].run, tmp_path / run)
        return replace(_kept[key], run=tmp_path / run)

    return copied


@pytest.fixture
def sweep(program: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """``python train.py -m ...``; figures only where they are asked for."""

    def without_figures(*words: str) -> Outcome:
        added = () if any(word.startswith("figures") for word in words) else ("figures=none",)
        return program("train.py", *words, *added)

    return without_figures


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """A copy of configs/ that may be edited, for ``--config-path``."""
    copy = tmp_path / "configs"
    shutil.copytree(ROOT / "configs", copy)
    return copy


SMALL = ("data.num_train=400", "data.num_val=100", "data.num_test=200", "trainer.max_epochs=2")


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A CSV file of 120 short reviews that are easy to tell apart."""
    rng = random.Random(0)
    good, bad = ["great", "lovely", "delicious", "friendly"], ["awful", "rude", "cold", "dirty"]
    path = tmp_path / "reviews.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for i in range(120):
            words = rng.choices(good if i % 2 else bad, k=2) + rng.choices(
                ["the", "food", "was", "place", "staff"], k=4
            )
            rng.shuffle(words)
            writer.writerow([" ".join(words), "positive" if i % 2 else "negative"])
    return path


def dense_of(bags: Bags, num_features: int) -> torch.Tensor:
    """Return the (N, num_features) matrix that bags stand for."""
    matrix = torch.zeros(bags.num_rows, num_features)
    for row in range(bags.num_rows):
        pairs = slice(bags.offsets[row], bags.offsets[row + 1])
        matrix[row, bags.ids[pairs].long()] = bags.weights[pairs]
    return matrix
