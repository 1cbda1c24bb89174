"""Train a classifier, evaluate its best checkpoint, and leave a run folder: what ``python train.py`` does."""

from __future__ import annotations

import logging
import re
import shlex
import signal
import sys
import time
from contextlib import ExitStack
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from perceptron.classifier import Classifier
from rosenblatt.cli.build import build
from rosenblatt.commands.job import (
    check_objectives,
    current_job,
    devices_of,
    make_pruning,
    shown_settings,
    warn_of_sweep_settings,
)
from rosenblatt.commands.make import make_callbacks, make_classifier
from rosenblatt.commands.pictures import Gallery, make_live, write_report
from rosenblatt.commands.results import measured, notes_on, put_in_proportion, tune
from rosenblatt.commands.resume import last_checkpoint, open_run, same_data
from rosenblatt.commands.saving import save_model, saved_model, warn_if_unknown
from rosenblatt.data.module import DataModule
from rosenblatt.loop.checkpoints import Checkpoints, read
from rosenblatt.loop.progress import without_idle_hooks
from rosenblatt.loop.threads import num_parameters, use_threads
from rosenblatt.run.folder import RunFolder
from rosenblatt.show.live import LivePictures
from rosenblatt.show.studio import Studio, told
from rosenblatt.show.summary import as_text, per_class_table, summary
from rosenblatt.show.tensorboard import History
from rosenblatt.sweeps.jobs import Job

log = logging.getLogger(__name__)

ASIDE = r"_low$|_high$|/baseline_|_uncalibrated$"  # metrics that TensorBoard would have a chart of a point for, each


def train(config: DictConfig, studio: Studio) -> dict[str, Any]:
    """Run the whole story of one training run.

    Args:
        config: ``configs/train.yaml``, composed.
        studio: where pictures are drawn; it is closed at the end.

    Returns:
        The content of ``metrics.json``.

    Raises:
        UserError: whatever in data or settings can't be used.
        SystemExit: with status 130 after Ctrl-C, once the best model so far is evaluated and saved.
    """
    start = time.perf_counter()
    with ExitStack() as ends:
        ends.callback(studio.close)
        job = current_job()
        if job is None:
            warn_of_sweep_settings()
        run = open_run(config, own=job is not None)
        ends.callback(run.unlock)
        return _train(config, run, start, job, studio)


def _train(config: DictConfig, run: RunFolder, start: float, job: Job | None, studio: Studio) -> dict[str, Any]:
    if (done := run.read_json("metrics.json")) and not done.get("interrupted") and not config.resume_anyway:
        print(f"{run.shown} is finished: {done.get('epochs')} epochs, {_reached(done)}. Nothing is left to do.")
        return done
    pl.seed_everything(config.seed, verbose=False)

    threshold = build("threshold", config.threshold)
    data: DataModule = build("data", config.data)
    start_of_setup = time.perf_counter()
    data.setup()
    seconds_encoding = time.perf_counter() - start_of_setup
    digests = same_data(run, data, config)
    classifier = make_classifier(config, data.spec, threshold)
    if job is not None:
        check_objectives(job, [*classifier.val_metrics.names, "auroc", "ap"])
    use_threads(config.threads, classifier.model)
    log.info(_described(data, classifier))
    warn_if_unknown(classifier, data)

    callbacks = make_callbacks(config, run)
    pruning = [] if job is None else make_pruning(job)
    checkpoint = last_checkpoint(run, classifier) if config.resume else None
    logger = History(run)
    live = make_live(config, logger, data, studio)
    every = [*callbacks.all, *pruning]
    if live is not None:
        every = [*without_idle_hooks(live), *every]  # first: a checkpoint says how long the history is
    shared = {"logger": logger, "callbacks": every, "default_root_dir": str(run.path)}
    settings: Any = config.trainer
    if job is not None:
        settings = OmegaConf.merge(settings, devices_of(settings))
    trainer: pl.Trainer = build("trainer", settings, **shared)
    start_of_fit = time.perf_counter()
    without_idle_hooks(classifier)
    trainer.fit(classifier, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    seconds_training = time.perf_counter() - start_of_fit
    ended_by = _ended_by(trainer, callbacks.stop.signal_number)
    facts = {"epochs": trainer.current_epoch, "best_epoch": load_best(trainer, classifier, callbacks.checkpoints)}
    facts |= {"steps": trainer.global_step, "interrupted": callbacks.stop.pressed}
    facts |= {"pruned": True} if any(one.pruned for one in pruning) else {}

    tune(trainer, classifier, data, threshold, config.calibration)
    # In a sweep the test split is for the winner alone, and for no other eyes.
    splits = [split for split in data.splits if job is None or split != "test"]
    batches = {split: data.batches(split) for split in splits}
    metrics, result = measured(trainer, classifier, batches)
    last = splits[-1]
    rows = data.last_rows() if trainer.is_global_zero else None
    saved = saved_model(config, data, classifier, trainer, rows)
    gallery = None
    if live is not None and live.is_shown(trainer):
        logits, epoch = classifier.test_logits, facts["best_epoch"]
        gallery = Gallery(run, live, saved, data, last, logits, facts["steps"], epoch)
    if job is None:
        proportion = put_in_proportion(classifier, data.splits[last][1], result)
        metrics |= {f"{last}/{name}": value for name, value in proportion.items()}
    if trainer.is_global_zero:
        # Under names of their own, since train/ and val/ are curves over steps, of which these are no points.
        final = {f"best/{name}": value for name, value in metrics.items() if not re.search(ASIDE, name)}
        logger.log_hyperparams(shown_settings(config, job), final)
    metrics |= {f"{split}/repeated": number for split, number in data.num_repeated.items()}
    metrics |= {"threshold": classifier.threshold, "temperature": classifier.temperature} | facts
    seconds_before = callbacks.checkpoints.seconds  # of processes that were cut off
    metrics |= {"seconds": seconds_before + time.perf_counter() - start}
    metrics |= {"seconds_training": seconds_before + seconds_training, "seconds_encoding": seconds_encoding}
    if trainer.is_global_zero:
        if result.per_class:
            run.write("per_class.csv", per_class_table(data.spec, data.splits[last][1], result))
        save_model(run, config, data, classifier, saved, rows, metrics, digests)
        run.write_json("metrics.json", metrics)  # last of what counts: a folder without it holds no result
        notes = notes_on(metrics, last, threshold)
        if gallery is not None and live is not None:
            shown = gallery.finish(rows if last == list(data.splits)[-1] else None)
            with told("report.html"):
                lines = [f"{word}: {note}" for word, note in [*_epochs(metrics, ended_by), *notes]]
                write_report(run, config, data, _described(data, classifier), metrics, lines, shown)
        logger.finalize("success")
        num_rows = {split: target.shape[0] for split, (_, target) in data.splits.items()}
        table = summary(metrics, num_rows, _notes(run, metrics, ended_by, notes, data, live))
        Console().print(table)
        logging.getLogger("rosenblatt_file").info("\n%s", as_text(table))
    if callbacks.stop.signal_number is not None:
        sys.exit(128 + callbacks.stop.signal_number)  # as a shell reports a process that a signal ended: 130 for Ctrl-C
    return metrics


def load_best(trainer: pl.Trainer, classifier: Classifier, checkpoints: Checkpoints) -> int:
    """Give the classifier its best weights, and return the epoch, from 1, that they are of."""
    if checkpoints.best_score is None:  # Ctrl-C came first, or the Trainer was told to stop or to validate later
        log.warning("There was no validation yet; what is evaluated, and saved as the best, are the last weights.")
        checkpoints.save_best(trainer)
    best = read(checkpoints.run.checkpoints / "best.ckpt")
    classifier.load_state_dict(best["state_dict"])
    return int(best["epoch"]) + (1 if checkpoints.best_score is not None else 0)


def _described(data: DataModule, classifier: Classifier) -> str:
    spec, model = data.spec, classifier.model
    rows = ", ".join(f"{split} {target.shape[0]:,}" for split, (_, target) in data.splits.items())
    return (
        f"{spec.task}, {len(spec.classes)} classes; rows: {rows}; {spec.num_features:,} features; "
        f"{type(model).__name__} with {num_parameters(model):,} parameters"
    )


def _ended_by(trainer: pl.Trainer, signal_number: int | None) -> str:
    if signal_number is not None:
        return "Ctrl-C" if signal_number == signal.SIGINT else "a signal"
    early = trainer.early_stopping_callback
    if isinstance(early, EarlyStopping) and early.wait_count >= early.patience:
        return "no better since"
    if 0 <= trainer.max_steps <= trainer.global_step:
        return "trainer.max_steps"
    return "trainer.max_epochs" if trainer.current_epoch >= (trainer.max_epochs or 0) >= 0 else "trainer.max_time"


def _reached(metrics: dict[str, Any]) -> str:
    return ", ".join(f"{name} {metrics[name]:.4f}" for name in ("test/acc", "val/acc") if name in metrics)


def _notes(
    run: RunFolder,
    metrics: dict[str, Any],
    ended_by: str,
    more: list[tuple[str, str]],
    data: DataModule,
    live: LivePictures | None,
) -> list[tuple[str, str]]:
    example = 'text="..."' if data.columns.text else "input=FILE output=FILE"
    if metrics["interrupted"]:
        more = [*more, ("go on", f"python train.py {_quoted('resume', run.shown)}")]
    pictures = "" if live is None else f"; waiting for pictures {live.seconds:.1f} s"
    page = [("report", f"{run.shown}/report.html")] if (run.path / "report.html").exists() else []
    return [
        *_epochs(metrics, ended_by),
        *more,
        ("time", f"{metrics['seconds']:.1f} s, of which training {metrics['seconds_training']:.1f} s{pictures}"),
        ("run folder", run.shown),
        *page,
        ("next", f"python scripts/predict.py {_quoted('run', run.shown)} {example}"),
        ("", f"tensorboard --logdir {'logs' if run.shown.startswith('logs') else shlex.quote(run.shown)}"),
        ("", "python train.py --help"),
    ]


def _epochs(metrics: dict[str, Any], ended_by: str) -> list[tuple[str, str]]:
    return [("best epoch", f"{metrics['best_epoch']} of {metrics['epochs']} (ended by: {ended_by})")]


def _quoted(key: str, path: str) -> str:
    """Return a setting as a shell and Hydra take it."""
    return f"{key}={path}" if re.fullmatch(r"[\w./-]+", path) else f"\"{key}='{path}'\""
