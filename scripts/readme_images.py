"""Make the images of the README anew, from runs that are there.

python train.py lr=0.01 figures.every_n_epochs=1 hydra.run.dir=logs/runs/toy
python train.py data=text data.train=train.csv data.val=val.csv data.test=test.csv hydra.run.dir=logs/runs/reviews
python train.py -m optimizer=adam,sgd,adagrad lr=0.1,0.01,0.001 sweep.name=first
python scripts/readme_images.py logs/runs/toy logs/runs/reviews logs/sweeps/first
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

GAP = 12  # pixels between two images
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAGE = (1000, 1080)  # pixels of the page that are shown


def main() -> None:
    """Make all of them, or none."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("points", type=Path, help="run with a figure of each epoch")
    parser.add_argument("texts", type=Path, help="run on texts")
    parser.add_argument("sweep", type=Path, help="folder of a sweep")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "docs" / "images", metavar="FOLDER")
    parser.add_argument(
        "--epochs", type=int, nargs="+", default=(1, 2, 3, 4, 6, 8, 12, 16), help="that the boundary is shown after"
    )
    given = parser.parse_args()
    figures = given.texts / "figures"
    try:
        frames = boundaries(given.points, given.epochs)
        made = {
            "confusion": (
                beside([opened(figures / f"{name}.png") for name in ("confusion", "precision_recall")]),
                1000,
            ),
            "words": (opened(figures / "influence.png"), 700),
            "sweep": (page(given.sweep / "report.html"), 800),
        }
        for name, (image, widest) in made.items():
            save(image, given.output / f"{name}.png", widest)
        moving(frames, given.output / "boundary.gif", 480)
    except (OSError, subprocess.SubprocessError) as error:
        sys.exit(f"error: {error}")


def boundaries(run: Path, epochs: Sequence[int]) -> list[Image.Image]:
    """Return the decision boundary after some epochs, counted from 1, as TensorBoard has it."""
    folder = run / "tensorboard"
    if not folder.is_dir():
        sys.exit(f"error: {folder}: no such folder. Expected a run.")
    events = EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0})
    events.Reload()
    tags = events.Tags()
    steps = [event.step for event in events.Scalars("train/loss")] if "train/loss" in tags["scalars"] else []
    found = {event.step: event for event in events.Images("val/boundary")} if "val/boundary" in tags["images"] else {}
    for epoch in epochs:
        if not 1 <= epoch <= len(steps) or steps[epoch - 1] not in found:
            sys.exit(
                f"error: {run}: no figure of a boundary after epoch {epoch}. Expected a run on points, of that many "
                "epochs, with figures.every_n_epochs=1."
            )
    return [opened(io.BytesIO(found[steps[epoch - 1]].encoded_image_string)) for epoch in epochs]


def page(file: Path) -> Image.Image:
    """Return the top of a page, as a browser shows it."""
    if not file.is_file():
        sys.exit(f"error: {file}: no such file.")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"error: no image of {file}: expected one of {', '.join(BROWSERS)} to be installed.")
    with TemporaryDirectory() as folder:
        image = Path(folder) / "page.png"
        command = [browser, "--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={PAGE[0]},{PAGE[1]}"]
        command += [f"--screenshot={image}", file.resolve().as_uri()]
        # Without the sandbox, which root has none of: the page is our own, and holds no script.
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return opened(image)


def opened(file: Path | io.BytesIO) -> Image.Image:
    """Return an image without transparency."""
    with Image.open(file) as found:
        return found.convert("RGB")


def beside(parts: list[Image.Image]) -> Image.Image:
    """Return images side by side."""
    width = sum(part.width for part in parts) + GAP * (len(parts) - 1)
    whole = Image.new("RGB", (width, max(part.height for part in parts)), "white")
    left = 0
    for part in parts:
        whole.paste(part, (left, 0))
        left += part.width + GAP
    return whole


def save(image: Image.Image, path: Path, widest: int) -> None:
    """Write a small file: at most so many pixels wide, and in 128 colours."""
    if image.width > widest:
        image = image.resize((widest, round(image.height * widest / image.width)), Image.Resampling.LANCZOS)
    few = image.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(f"{path}: {few.width} x {few.height}, {path.stat().st_size:,} bytes")


def moving(frames: list[Image.Image], path: Path, width: int) -> None:
    """Write images as one that moves, over and over, and rests on the last."""
    size = width, round(frames[0].height * width / frames[0].width)
    first, *others = (
        frame.resize(size, Image.Resampling.LANCZOS).quantize(64, dither=Image.Dither.NONE) for frame in frames
    )
    times = [500] * len(others) + [2500]  # milliseconds
    first.save(path, save_all=True, append_images=others, duration=times, loop=0)
    print(f"{path}: {width} x {size[1]}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
