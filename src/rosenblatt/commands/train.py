"""Train a model, evaluate its best checkpoint, and leave a run folder: what ``python train.py`` does."""

from __future__ import annotations

import logging
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import EarlyStopping, Timer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from rosenblatt.cli.build import build, build_each, checked_node, named_nodes
from rosenblatt.cli.values import plain
from rosenblatt.cli.words import typed
from rosenblatt.commands.figures import Ending, make_live
from rosenblatt.commands.job import (
    check_objectives,
    current_job,
    devices_of,
    make_pruning,
    shown_settings,
    warn_of_sweep_settings,
)
from rosenblatt.commands.parts import Parts, make_parts
from rosenblatt.commands.refit import Refit
from rosenblatt.commands.results import Reached, evaluate, put_in_proportion
from rosenblatt.commands.resume import SettingsOfNow, last_checkpoint, open_run, same_data
from rosenblatt.commands.saving import rows_of, save_model, saved_model
from rosenblatt.data.contract import columns_of, has_split, repeated_of, splits_of
from rosenblatt.errors import UserError
from rosenblatt.loop.checkpoints import Checkpoints, read
from rosenblatt.loop.epochs import Measures, StopEarly, TrainingProgress
from rosenblatt.loop.lean import make_lean
from rosenblatt.loop.random_state import random_state, set_random_state
from rosenblatt.loop.signals import StopOnCtrlC
from rosenblatt.run.folder import RunFolder
from rosenblatt.show.figures.kinds import drawings, learning_curves
from rosenblatt.show.pool import FigurePool, told
from rosenblatt.show.run_figures import LiveFigures
from rosenblatt.show.tables import as_text, per_class_csv, summary
from rosenblatt.show.tensorboard import log_outcome, log_settings, writers_of
from rosenblatt.sweeps.jobs import Job
from rosenblatt.tasks.counts import class_counts

log = logging.getLogger(__name__)


def train(config: DictConfig, pool: FigurePool | None) -> dict[str, Any]:
    """Run the whole story of one training run.

    Args:
        config: ``configs/train.yaml``, composed.
        pool: draws figures, where there are to be some; it is closed at the end.

    Returns:
        The content of ``metrics.json``.

    Raises:
        UserError: whatever in data or settings can't be used.
        SystemExit: with status 130 after Ctrl-C, once the best model so far is evaluated and saved.
    """
    start = time.perf_counter()
    with ExitStack() as ends:
        if pool is not None:
            ends.callback(pool.close)
        job = current_job()
        if job is None:
            warn_of_sweep_settings()
        run = open_run(config, own=job is not None)
        ends.callback(run.unlock)
        done = run.read_json("metrics.json")
        if done and not done.get("interrupted") and not config.resume_anyway:
            print(f"{run.shown} is finished: {done.get('epochs')} epochs, {_reached(done)}. Nothing is left to do.")
            return done
        return _train(config, run, start, job, pool)


def _train(
    config: DictConfig, run: RunFolder, start: float, job: Job | None, pool: FigurePool | None
) -> dict[str, Any]:
    pl.seed_everything(config.seed, verbose=False)  # callbacks may draw, too
    own = try_out(config, {} if job is None else devices_of(config.trainer))
    pl.seed_everything(config.seed, verbose=False)
    start_of_setup = time.perf_counter()
    parts = make_parts(config)
    seconds_encoding = time.perf_counter() - start_of_setup
    digests = same_data(run, parts.data, config)
    if job is not None and parts.logged:
        check_objectives(job, [*parts.logged])
    parts.use_threads(config.threads)
    log.info(parts.described)

    around = make_callbacks(config, run, parts, own, job, pool)
    loggers = [*build_each("logger", config.logger, Logger).values()]
    checkpoint = last_checkpoint(run, parts.module, loggers) if config.resume else None
    settings = plain(config.trainer) | ({} if job is None else devices_of(config.trainer))
    trainer: pl.Trainer = build(
        "trainer", settings, logger=loggers or False, callbacks=[*around.all], default_root_dir=str(run.path)
    )
    boards = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
    for board in boards:
        log_settings(board, shown_settings(config, job))
    make_lean(trainer, parts.module)
    refit = Refit(config, parts, around.stop, final=job is None)
    before_fit, start_of_fit = random_state(), time.perf_counter()
    trainer.fit(parts.module, datamodule=parts.data, ckpt_path=checkpoint, weights_only=True)
    seconds_training = time.perf_counter() - start_of_fit
    if not trainer.is_global_zero:
        return {}  # the first process measures for all
    facts: dict[str, Any] = {"epochs": trainer.current_epoch}
    facts |= {"best_epoch": load_best(trainer, parts.module, around.checkpoints), "steps": trainer.global_step}
    facts |= {"pruned": True} if any(one.pruned for one in around.pruning) else {}

    ending = begin_ending(run, trainer, parts, around, facts["best_epoch"])
    set_random_state(before_fit)  # whoever draws splits in setup draws those that training had
    accelerator, precision = str(config.trainer.get("accelerator", "auto")), trainer.precision
    before_test = partial(refit.run, trainer, facts["best_epoch"])
    reached = evaluate(parts, accelerator, precision, final=job is None, before_test=before_test)
    facts |= {"interrupted": around.stop.pressed} | ({"rows_refit": refit.num_rows} if refit.num_rows else {})
    if ending is not None:
        ending.examine(reached)
    if job is None:
        reached = put_in_proportion(reached, parts.loss)  # while figures are drawn
    # A job of a sweep is measured on test only as the winner, for which its rows are kept.
    kept = "test" if has_split(parts.data, "test") else reached.last
    rows = rows_of(parts, kept) if job is None or splits_of(parts.data) else None  # others may not be set up for it
    saved = saved_model(config, parts, reached, str(precision), kept, rows)
    metrics = reached.figures | around.measures.of_training(facts["best_epoch"], reached.figures) | facts
    metrics |= {f"{split}/repeated": num for split, num in repeated_of(parts.data).items()}
    before = around.checkpoints.seconds  # of processes that were cut off
    metrics |= {"seconds": before + time.perf_counter() - start, "seconds_training": before + seconds_training}
    metrics |= {"seconds_encoding": seconds_encoding}

    for board in boards:
        log_outcome(board, reached.figures, config.early_stopping.monitor)
    write_classes(run, reached)
    save_model(run, config, saved, rows, metrics, digests)
    anew = f", then anew on {refit.num_rows:,} rows" if refit.num_rows else ""
    ended = f"{facts['best_epoch']} of {facts['epochs']} (ended by: {_ended_by(trainer, around)}){anew}"
    notes = [("best epoch", ended)]
    notes += notes_on(metrics, parts, reached)
    if ending is not None:
        with told("report.html"):
            lines = [f"{word}: {note}" for word, note in notes]
            shown = rows if kept == reached.last else rows_of(parts, reached.last)
            ending.finish(config, metrics, lines, shown)
    for logger in trainer.loggers:
        logger.finalize("success")
    run.write_json("metrics.json", metrics)  # last: of a folder with it nothing is done again
    baseline = "" if reached.task is None else reached.task.baseline_title
    table = summary(metrics, reached.num_rows, [*notes, *_what_next(run, metrics, parts, around.live)], baseline)
    Console().print(table)
    logging.getLogger("rosenblatt_file").info("\n%s", as_text(table))
    if around.stop.signal_number is not None:
        sys.exit(128 + around.stop.signal_number)  # as a shell reports a process that a signal ended: 130 for Ctrl-C
    return metrics


class Callbacks(NamedTuple):
    """The callbacks of a run.

    Attributes:
        all: of them, as the Trainer takes them.
        checkpoints: keeps the best weights and the last state.
        stop: knows whether a signal came.
        measures: knows what each epoch measured.
        live: shows epochs, or ``None``.
        pruning: stops a bad trial of a search.
    """

    all: list[pl.Callback]
    checkpoints: Checkpoints
    stop: StopOnCtrlC
    measures: Measures
    live: LiveFigures | None
    pruning: list[Any]


def try_out(config: DictConfig, devices: Mapping[str, Any]) -> list[pl.Callback]:
    """Return the callbacks that somebody brings, once Trainer, optimizer and schedule are known to take their settings.

    Data are not read yet.
    """
    trainer: pl.Trainer = build("trainer", {**plain(config.trainer), **devices}, logger=False)
    if isinstance(trainer.accelerator, CPUAccelerator) and trainer.num_devices > max(2, os.cpu_count() or 1):
        raise UserError(
            f"trainer.devices={config.trainer.devices}: expected at most the {os.cpu_count()} cores of this machine: "
            "each device trains in a process of its own."
        )
    checked_node("model", config.model)
    named_nodes("logger", config.logger)
    optimizer = build("optimizer", config.optimizer)
    if str(config.optimizer.get("_target_")).startswith(("torch.", "rosenblatt.")):
        made = optimizer([torch.zeros(1, 1, requires_grad=True)])  # some take matrices only
        if any(word.lstrip("+").startswith("scheduler.") for word in typed):  # else a module may add what it lacks
            build("scheduler", config.scheduler, mode=config.early_stopping.mode or "min")(made)
    return [*build_each("callbacks", config.callbacks, pl.Callback).values()]


def make_callbacks(
    config: DictConfig, run: RunFolder, parts: Parts, own: list[pl.Callback], job: Job | None, pool: FigurePool | None
) -> Callbacks:
    """Make the callbacks that every run has, and those that somebody brings."""
    stopping = plain(config.early_stopping) | {"mode": parts.mode}
    checkpoints = Checkpoints(run, stopping["monitor"], stopping["mode"], **plain(config.checkpoint))
    stop = StopOnCtrlC(checkpoints.save_last)
    # Not strict: an epoch without validation is no mistake.
    early = [] if stopping["patience"] is None else [StopEarly(**stopping, strict=False, check_finite=False)]
    anyway = [SettingsOfNow(_lr_before(config, run))] if config.resume and config.resume_anyway else []
    measures = Measures(stopping["monitor"], stopping["mode"], scaled=parts.takes_task)
    live = make_live(config, parts, pool, measures.epochs)
    pruning = [] if job is None else make_pruning(job)
    first = [] if live is None else [live]  # a checkpoint says how long the history is
    progress = TrainingProgress(measures)
    every = [*first, *own, *early, *anyway, measures, checkpoints, stop, progress, *pruning]
    return Callbacks(every, checkpoints, stop, measures, live, pruning)


def _lr_before(config: DictConfig, run: RunFolder) -> float:
    """Return the learning rate that a run was started with."""
    try:
        return float(OmegaConf.load(run.path / "config.yaml").lr)
    except Exception:  # a file that is damaged has been told, and resume_anyway says to go on
        return float(config.lr)


def load_best(trainer: pl.Trainer, module: pl.LightningModule, checkpoints: Checkpoints) -> int:
    """Give the module its best weights, and return the epoch, from 1, that they are of."""
    if checkpoints.best_score is None:  # Ctrl-C came first, or the Trainer was told to stop or to validate later
        log.warning("There was no validation yet; what is evaluated, and saved as the best, are the last weights.")
        checkpoints.save_best(trainer)
    best = read(checkpoints.run.checkpoints / "best.ckpt")
    module.load_state_dict(best["state_dict"])
    return int(best["epoch"]) + (1 if checkpoints.best_score is not None else 0)


def begin_ending(
    run: RunFolder, trainer: pl.Trainer, parts: Parts, around: Callbacks, best_epoch: int
) -> Ending | None:
    """Have learning curves drawn, while splits are measured; ``None``: nothing is to be drawn, as of a trial run."""
    live = around.live
    if live is None or trainer.fast_dev_run:  # type: ignore[attr-defined]
        return None
    ending = Ending(run, live.pool, parts, writers_of(trainer), trainer.global_step, f"epoch {best_epoch}")
    ending.order(drawings({"learning_curves": learning_curves(live.epochs, around.measures.monitor, best_epoch)}))
    return ending


def write_classes(run: RunFolder, reached: Reached) -> None:
    """Write ``per_class.csv``, where there are metrics of single classes."""
    if reached.measured is not None and reached.measured.per_class and reached.task is not None:
        classes = reached.task.classes
        counts = class_counts(reached.measured.target, len(classes)).tolist()
        run.write("per_class.csv", per_class_csv(classes, counts, reached.measured.per_class))


def notes_on(metrics: dict[str, Any], parts: Parts, reached: Reached) -> list[tuple[str, str]]:
    """Return what there is to say of the metrics, as pairs of a word and a note."""
    notes = [] if reached.task is None else reached.task.notes(metrics, reached.last, parts.decision)
    if metrics.get(f"{reached.last}/repeated"):
        notes.append(("repeated", f"{metrics[f'{reached.last}/repeated']:,} rows of {reached.last} are in train too"))
    return notes


def _ended_by(trainer: pl.Trainer, around: Callbacks) -> str:
    if around.stop.signal_number is not None:
        return "Ctrl-C" if around.stop.signal_number == signal.SIGINT else "a signal"
    if any(one.pruned for one in around.pruning):
        return "sweep.pruner"
    early = trainer.early_stopping_callback
    if isinstance(early, EarlyStopping) and early.wait_count >= early.patience:
        return "no better since"
    if 0 <= trainer.max_steps <= trainer.global_step:
        return "trainer.max_steps"
    if trainer.current_epoch >= (trainer.max_epochs or 0) >= 0:
        return "trainer.max_epochs"
    timers = [one for one in trainer.callbacks if isinstance(one, Timer)]  # type: ignore[attr-defined]
    for timer in [one for one in timers if (one.time_remaining() or 1) <= 0]:
        return "callbacks.timer" if timer in around.all else "trainer.max_time"
    return "a callback"


def _reached(metrics: dict[str, Any]) -> str:
    names = [name for name in ("test/acc", "val/acc", "test/rmse", "test/loss", "val/loss") if name in metrics]
    return ", ".join(f"{name} {metrics[name]:.4f}" for name in names[:2])


def _what_next(
    run: RunFolder, metrics: dict[str, Any], parts: Parts, live: LiveFigures | None
) -> list[tuple[str, str]]:
    columns = columns_of(parts.data)
    example = (
        "split=test output=FILE" if columns is None else 'text="..."' if columns.text else "input=FILE output=FILE"
    )
    go_on = [("go on", f"python train.py {_quoted('resume', run.shown)}")] if metrics["interrupted"] else []
    figures = "" if live is None else f"; showing figures {live.seconds:.1f} s"
    logs = "logs" if run.shown.startswith("logs") else shlex.quote(run.shown)
    page = [("report", f"{run.shown}/report.html")] if (run.path / "report.html").exists() else []
    return [
        *go_on,
        ("time", f"{metrics['seconds']:.1f} s, of which training {metrics['seconds_training']:.1f} s{figures}"),
        ("run folder", run.shown),
        *page,
        ("next", f"python scripts/predict.py {_quoted('run', run.shown)} {example}"),
        *([("", f"tensorboard --logdir {logs}")] if (run.path / "tensorboard").exists() else []),
        ("", "python train.py --help"),
    ]


def _quoted(key: str, path: str) -> str:
    """Return a setting as a shell and Hydra take it."""
    return f"{key}={path}" if re.fullmatch(r"[\w./-]+", path) else f"\"{key}='{path}'\""
