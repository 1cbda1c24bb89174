"""The process that draws."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from rosenblatt.show.figures import process
from rosenblatt.show.figures.curves import LearningCurves, Line
from rosenblatt.show.figures.draftsman import Draftsman
from rosenblatt.show.figures.style import draw

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


def test_in_a_hurry_pictures_come_in_order_too(draftsman):
    found = []
    draftsman.hurry()
    for number in range(7):
        draftsman.draw(BROKEN if number == 3 else CURVES, found.append, with_svg=number % 2 == 0)
    draftsman.wait()
    whole, png = (draw(CURVES, with_svg=with_svg) for with_svg in (True, False))
    assert found[:3] == [whole, png, whole]
    assert found[3].startswith("ValueError: ")
    assert found[4:] == [whole, png, whole]


@pytest.mark.skipif(process.MAX_COPIES == 1, reason="no copies here")
def test_a_copy_that_dies_costs_its_own_pictures_alone():
    code = (
        "import json, os\nfrom rosenblatt.show.figures import process\n"
        "process.draw = lambda drawing, with_svg: os._exit(1) if with_svg else str(os.getpid())\n"
        "print(json.dumps([os.getpid(), *process._drawn_by_copies([(None, True), (None, False)] * 3, 2)]))"
    )  # a process of its own, for to copy one with threads is not safe
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    leader, *found = json.loads(done.stdout)
    assert found[::2] == ["a copy of the process that draws has ended (EOFError)"] * 3
    assert len(set(found[1::2])) == 1
    assert found[1] != str(leader)


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
        "import time\nfrom rosenblatt.show.figures.draftsman import Draftsman\n"
        "print(Draftsman()._process.pid, flush=True)\ntime.sleep(60)"
    )
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = int(starter.stdout.readline())
    starter.kill()
    starter.communicate()
    deadline = time.monotonic() + 20
    while group_of(child):
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups")
def test_what_hangs_is_killed(draftsman, monkeypatch):
    found = []
    draftsman.draw(CURVES, found.append)
    draftsman.wait()
    monkeypatch.setattr("rosenblatt.show.figures.draftsman.PATIENCE", 0.5)
    os.kill(draftsman._process.pid, signal.SIGSTOP)
    draftsman.hurry()
    for _ in range(5):
        draftsman.draw(CURVES, found.append)
    draftsman.wait()
    assert all("the process that draws has ended" in one for one in found[1:])
    assert len(found) == 6
    assert group_of(draftsman._process.pid) == []
