"""The script that makes the pictures of the README."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from shown_runs import trained


def size_of(path):
    with Image.open(path) as picture:
        return picture.size


def test_pictures_are_made_from_runs(program):
    words = (str(trained("points")), str(trained("texts")), "no-sweep", "--output", ".")
    done = program("scripts/readme_pictures.py", *words, "--epochs", "1", "3")
    assert done.status == 1  # no browser, or no page for it
    assert done.err.count("\n") <= 1
    sizes = {name: size_of(f"{name}.png") for name in ("boundary", "confusion", "words")}
    width, height = size_of(trained("points") / "figures" / "boundary.png")
    assert sizes["boundary"] == (2 * width + 12, height)
    assert all(height > 200 for _, height in sizes.values())
    assert not Path("sweep.png").exists()


def test_a_run_that_is_too_short_is_told(program):
    done = program("scripts/readme_pictures.py", str(trained("points")), str(trained("texts")), "no-sweep")
    assert done.status == 1
    assert not list(Path().glob("*.png"))
