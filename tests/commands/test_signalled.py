"""Ctrl-C and SIGTERM, sent to a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")


def started(folder: Path, *overrides: str, until: str) -> subprocess.Popen[str]:
    """``python train.py`` in a process of its own, as soon as its log holds ``until``."""
    command = [sys.executable, str(ROOT / "train.py"), *overrides, "hydra.run.dir=run"]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore Ctrl-C
    )  # fmt: skip
    log = folder / "run" / "train.log"
    deadline = time.monotonic() + 120
    while not (log.exists() and until in log.read_text()):
        assert time.monotonic() < deadline, "training never began"
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.soak)]
)
def test_a_signal_ends_training_in_order(tmp_path: Path, number: int, status: int) -> None:
    endless = ("trainer.max_epochs=100000", "early_stopping.patience=100000")
    process = started(tmp_path, *endless, until="epoch      4/")
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == status
    assert "Traceback" not in err
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["interrupted"] is True
    assert metrics["test/acc"] > 0
    assert f"ended by: {'Ctrl-C' if status == 130 else 'a signal'}" in out


def test_sigterm_before_there_is_a_result_takes_half_written_files_away(tmp_path: Path) -> None:
    process = started(tmp_path, "trainer.max_epochs=1", "data.num_test=8000000", until="epoch 1/1")
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 143
    assert err.count("SIGTERM") == 1
    assert "Traceback" not in err
    assert not list((tmp_path / "run").rglob(".*"))


def test_ctrl_c_during_the_evaluation_says_so(tmp_path: Path) -> None:
    process = started(tmp_path, "trainer.max_epochs=1", "data.num_test=8000000", until="epoch 1/1")
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, (out, err)
    assert err.count("Ctrl-C") == 1
    assert "Traceback" not in err
    assert not (tmp_path / "run" / "metrics.json").exists() or "ended by: Ctrl-C" in out
