"""What a sweep costs beside single processes, what a second worker brings, and what a search finds on real texts."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import contestants
from benchmarks.contest import Case, Contestant, Failure, Figures
from benchmarks.report import Summaries, Summary, accuracy, outcome, paragraph, seconds, table
from benchmarks.suites import Options, Skipped, Suite

TRAIN = str(contestants.ROOT / "train.py")
GRID, WORKERS, SEARCH = "9 settings of the toy", "8 jobs of equal length", "SST-2"
SWEEP, PROCESSES = "one sweep", "9 processes"
ONE, TWO = "1 worker", "2 workers"
DEFAULTS, TRIALS = "defaults", "best of 30 trials"
SPACE = (
    "sweep=optuna", "sweep.trials=30", "optimizer=adam,adamw,sgd", "lr=tag(log,interval(1e-4,0.1))",
    "data.ngrams=1,2,3", "optimizer.weight_decay=tag(log,interval(1e-6,0.1))",
)  # fmt: skip
NOTE = """\
9 settings: `python train.py -m optimizer=adam,sgd,adagrad lr=0.1,0.01,0.001`, and nine times `python train.py` (without
figures, as jobs have none). Beyond training: wall time without that of the training loops (and their validation), by
job. 8 jobs: learning rates of 0.010 to 0.017 on the toy, 600 epochs each, on two cores, with the basic launcher and
with joblib. SST-2: the setting that is best by validation loss of 30 trials (learning rate, optimizer, n-grams, weight
decay), evaluated on test once."""


def cases(options: Options) -> Iterator[Case]:
    """Compare sweeps with what they replace."""
    settings = ["optimizer=adam,sgd,adagrad", "lr=0.1,0.01,0.001"]
    singly = [
        ["figures=none", f"optimizer={name}", f"lr={lr}"]
        for name in ("adam", "sgd", "adagrad")
        for lr in (0.1, 0.01, 0.001)
    ]
    code = (
        "import subprocess, sys\n"
        f"for i, words in enumerate({singly!r}):\n"
        f"    subprocess.run([sys.executable, {TRAIN!r}, *words, f'hydra.run.dir=logs/sweeps/s/{{i}}'], check=True)\n"
    )
    yield Case(GRID, (sweep(SWEEP, settings), Contestant(PROCESSES, (sys.executable, "-c", code), figures=of_jobs)))
    rates = "lr=" + ",".join(f"{0.01 + 0.001 * i:.3f}" for i in range(8))
    same = ["trainer.max_epochs=600", "early_stopping.patience=null", rates]
    joblib = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    yield Case(WORKERS, (sweep(ONE, same), sweep(TWO, [*same, *joblib])))
    try:
        folder = options.folder("sst2") / "sst2"
    except Skipped as reason:
        options.warn(f"sweep: {SEARCH} is left out: {reason}")
        return
    paths = [contestants.setting(f"data.{split}", folder / f"{split}.csv") for split in ("train", "val", "test")]
    texts = ["data=text", *paths]
    yield Case(SEARCH, (contestants.ours(texts, name=DEFAULTS), sweep(TRIALS, [*texts, *SPACE])))


def sweep(name: str, words: list[str]) -> Contestant:
    """Return ``python train.py -m`` with settings."""
    return Contestant(name, (sys.executable, TRAIN, "-m", *words, "sweep.name=s"), figures=of_jobs)


def of_jobs(run: Path, output: str) -> Figures:
    """Return the number of jobs, the seconds of their training loops, and the winner's test accuracy."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in run.glob("logs/sweeps/s/*/metrics.json")]
    if not found:
        raise Failure("it left no metrics.json")
    figures = {"jobs": float(len(found)), "training": math.fsum(one["seconds_training"] for one in found)}
    figures["loss"] = math.fsum(one["val/loss"] for one in found)
    winner = run / "logs/sweeps/s/winner.json"
    if winner.exists():
        figures["accuracy"] = json.loads(winner.read_text(encoding="utf-8"))["test"]["test/acc"]
    return figures


def beyond(one: Summary) -> float:
    """Return the seconds of a job beside its training."""
    return (one.wall - one["training"]) / one["jobs"] if not one.failed else math.nan


def tables(found: Summaries) -> str:
    """Return times and ratios of the first two cases, and accuracies of the third."""
    rows = []
    for case, base, other in ((GRID, PROCESSES, SWEEP), (WORKERS, ONE, TWO)):
        for name in (base, other):
            one, slow = found.get(case, {}).get(name), found.get(case, {}).get(base)
            if one is None or slow is None:
                continue
            rest = [f"{beyond(one):.2f} s", f"{beyond(slow) / beyond(one):.1f}"] if case == GRID else ["-", "-"]
            times = f"{slow.wall / one.wall:.2f}"
            rows.append([case, name, outcome(one, seconds(one.wall)), times, *rest, f"{one['loss']:.6f}"])
    header = ["jobs", "how", "wall", "times as fast", "a job beyond training", "times as little", "sum of val/loss"]
    parts = [table(header, rows)]
    if SEARCH in found:
        lines = [
            [name, outcome(one, accuracy(one["accuracy"])), seconds(one.wall)] for name, one in found[SEARCH].items()
        ]
        parts.append(table(["SST-2", "test accuracy", "wall"], lines))
    return "\n\n".join([*parts, paragraph(NOTE)])


SUITE = Suite("what a sweep costs, what a second worker brings, what a search finds", cases, tables)
