"""Who takes part: our own command, and the programs in scripts/peers."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contest import Contestant, Failure, Figures, printed_figures

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "scripts" / "peers"
OURS, FASTTEXT, VOWPAL_WABBIT = "Rosenblatt", "fastText", "Vowpal Wabbit"

# Two threads whatever the machine has, as its users give it.
DEFAULTS: dict[str, Any] = {"thread": 2}
BIGRAMS: dict[str, Any] = {"wordNgrams": 2, "epoch": 5, "thread": 2}


def ours(
    settings: Sequence[str], metric: str = "acc", name: str = OURS, terminal: bool = False, required: Sequence[str] = ()
) -> Contestant:
    """Return ``python train.py`` with settings.

    It runs in a new folder each time, so that its cache (``data.cache``, below the current folder) is always empty; and
    without figures, as its peers do, unless they are asked for.

    Args:
        settings: what follows on the command line.
        metric: of the test split, to report as accuracy.
        name: as the tables show it.
        terminal: whether it prints on a terminal.
        required: figures of metrics.json without which the run counts as failed.
    """

    def figures(run: Path, output: str) -> Figures:
        return metrics_of(run / "out" / "metrics.json", metric, required)

    drawn = [] if any(word.startswith("figures") for word in settings) else ["figures=none"]
    command = (sys.executable, str(ROOT / "train.py"), *settings, *drawn, setting("hydra.run.dir", "{run}/out"))
    return Contestant(name, command, terminal=terminal, figures=figures)


def setting(name: str, path: str | Path) -> str:
    """Return ``name='path'``: in quotes, since Hydra reads a comma and the like in it as something else."""
    return f"{name}='{path}'"


def metrics_of(path: Path, metric: str, required: Sequence[str] = ()) -> Figures:
    """Return what the tables need of a ``metrics.json``: ``accuracy``, times, steps and epochs.

    ``seconds_own`` is the time after imports: reading, encoding, training, evaluation.

    Raises:
        Failure: there is no such file, or no such figure.
    """
    if not path.exists():
        raise Failure("it left no metrics.json")
    found = json.loads(path.read_text(encoding="utf-8"))
    missing = [name for name in (f"test/{metric}", *required) if not isinstance(found.get(name), int | float)]
    if missing:
        raise Failure(f"metrics.json has no {missing[0]}")
    chosen = {name: value for name, value in found.items() if name.startswith("seconds") or name in ("steps", "epochs")}
    chosen |= {"accuracy": found[f"test/{metric}"], "seconds_own": found.get("seconds")}
    return {name: float(value) for name, value in chosen.items() if isinstance(value, int | float)}


def fasttext(name: str, files: Path, settings: Mapping[str, Any]) -> Contestant:
    """Return fastText on ``train.ft`` and ``test.ft`` of a folder, with arguments of ``train_supervised``."""
    arguments = (str(files / "train.ft"), str(files / "test.ft"), "--settings", json.dumps(dict(settings)))
    return _peer(name, "fasttext_supervised.py", arguments, "fasttext")


def vowpal_wabbit(name: str, files: Path, arguments: str) -> Contestant:
    """Return Vowpal Wabbit on ``train.vw`` and ``test.vw`` of a folder, with arguments of its command line."""
    paths = (str(files / "train.vw"), str(files / "test.vw"))
    return _peer(name, "vowpal_wabbit.py", (*paths, f"--arguments={arguments}"), "vowpalwabbit")


def tfidf(name: str, files: Path, features: str, classifier: str) -> Contestant:
    """Return scikit-learn on ``train.parquet`` and ``test.parquet`` of a folder.

    Args:
        name: as the tables show it.
        files: the folder.
        features: ``words`` (and bigrams) or ``characters`` (1- to 5-grams).
        classifier: ``svm`` or ``logistic``.
    """
    paths = (str(files / "train.parquet"), str(files / "test.parquet"))
    return _peer(name, "tfidf.py", (*paths, "--features", features, "--classifier", classifier), "sklearn")


def one_hot(name: str, files: Path, label: str, classifier: str) -> Contestant:
    """Return scikit-learn on ``train.csv`` and ``test.csv`` of a folder with a table."""
    paths = (str(files / "train.csv"), str(files / "test.csv"))
    return _peer(name, "one_hot.py", (*paths, "--label", label, "--classifier", classifier), "sklearn")


def table_model(name: str, files: Path, label: str, model: str, numbers: bool) -> Contestant:
    """Return ``boosting`` of scikit-learn, ``realmlp`` or ``tabm`` of pytabkit, on ``train.csv`` and ``test.csv``."""
    words = [str(files / "train.csv"), str(files / "test.csv"), "--label", label, "--model", model, "--seed", "{turn}"]
    needs = "sklearn" if model == "boosting" else "pytabkit"
    return _peer(name, "table_models.py", [*words, *(["--numbers"] if numbers else [])], needs)


def loop(name: str, program: str, files: Path, epochs: int, terminal: bool) -> Contestant:
    """Return a training loop on ``train.npy`` and ``val.npy`` of a folder."""
    paths = (str(files / "train.npy"), str(files / "val.npy"))
    return _peer(name, program, (*paths, "--epochs", str(epochs)), terminal=terminal)


def _peer(name: str, program: str, arguments: Sequence[str], needs: str = "", terminal: bool = False) -> Contestant:
    return Contestant(name, (sys.executable, str(PEERS / program), *arguments), needs, terminal, own_time)


def own_time(run: Path, output: str) -> Figures:
    """Return what a peer printed, and ``seconds_own``: the sum of its phases."""
    found = printed_figures(run, output)
    phases = [value for name, value in found.items() if name.startswith("seconds")]
    return found | {"seconds_own": math.fsum(phases)}
