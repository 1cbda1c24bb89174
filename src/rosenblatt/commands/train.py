"""Train a model, evaluate its best checkpoint, and leave a run folder: what ``python train.py`` does."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import ExitStack
from typing import Any

import lightning.pytorch as pl
from omegaconf import DictConfig

from rosenblatt.cli.libraries import silence_libraries
from rosenblatt.cli.settings import check
from rosenblatt.commands.job import (
    check_objectives,
    current_job,
    shown_settings,
    warn_of_sweep_settings,
)
from rosenblatt.commands.parts import make_parts
from rosenblatt.commands.resume import last_checkpoint, open_run, same_data
from rosenblatt.loop.lean import make_lean
from rosenblatt.loop.random_state import random_state, set_random_state
from rosenblatt.loop.threads import use_threads
from rosenblatt.run.folder import RunFolder
from rosenblatt.sweeps.jobs import Job

log = logging.getLogger(__name__)


def train(config: DictConfig) -> dict[str, Any]:
    """Run the whole story of one training run.

    Args:
        config: ``configs/train.yaml``, composed.

    Returns:
        The content of ``metrics.json``.

    Raises:
        UserError: whatever in data or settings can't be used.
        SystemExit: with status 130 after Ctrl-C, once the best model so far is evaluated and saved.
    """
    start = time.perf_counter()
    with ExitStack() as ends:
        silence_libraries()
        check(config)
        job = current_job()
        if job is None:
            warn_of_sweep_settings()
        run = open_run(config, own=job is not None)
        ends.callback(run.unlock)
        done = run.read_json("metrics.json")
        if done and not done.get("interrupted") and not config.resume_anyway:
            print(f"{run.shown} is finished: {done.get('epochs')} epochs, {_reached(done)}. Nothing is left to do.")
            return done
        return _train(config, run, start, job)


def _train(config: DictConfig, run: RunFolder, start: float, job: Job | None, pool: FigurePool) -> dict[str, Any]:
    pl.seed_everything(config.seed, verbose=False)
    parts = make_parts(config)
    seconds_encoding = time.perf_counter() - start
    digests = same_data(run, parts.data, config)
    if job is not None and parts.logged:
        check_objectives(job, [*parts.logged])
    use_threads(config.threads, parts.module)
    log.info(parts.described)

    around = make_callbacks(config, run, parts, job, pool)
    checkpoint = last_checkpoint(run, parts.module) if config.resume else None
    trainer = make_trainer(config, run, around, job)
    if checkpoint is not None:
        cut_history(trainer.loggers, run.path, around.checkpoints.history_of(checkpoint))
    make_lean(trainer, parts.module)
    before_fit, start_of_fit = random_state(), time.perf_counter()
    trainer.fit(parts.module, datamodule=parts.data, ckpt_path=checkpoint, weights_only=True)
    seconds_training = time.perf_counter() - start_of_fit
    if not trainer.is_global_zero:
        return {}  # the first process measures for all
    facts = {"epochs": trainer.current_epoch, "best_epoch": load_best(trainer, parts.module, around.checkpoints)}
    facts |= {"steps": trainer.global_step, "interrupted": around.stop.pressed}
    facts |= {"pruned": True} if around.pruned else {}

    set_random_state(before_fit)  # whoever draws splits in setup draws those that training had
    reached = evaluate(parts, str(trainer.accelerator.name()), trainer.precision, final=job is None)
    metrics = reached.figures | around.measures.of_training(facts["best_epoch"], reached.figures) | facts
    before = around.checkpoints.seconds  # of processes that were cut off
    metrics |= {"seconds": before + time.perf_counter() - start, "seconds_training": before + seconds_training}
    metrics |= {"seconds_encoding": seconds_encoding}
    log_hyperparams(trainer.loggers, shown_settings(config, job), metrics)
    ended_by = _ended_by(trainer, around.stop.signal_number)
    leave(config, run, parts, reached, metrics, digests)
    show(config, run, parts, reached, metrics, around, ended_by)
    if around.stop.signal_number is not None:
        sys.exit(128 + around.stop.signal_number)  # as a shell reports a process that a signal ended: 130 for Ctrl-C
    return metrics
