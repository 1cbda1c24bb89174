"""Predicting a million short texts, as whole processes, beside fastText's ``predict-prob``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from benchmarks import contestants
from benchmarks.contest import Case, Contestant, Failure, Figures
from benchmarks.corpora import Zipf
from benchmarks.report import Summaries, megabytes, outcome, paragraph, ratio_table, seconds, table
from benchmarks.suites import Options, Skipped, Suite

SIZE = 1_000_000
MEAN_WORDS = 12
SETTINGS = {  # case -> what our model and fastText's are trained with
    "words and bigrams": (["data.ngrams=2"], {"wordNgrams": 2, "epoch": 1, "thread": 2}),
    "words": (["data.ngrams=1"], {"wordNgrams": 1, "epoch": 1, "thread": 2}),
}
PROGRAM, BINDING = "fastText", "fastText, from Python"
NOTE = f"""\
{{size}} texts of {MEAN_WORDS} words on average with Zipf's frequencies, which the models were trained on (for an epoch;
what they learnt does not matter here). {contestants.OURS}: `scripts/predict.py input=texts.txt output=predicted.csv`;
{PROGRAM}: `fasttext predict-prob`, compiled with `-O3 -march=native`; {BINDING}: a loop over lines with its package."""


def cases(options: Options) -> Iterator[Case]:
    """Compare models of words with and without bigrams."""
    size = (options.sizes or (SIZE,))[0]
    corpus = Zipf(size, mean_words=MEAN_WORDS).write(options.work)
    texts = corpus / "texts.txt"
    if not texts.exists():
        frame = pl.read_parquet(corpus / "train.parquet", columns=["text"])
        frame.write_csv(texts, include_header=False, quote_style="never")
    program = shutil.which("fasttext")
    if program is None:
        options.warn(f"predict: there is no program named fasttext; {BINDING} stands for it")
    for name, (settings, arguments) in SETTINGS.items():
        run, model = corpus / f"rosenblatt-{name}", corpus / f"fasttext-{name}.bin"
        _train(run, ["data=text", contestants.setting("data.train", corpus / "train.parquet"), *settings], corpus)
        taking_part = [_ours(run, texts, size)]
        if _train_fasttext(model, corpus, arguments):
            if program is not None:
                command = (program, "predict-prob", str(model), str(texts))
                taking_part.append(Contestant(PROGRAM, command, figures=lambda run, output: {}))
            peer = contestants.PEERS / "fasttext_predict.py"
            words = (sys.executable, str(peer), str(model), str(texts), "{run}/out.txt")
            taking_part.append(Contestant(BINDING, words, "fasttext", figures=lambda run, output: {}))
        yield Case(name, tuple(taking_part))


def _ours(run: Path, texts: Path, size: int) -> Contestant:
    def figures(folder: Path, output: str) -> Figures:
        if f"{size:,} rows predicted" not in output:
            raise Failure("it did not say that all rows were predicted")
        return {}

    paths = [contestants.setting(*pair) for pair in (("run", run), ("input", texts), ("output", "{run}/out.csv"))]
    command = (sys.executable, str(contestants.ROOT / "scripts" / "predict.py"), *paths)
    return Contestant(contestants.OURS, command, figures=figures)


def _train(run: Path, settings: list[str], folder: Path) -> None:
    """Train our model, unless that was done before."""
    if (run / "metrics.json").exists():
        return
    words = [*settings, "trainer.max_epochs=1", contestants.setting("hydra.run.dir", run)]
    command = [sys.executable, str(contestants.ROOT / "train.py"), *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skipped(f"training failed: {done.stderr.strip()[-200:]}")


def _train_fasttext(model: Path, corpus: Path, arguments: dict[str, int]) -> bool:
    """Train fastText, unless that was done before; return whether there is a model."""
    if not model.exists():
        train = f"fasttext.train_supervised({str(corpus / 'train.ft')!r}, verbose=0, **{arguments})"
        code = f"import fasttext; {train}.save_model({str(model)!r})"
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    return model.exists()


def tables(found: Summaries) -> str:
    """Return times and memory, and our ratios to the peers."""
    rows = [
        [case, name, outcome(one, seconds(one.wall)), seconds(one.cpu), megabytes(one.memory)]
        for case, ones in found.items()
        for name, one in ones.items()
    ]
    parts = [
        table(["model of", "program", "wall", "CPU", "peak memory"], rows),
        ratio_table("model of", found, contestants.OURS, (PROGRAM, BINDING)),
        paragraph(NOTE.replace("{size}", f"{SIZE:,}")),
    ]
    return "\n\n".join(parts)


SUITE = Suite("predicting a million short texts, beside fastText's predict-prob", cases, tables)
