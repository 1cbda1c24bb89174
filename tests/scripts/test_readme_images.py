"""The script that makes the images of the README."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from shown_runs import trained

needs_browser = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")


def size_of(path):
    with Image.open(path) as picture:
        return picture.size


@needs_browser
def test_pictures_are_made_from_runs(program):
    page = Path("sweep/report.html")
    page.parent.mkdir()
    page.write_text("<h1>Sweep</h1>")
    words = (str(trained("points")), str(trained("texts")), "sweep", "--output", ".")
    done = program("scripts/readme_images.py", *words, "--epochs", "1", "3")
    assert done.status == 0, done.err
    with Image.open("boundary.gif") as moving:
        assert moving.n_frames == 2
        assert moving.width == 480
    assert all(size_of(f"{name}.png")[1] > 200 for name in ("confusion", "words", "sweep"))


@pytest.mark.soak
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none", "texts", "sweep"), "none/tensorboard: no such folder"),
        (("points", "texts", "sweep", "--epochs", "1", "12"), "no figure of a boundary after epoch 12"),
        (("points", "texts", "sweep", "--epochs", "0"), "no figure of a boundary after epoch 0"),
        (("texts", "texts", "sweep", "--epochs", "1"), "no figure of a boundary after epoch 1"),
        (("points", "none", "sweep", "--epochs", "1"), "none/figures/confusion.png"),
        (("points", "texts", "none", "--epochs", "1"), "none/report.html"),
    ],
)
def test_what_is_missing_is_told_and_nothing_is_written(program, words, message):
    runs = {name: str(trained(name)) for name in ("points", "texts")}
    done = program("scripts/readme_images.py", *(runs.get(word, word) for word in words), "--output", ".")
    assert done.status == 1
    assert message in done.err
    assert not [*Path().glob("*.png"), *Path().glob("*.gif")]
