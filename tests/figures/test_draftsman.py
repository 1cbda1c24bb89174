"""The process that draws."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from rosenblatt.cores import num_cores
from rosenblatt.figures.curves import LearningCurves, Line
from rosenblatt.figures.draftsman import MAX_PROCESSES, Draftsman
from rosenblatt.figures.style import draw

CURVES = LearningCurves("Learning curves", [("loss", [Line("training", [1, 2], [0.5, 0.4])])], 2)
BROKEN = LearningCurves("Learning curves", [("loss", [Line("training", [1, 2], [0.5])])], 2)


def group_of(leader):
    """The processes of a group that have not ended."""
    listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [int(pid) for pid, group, state in rows if int(group) == leader and not state.startswith("Z")]


@pytest.fixture
def draftsman():
    made = Draftsman()
    yield made
    made.close()


def test_it_draws_what_would_be_drawn_here(draftsman):
    found = []
    draftsman.draw(CURVES, found.append, with_svg=True)
    draftsman.draw(BROKEN, found.append)
    draftsman.draw(CURVES, found.append)
    draftsman.wait()
    assert found[0] == draw(CURVES, with_svg=True)
    assert found[1].startswith("ValueError: x and y must have same first dimension")
    assert found[2] == draw(CURVES, with_svg=False)


@pytest.mark.skipif(MAX_PROCESSES == 1, reason="it is one process here")
def test_in_a_hurry_several_draw(draftsman):
    expected, found = draw(CURVES, with_svg=True), []
    draftsman.hurry()
    for _ in range(12):
        draftsman.draw(CURVES, found.append, with_svg=True)
    draftsman.wait()
    assert found == [expected] * 12
    assert len(group_of(draftsman._process.pid)) == min(MAX_PROCESSES, num_cores())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_without_it_a_picture_says_why_it_is_missing(draftsman):
    found = []
    os.kill(draftsman._process.pid, signal.SIGKILL)
    draftsman.draw(CURVES, found.append)
    draftsman.draw(CURVES, found.append)
    draftsman.wait()
    assert all("the process that draws has ended" in one for one in found)
    assert len(found) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_it_does_not_outlive_the_process_that_has_started_it():
    code = (
        "import time\nfrom rosenblatt.figures.draftsman import Draftsman\n"
        "print(Draftsman()._process.pid, flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    while len(group_of(child)) < min(MAX_PROCESSES, num_cores()):
        time.sleep(0.05)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while group_of(child):
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups")
def test_what_hangs_is_killed_with_its_copies(draftsman, monkeypatch):
    found = []
    draftsman.draw(CURVES, found.append)
    draftsman.wait()
    monkeypatch.setattr("rosenblatt.figures.draftsman.PATIENCE", 0.5)
    group = group_of(draftsman._process.pid)
    for pid in group:
        os.kill(pid, signal.SIGSTOP)
    draftsman.hurry()
    for _ in range(5):
        draftsman.draw(CURVES, found.append)
    draftsman.wait()
    assert len(group) == min(MAX_PROCESSES, num_cores())
    assert all("the process that draws has ended" in one for one in found[1:])
    assert len(found) == 6
