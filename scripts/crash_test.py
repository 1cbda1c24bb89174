"""Kill training at random moments, resume it until it is done, and compare with a run that nobody disturbed.

    python scripts/crash_test.py                          20 kills of each kind: the toy, texts, a project from outside
    python scripts/crash_test.py --kills 5 --seed 1 --only text

Every other kill waits until a checkpoint is being written. What must be the same, to the bit: all weights, all figures
in metrics.json but for times, every point in the history of each logger, none twice and none missing, and what a
callback has written. The exit status is 1 where anything differs.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util.tensor_util import make_ndarray

ROOT = Path(__file__).parents[1]
OUTSIDE = {  # what a project of other people's brings, beside its code
    "data/pictures": "_target_: pictures.Pictures\n",
    "model/conv": "_target_: pictures.Conv\nchannels: 8\n",
    "callbacks/diary": "diary:\n  _target_: pictures.Diary\n  path: ${hydra:runtime.output_dir}/diary.json\n",
}
RUNS = {
    "toy": [
        "data=xor", "model=mlp", "model.dropout=0.2", "data.num_train=2000", "trainer.max_epochs=30", "lr=0.01",
        "scheduler=plateau", "scheduler.patience=1", "early_stopping.patience=8", "checkpoint.every_n_steps=7",
    ],
    "text": [
        "data=text", "data.train=texts.csv", "model=mlp", "model.dropout=0.2", "trainer.max_epochs=12", "threshold=f1",
        "scheduler=cosine", "early_stopping.patience=12", "checkpoint.every_n_steps=5", "data.batch_size=16",
    ],
    "outside": [
        "data=pictures", "model=conv", "callbacks=diary", "logger=[tensorboard,csv]", "trainer.max_epochs=12",
        "lr=0.01", "checkpoint.every_n_steps=5", "early_stopping.patience=12", "trainer.log_every_n_steps=1",
    ],
}  # fmt: skip


def main() -> None:
    """Run, kill, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="runs that are killed, of each kind")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", choices=[*RUNS])
    arguments = parser.parse_args()
    equal = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_texts(folder / "texts.csv")
        write_project(folder / "outside")
        for kind in [arguments.only] if arguments.only else RUNS:
            place = folder / "outside" if kind == "outside" else folder
            equal &= contest(kind, place, arguments.kills, random.Random(arguments.seed))
    sys.exit(0 if equal else 1)


def contest(kind: str, folder: Path, num_kills: int, rng: random.Random) -> bool:
    """Compare runs that are killed with one that is not, and print how each of them ends."""
    whole = folder / f"{kind}-undisturbed"
    start = time.monotonic()
    finish(command(kind, whole), folder)
    print(f"{kind}: the undisturbed run took {time.monotonic() - start:.1f} s")
    length = json.loads((whole / "metrics.json").read_text())["seconds"]
    expected, num_equal = outcome(whole), 0
    for number in range(num_kills):
        run = folder / f"{kind}-{number}"
        writing = number % 2 == 1
        moment = rng.uniform(0, length)
        killed = kill(command(kind, run), folder, run, moment, writing)
        state = position(run)
        for _ in range(3):  # once more in the resumed run, and then to the end
            if killed and rng.random() < 0.5:
                kill(["resume=" + run.name], folder, run, rng.uniform(0, length), writing=rng.random() < 0.5)
        if not (run / "overrides.yaml").exists():  # nothing was there yet to resume
            finish(command(kind, run), folder)
        else:
            finish(["resume=" + run.name], folder)
        found = outcome(run)
        different = [name for name in expected if expected[name] != found.get(name)] + [
            *(found.keys() - expected.keys())
        ]
        num_equal += not different
        where = "writing a checkpoint" if writing else f"{moment:.2f} s after the log began"
        print(
            f"{kind} {number + 1}: killed {where} ({state}): {'equal' if not different else f'DIFFERENT: {different}'}"
        )
        if not different:
            shutil.rmtree(run)
    print(f"{kind}: {num_equal} of {num_kills} equal")
    return num_equal == num_kills


def command(kind: str, run: Path) -> list[str]:
    """Return the arguments of a new run."""
    return [*RUNS[kind], f"hydra.run.dir={run.name}"]


def start_of(arguments: list[str], folder: Path) -> subprocess.Popen[str]:
    """Start ``python train.py``: that of the folder, or ours."""
    program = folder / "train.py" if (folder / "train.py").exists() else ROOT / "train.py"
    return subprocess.Popen(
        [sys.executable, str(program), *arguments], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finish(arguments: list[str], folder: Path) -> None:
    """Run to the end."""
    process = start_of(arguments, folder)
    printed, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{' '.join(arguments)} failed:\n{printed}")


def kill(arguments: list[str], folder: Path, run: Path, moment: float, writing: bool) -> bool:
    """Start a run and kill it, in the middle of writing a checkpoint or some time after its log has begun.

    Returns:
        Whether it was still running.
    """
    log = run / "train.log"
    size = log.stat().st_size if log.exists() else 0
    process = start_of(arguments, folder)
    while process.poll() is None and (log.stat().st_size if log.exists() else 0) <= size:
        time.sleep(0.001)
    deadline = time.monotonic() + moment
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    part = run / "checkpoints" / ".last.ckpt.tmp"
    while writing and process.poll() is None and not part.exists():
        pass  # without sleep: it is there for a millisecond
    killed = process.poll() is None
    process.kill()
    process.communicate()
    return killed


def position(run: Path) -> str:
    """Return how far a run that was killed has come, in words."""
    if (run / "metrics.json").exists():
        return "it had just ended"
    names = sorted(path.name for path in (run / "checkpoints").glob("*"))
    lines = (run / "train.log").read_text().splitlines() if (run / "train.log").exists() else []
    epochs = [line.split("epoch")[1].split("/")[0].strip() for line in lines if " epoch " in line and "/" in line]
    return f"epoch {epochs[-1] if epochs else 0} logged; {', '.join(names) or 'no checkpoint'}"


def outcome(run: Path) -> dict[str, Any]:
    """Return all that has to be the same."""
    metrics = json.loads((run / "metrics.json").read_text())
    found: dict[str, Any] = {name: value for name, value in metrics.items() if not name.startswith("seconds")}
    for path in (run / "model").glob("*.*"):
        if path.suffix in (".safetensors", ".parquet"):
            found[path.name] = path.read_bytes()
    points: dict[str, list[tuple[int, Any]]] = {}
    for file in sorted((run / "tensorboard").glob("events.*")):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                if not value.tag.startswith("_hparams_"):
                    points.setdefault(value.tag, []).append((event.step, make_ndarray(value.tensor).tolist()))
    for table in (run / "csv").glob("metrics.csv"):
        with table.open(newline="") as lines:
            for row in csv.DictReader(lines):
                for tag in row.keys() - {"step"}:
                    if row[tag]:
                        points.setdefault(f"(csv) {tag}", []).append((int(row["step"]), row[tag]))
    if (run / "diary.json").exists():
        found["diary"] = json.loads((run / "diary.json").read_text())
    return found | {f"tensorboard {tag}": sorted(series) for tag, series in points.items()}


def write_project(folder: Path) -> None:
    """Make a project of other people's: their code, our ``train.py`` and ``configs``, and a few lines of YAML."""
    shutil.copytree(ROOT / "configs", folder / "configs")
    shutil.copy(ROOT / "train.py", folder)
    shutil.copy(ROOT / "scripts" / "crash" / "pictures.py", folder)
    for name, content in OUTSIDE.items():
        path = folder / "configs" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")


def write_texts(path: Path) -> None:
    """Write a file of reviews that are a little hard to tell apart."""
    rng = random.Random(0)
    words = {1: ["great", "lovely", "fine", "warm"], 0: ["awful", "rude", "cold", "dull"]}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for _ in range(900):
            label = rng.random() < 0.5
            told = rng.choices(words[label if rng.random() < 0.8 else not label], k=2)
            told += rng.choices([f"w{i}" for i in range(200)], k=8)
            rng.shuffle(told)
            writer.writerow([" ".join(told), "positive" if label else "negative"])


if __name__ == "__main__":
    main()
