"""The process that draws."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from rosenblatt.figures.curves import LearningCurves, Line
from rosenblatt.figures.draftsman import Draftsman
from rosenblatt.figures.style import draw

CURVES = LearningCurves("Learning curves", [("loss", [Line("training", [1, 2], [0.5, 0.4])])], 2)
BROKEN = LearningCurves("Learning curves", [("loss", [Line("training", [1, 2], [0.5])])], 2)


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
    process.kill()
    process.communicate()
    for _ in range(100):
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(child)], capture_output=True, text=True).stdout
        if not state.strip() or state.startswith("Z"):
            return
        time.sleep(0.1)
    pytest.fail("it is still there")
