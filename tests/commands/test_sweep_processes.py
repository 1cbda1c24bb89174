"""Sweeps of several processes, some of which are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import polars as pl
import pytest

from conftest import ROOT, SMALL, Outcome
from rosenblatt.sweeps.study import storage_of
from swept import FIRST, board, metrics, without_times

linux = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at /proc")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
TWO_WORKERS = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")

DIED = "its process died 3 times: "
KILLER = """
import os, signal
from perceptron.toy import ToyData

class Killer(ToyData):
    def setup(self, stage=None):
        if self.spread == 0.5:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.spread == 0.6:
            os.kill(os.getpid(), signal.SIGTERM)
        if self.spread == 0.7:
            raise RuntimeError("it fell over")
        super().setup(stage)
"""


def command(*words: str) -> list[str]:
    return [sys.executable, str(ROOT / "train.py"), *words]


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path, "COLUMNS": "100"}
    return subprocess.Popen(
        command(*words, "figures=none"), cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def run(folder: Path, *words: str) -> tuple[int, str, str]:
    process = start(folder, *words)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def figures(folder: Path) -> dict[str, dict[str, float]]:
    """All metrics but times, by job."""
    found = {}
    for path in (folder / FIRST).glob("*/metrics.json"):
        found[path.parent.name] = without_times(metrics(path.parent))
    return found


@pytest.mark.soak
@pytest.mark.parametrize(
    ("spreads", "reasons"),
    [
        ("1,0.5,0.7,1e38,1.3", {0.5: DIED, 0.7: "RuntimeError: it fell over", 1e38: "val/loss became"}),
        pytest.param(
            "1,0.5,1.1,0.7,1.2,1e38,1.3,0.6,1.4",
            {0.5: DIED, 0.6: DIED, 0.7: "RuntimeError: it fell over", 1e38: "val/loss became"},
        ),
    ],
)
def test_kills_exceptions_and_nan_fail_their_jobs_and_two_workers_find_for_all_others_what_one_finds(
    train: Callable[..., Outcome], tmp_path: Path, spreads: str, reasons: dict[float, str]
) -> None:
    (tmp_path / "killer.py").write_text(KILLER)
    words = ("-m", *SMALL, "data._target_=killer.Killer", f"data.spread={spreads}", "sweep.name=first")
    status, out, err = run(tmp_path, *words, *TWO_WORKERS)
    assert status == 0, (out, err)
    assert "Traceback" not in out + err
    assert "INFO" not in out + err  # of Lightning, as the winner is evaluated
    found = dict(board(tmp_path).filter(pl.col("state") == "failed").select("data.spread", "reason").rows())
    assert found.keys() == reasons.keys()
    assert all(reason in found[spread] for spread, reason in reasons.items())
    told = [line for line in out.splitlines() if line.startswith("failed: data.spread=")]  # at the end
    assert len(told) == len(reasons)
    others = [spread for spread in spreads.split(",") if float(spread) not in reasons]
    two = {name.partition("_")[2]: one for name, one in figures(tmp_path).items()}
    assert train("-m", *SMALL, f"data.spread={','.join(others)}", "sweep.name=alone").status == 0
    alone = {path.parent.name.partition("_")[2]: path.parent for path in FIRST.parent.glob("alone/*/metrics.json")}
    assert two == {name: without_times(metrics(folder)) for name, folder in alone.items()}
    assert len(two) == len(others)


@pytest.mark.soak
def test_a_sweep_that_is_killed_twice_goes_on_with_the_same_command(
    train: Callable[..., Outcome], tmp_path: Path
) -> None:
    words = (
        "-m", "data=xor", "model=mlp", "trainer.max_epochs=8", "data.num_train=2000", "sweep=optuna", "sweep.trials=6",
        "lr=tag(log,interval(1e-3,1))", "sweep.name=first", "checkpoint.every_n_steps=3",
    )  # fmt: skip
    assert train(*words).status == 0
    whole, killed = tmp_path, tmp_path / "killed"
    killed.mkdir()
    for wanted in (1, 4):
        process = start(killed, *words)
        while len(list((killed / FIRST).glob("*/metrics.json"))) < wanted:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        time.sleep(0.15 * wanted)  # in the middle of the next trial
        process.kill()
        process.communicate()
    status, out, err = run(killed, *words)
    assert status == 0, (out, err)
    assert figures(killed) == figures(whole)
    assert len(figures(killed)) == 6
    study = optuna.load_study(study_name="first", storage=storage_of(killed / FIRST, None))
    assert [one.state.name for one in study.trials] == ["COMPLETE"] * 6


def test_ctrl_c_ends_a_sweep_in_order_and_says_how_it_goes_on(sweep: Callable[..., Outcome], tmp_path: Path) -> None:
    words = ("-m", "lr=0.1,0.01", "early_stopping.patience=null", "trainer.max_epochs=40", "sweep.name=first")
    process = start(tmp_path, *words)
    while not list((tmp_path / FIRST).glob("001*/train.log")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert err.count("Ctrl-C") == 1
    assert "sweep.name=first" in err
    assert "Traceback" not in err
    before = figures(tmp_path)["000_lr-0.1"]
    done = sweep(*words)
    assert done.status == 0, done.err
    assert board(tmp_path)["state"].to_list() == ["done"] * 2
    assert board(tmp_path)["epochs"].to_list() == [40.0] * 2
    assert figures(tmp_path)["000_lr-0.1"] == before


@pytest.mark.soak
@pytest.mark.parametrize("num_processes", [2, 4])
def test_processes_on_one_storage_run_no_trial_twice(tmp_path: Path, num_processes: int) -> None:
    words = [
        "-m", *SMALL, "sweep=optuna", "sweep.trials=8", "lr=tag(log,interval(1e-3,1))", "sweep.name=first",
        "sweep.storage=sqlite:///study.db",
    ]  # fmt: skip
    processes = [start(tmp_path, *words) for _ in range(num_processes)]
    ended = [(process.communicate(timeout=300), process.returncode) for process in processes]
    assert [status for _, status in ended] == [0] * num_processes, ended
    lines = [line for (out, _), _ in ended for line in out.splitlines() if "/8  lr=" in line]
    assert len(lines) == len({line.split("lr=")[1].split()[0] for line in lines}) == 8
    assert len(figures(tmp_path)) == 8
    assert board(tmp_path).height == 8
    assert (tmp_path / FIRST / "winner.json").exists()
    assert len(list((tmp_path / FIRST).glob("*/evaluation.json"))) == 1


@pytest.mark.soak
def test_machines_with_folders_of_their_own_share_a_study(tmp_path: Path) -> None:
    words = ("-m", *SMALL, "sweep=optuna", "sweep.trials=8", "lr=tag(log,interval(1e-3,1))", "sweep.name=first")
    storage = f"sweep.storage=sqlite:///{tmp_path}/study.db"
    folders = [tmp_path / name for name in ("here", "there")]
    for folder in folders:
        folder.mkdir()
    processes = [start(folder, *words, storage) for folder in folders]
    ended = [(process.communicate(timeout=300), process.returncode) for process in processes]
    assert [status for _, status in ended] == [0] * 2, ended
    found = [metrics for folder in folders for metrics in figures(folder).values()]
    study = optuna.load_study(study_name="first", storage=storage.removeprefix("sweep.storage="))
    complete = [one for one in study.trials if one.state.name == "COMPLETE"]
    assert len(found) == len(complete) == 8
    assert sorted(one["val/loss"] for one in found) == sorted(one.values[0] for one in complete)
    assert len({one.user_attrs["setting"]["lr"] for one in complete}) == 8
    assert sum((folder / FIRST / "winner.json").exists() for folder in folders) <= 1


@pytest.mark.soak
def test_a_pruned_search_that_is_killed_goes_on_to_the_same_trials(
    train: Callable[..., Outcome], tmp_path: Path
) -> None:
    words = (
        "-m", "data=xor", "model=mlp", "trainer.max_epochs=8", "data.num_train=2000", "sweep=optuna", "sweep.trials=8",
        "lr=tag(log,interval(1e-4,1))", "sweep.name=first", "sweep.pruner=median", "early_stopping.patience=null",
        "checkpoint.min_seconds=0", "checkpoint.every_n_steps=7",
    )  # fmt: skip
    assert train(*words).status == 0
    whole, killed = tmp_path, tmp_path / "killed"
    killed.mkdir()
    process = start(killed, *words)
    while len(list((killed / FIRST).glob("*/metrics.json"))) < 6:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    time.sleep(0.35)  # in the middle of a later trial
    process.kill()
    process.communicate()
    assert run(killed, *words)[0] == 0
    assert figures(killed) == figures(whole)
    assert "pruned" in board(killed)["state"].to_list()
    study = optuna.load_study(study_name="first", storage=storage_of(killed / FIRST, None))
    assert {one.state.name for one in study.trials} == {"COMPLETE", "PRUNED"}
    assert len(study.trials) == 8


@linux
def test_workers_end_with_a_sweep_that_is_killed(tmp_path: Path) -> None:
    words = ("-m", "lr=0.1,0.01", "sweep.name=first", "trainer.max_epochs=2000", "early_stopping.patience=null")
    with (tmp_path / "printed.txt").open("w") as file:
        process = subprocess.Popen(command(*words, *TWO_WORKERS), cwd=tmp_path, stdout=file, stderr=file)
        while len(list((tmp_path / FIRST).glob("*/train.log"))) < 2:
            assert process.poll() is None, (tmp_path / "printed.txt").read_text()
            time.sleep(0.01)
        listed = subprocess.run(["ps", "-wweo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
        rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
        workers = [pid for pid, parent, what in rows if int(parent) == process.pid and "LokyProcess" in what]
        process.kill()
        process.wait()
    assert len(workers) == 2
    deadline = time.monotonic() + 20
    while any(Path("/proc", pid).exists() for pid in workers):
        assert time.monotonic() < deadline, "workers live on"
        time.sleep(0.1)


def test_jobs_run_through_submitit(sweep: Callable[..., Outcome], tmp_path: Path) -> None:
    done = sweep("-m", *SMALL, "lr=choice(0.1)", "sweep.name=first", "hydra/launcher=submitit_local")
    assert done.status == 0, done.err
    assert len(figures(tmp_path)) == 1
    assert "Leaderboard of 1" in done.out
