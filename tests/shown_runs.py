"""Runs with all their figures, trained once in each process of the tests that look at them."""

from __future__ import annotations

import atexit
import io
import os
import random
import runpy
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

ROOT = Path(__file__).parents[1]
HOSTILE = '<script>alert("x")</script>'
POINTS = (
    "data.num_train=300", "data.num_val=80", "data.num_test=120", "trainer.max_epochs=3", "figures.every_n_epochs=1",
    "lr=0.1",
)  # fmt: skip
TEXTS = (
    "data=text", "data.train=texts.csv", "data.char_ngrams=0", "data.cache=null", "model=mlp", "model.hidden=[4,2]",
    "model.dropout=0.5", "trainer.max_epochs=2", "figures.every_n_epochs=1", "calibration=temperature",
    "optimizer=adam", "lr=0.01", "loss=default",
)  # fmt: skip
LABELS = {
    "good": ["great", "хорошо", "👍", HOSTILE],
    "bad": ["awful", "非常差", "سيئ", "|x|_y_"],
    "<i>so": ["so", "la"],
}


@cache
def trained(name: str) -> Path:
    """Return the folder of a run: ``points`` (the toy perceptron) or ``texts`` (an MLP, three classes)."""
    folder = Path(mkdtemp(prefix=f"rosenblatt-{name}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    rng = random.Random(0)
    lines = ["text,label"]
    for i in range(400):
        label = list(LABELS)[i % 3]
        words = [*rng.choices(LABELS[label], k=2), *rng.choices(["the", "food", "was"], k=3)]
        text = " ".join(words).replace('"', '""')
        lines.append(f'"{text}",{"<i>so" if i % 17 == 0 else label}' if i != 40 else ",good")
    (folder / "texts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    words, before, told = POINTS if name == "points" else TEXTS, (Path.cwd(), sys.argv), io.StringIO()
    try:
        os.chdir(folder)
        sys.argv = [str(ROOT / "train.py"), *words, "hydra.run.dir=run"]
        with redirect_stdout(told), redirect_stderr(told):
            runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        os.chdir(before[0])
        sys.argv = before[1]
    assert (folder / "run" / "metrics.json").exists(), told.getvalue()
    assert "not shown" not in told.getvalue()
    return folder / "run"
