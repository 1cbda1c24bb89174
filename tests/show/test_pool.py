"""The process that draws."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time

import pytest

from rosenblatt.show import pool as pools
from rosenblatt.show.figures.kinds import Drawing, LearningCurves
from rosenblatt.show.figures.style import draw
from rosenblatt.show.pool import FigurePool
from rosenblatt.tasks.arrays import Curve

CURVES = Drawing(LearningCurves([("loss", [Curve("training", [1, 2], [0.5, 0.4])])], 2))
BROKEN = Drawing(LearningCurves([("loss", [Curve("training", [1, 2], [0.5])])], 2))
HANGING = """
import time
class Hanging:
    def figure(self):
        time.sleep(600)
"""
PROGRAM = """
import sys, time
from rosenblatt.show.pool import FigurePool
if __name__ == "__main__":
    pool = FigurePool()
    print(pool._workers[0].pid, flush=True)
    time.sleep(60)
"""


def is_there(pid):
    """Whether a process has not ended."""
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(listed) and not listed.startswith("Z")


def wait_until_gone(pid):
    deadline = time.monotonic() + 30
    while is_there(pid):
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.05)


@pytest.fixture
def pool():
    made = FigurePool()
    yield made
    made.close()


def test_it_draws_what_would_be_drawn_here(pool, caplog):
    ordered = [pool.order(CURVES, with_svg=True), pool.order(BROKEN), pool.order("too few rows"), pool.order(CURVES)]
    whole, broken, reason, png = (pool.result(one) for one in ordered)
    assert whole == draw(CURVES, with_svg=True)
    assert broken.startswith("ValueError: x and y must have same first dimension")
    assert reason == "too few rows"
    assert png == draw(CURVES, with_svg=False)
    assert pool.reason == ""
    assert sum("Figures are missing" in record.message for record in caplog.records) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_process_that_dies_costs_figures_alone_and_is_told_of_once(pool, caplog):
    assert not isinstance(pool.result(pool.order(CURVES)), str)
    with caplog.at_level(logging.WARNING):
        os.kill(pool._workers[0].pid, signal.SIGKILL)
        found = [pool.result(pool.order(CURVES)) for _ in range(3)]
    assert all("the process that draws has ended" in one for one in found)
    assert sum("Figures are missing" in record.message for record in caplog.records) == 1


def test_a_figure_that_hangs_is_not_waited_for_for_ever(monkeypatch, tmp_path):
    (tmp_path / "hanging.py").write_text(HANGING)
    monkeypatch.syspath_prepend(tmp_path)
    import hanging  # a module of its own, which the other process finds as this one does

    late = FigurePool()
    assert not isinstance(late.result(late.order(CURVES)), str)
    monkeypatch.setattr(pools, "PATIENCE", 0.5)
    assert late.result(late.order(hanging.Hanging())) == "the process that draws took more than 0.5 s"
    wait_until_gone(late._workers[0].pid)
    assert "the process that draws" in late.result(late.order(CURVES))
    late.close()


def test_closed_it_is_gone_whatever_it_was_asked_for():
    made = FigurePool()
    ordered = [made.order(CURVES, with_svg=True) for _ in range(200)]
    made.close()
    assert not is_there(made._workers[0].pid)
    assert ordered[-1].cancelled()
    assert made.result(ordered[-1]) == "the process that draws has ended (CancelledError)"
    assert made.order(CURVES) == "the run has ended"


def test_closed_it_does_not_wait_for_what_hangs(monkeypatch, tmp_path):
    (tmp_path / "hanging_too.py").write_text(HANGING)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(pools, "GRACE", 0.5)
    import hanging_too

    made = FigurePool()
    assert not isinstance(made.result(made.order(CURVES)), str)
    hangs = made.order(hanging_too.Hanging())
    while not hangs.running():  # what has not begun is not waited for anyway
        time.sleep(0.01)
    made.close()
    assert not is_there(made._workers[0].pid)


def test_a_program_that_ends_with_it_ends_in_silence(tmp_path):
    program = PROGRAM.replace("time.sleep(60)", "pool.close()")
    (tmp_path / "program.py").write_text(program)
    for _ in range(3):
        done = subprocess.run([sys.executable, str(tmp_path / "program.py")], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_it_does_not_outlive_the_process_that_has_begun_it(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    starter = subprocess.Popen([sys.executable, str(tmp_path / "program.py")], stdout=subprocess.PIPE, text=True)
    child = int(starter.stdout.readline())
    assert is_there(child)
    starter.kill()
    starter.communicate()
    wait_until_gone(child)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups")
def test_ctrl_c_is_left_to_the_other_process(pool):
    os.kill(pool._workers[0].pid, signal.SIGINT)  # while it is still beginning
    assert pool.result(pool.order(CURVES)) == draw(CURVES, with_svg=False)
    os.kill(pool._workers[0].pid, signal.SIGINT)
    assert pool.result(pool.order(CURVES)) == draw(CURVES, with_svg=False)


def test_a_process_that_can_not_be_started_is_told(monkeypatch, caplog):
    def refused(*arguments):
        raise OSError("no more processes")

    monkeypatch.setattr(pools.ProcessPoolExecutor, "submit", refused)
    made = FigurePool()
    assert made.result(made.order(CURVES)) == "the process that draws could not be started: no more processes"
    assert "Figures are missing: the process that draws could not be started" in caplog.text
    made.close()
