"""Make the pictures of the README anew, from runs that are there.

python train.py lr=0.01 figures.every_n_epochs=1 hydra.run.dir=logs/runs/toy
python train.py data=text data.train=train.csv data.val=val.csv data.test=test.csv hydra.run.dir=logs/runs/reviews
python train.py -m optimizer=adam,sgd,adagrad lr=0.1,0.01,0.001 sweep.name=first
python scripts/readme_pictures.py logs/runs/toy logs/runs/reviews logs/sweeps/first
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

GAP = 12  # pixels between two pictures
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAGE = (1000, 1080)  # pixels of the page that are shown


def main() -> None:
    """Make what can be made, and say what can't."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("points", type=Path, help="run with a picture of each epoch")
    parser.add_argument("texts", type=Path, help="run on texts")
    parser.add_argument("sweep", type=Path, help="folder of a sweep")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "docs" / "images", metavar="FOLDER")
    parser.add_argument("--epochs", type=int, nargs="+", default=(1, 3, 12), help="that the boundary is shown after")
    given = parser.parse_args()
    try:
        save(beside(boundaries(given.points, given.epochs)), given.output / "boundary.png", 1400)
        figures = given.texts / "figures"
        two = [opened(figures / f"{name}.png") for name in ("confusion", "precision_recall")]
        save(beside(two), given.output / "confusion.png", 1000)
        save(opened(figures / "influence.png"), given.output / "words.png", 700)
        browser = next(filter(None, map(shutil.which, BROWSERS)), None)
        if browser is None:
            sys.exit(f"error: no picture of the sweep's page: expected one of {', '.join(BROWSERS)} to be installed.")
        save(page(browser, given.sweep / "report.html"), given.output / "sweep.png", 800)
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}")


def boundaries(run: Path, epochs: Sequence[int]) -> list[Image.Image]:
    """Return the decision boundary after some epochs, counted from 1, as TensorBoard has it."""
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    found = events.Images("val/boundary") if "val/boundary" in events.Tags()["images"] else []
    if not 1 <= min(epochs) <= max(epochs) <= len(found):
        sys.exit(f"error: {run}: expected a run of {max(epochs)} epochs with figures.every_n_epochs=1, on points.")
    return [opened(io.BytesIO(found[epoch - 1].encoded_image_string)) for epoch in epochs]


def page(browser: str, file: Path) -> Image.Image:
    """Return what a browser shows of a file at first."""
    with TemporaryDirectory() as folder:
        picture = Path(folder) / "page.png"
        command = [browser, "--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={PAGE[0]},{PAGE[1]}"]
        subprocess.run(
            [*command, f"--screenshot={picture}", file.resolve(strict=True).as_uri()], check=True, capture_output=True
        )
        return opened(picture)


def opened(file: Path | io.BytesIO) -> Image.Image:
    """Return a picture without transparency."""
    with Image.open(file) as found:
        return found.convert("RGB")


def beside(parts: list[Image.Image]) -> Image.Image:
    """Return pictures side by side."""
    width = sum(part.width for part in parts) + GAP * (len(parts) - 1)
    whole = Image.new("RGB", (width, max(part.height for part in parts)), "white")
    left = 0
    for part in parts:
        whole.paste(part, (left, 0))
        left += part.width + GAP
    return whole


def save(picture: Image.Image, path: Path, widest: int) -> None:
    """Write a small file: at most so many pixels wide, and in 128 colours."""
    if picture.width > widest:
        picture = picture.resize((widest, round(picture.height * widest / picture.width)), Image.Resampling.LANCZOS)
    few = picture.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(f"{path}: {few.width} x {few.height}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
