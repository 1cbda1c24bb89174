"""Run a sweep: what ``python train.py -m ...`` does.

Trials are taken from a plan (a grid, or a search), their jobs are launched by Hydra's launcher, and what has become of
each is read from its run folder, whoever has run it. So a sweep can be killed at any moment: the same command goes on.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from functools import partial
from pathlib import Path

from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from rosenblatt.cli.space import Words, check_words, read_words
from rosenblatt.commands.job import run_job
from rosenblatt.commands.sweep_identity import same_sweep
from rosenblatt.commands.sweep_jobs import Jobs
from rosenblatt.commands.sweep_result import Progress, report
from rosenblatt.commands.sweep_settings import Settings, fixed_configs, read_settings, share_cores, width_of
from rosenblatt.errors import UserError
from rosenblatt.sweeps.dimensions import Choices
from rosenblatt.sweeps.folder import SweepFolder
from rosenblatt.sweeps.jobs import SWEEP_PID, jobs_in, jobs_of, outcome
from rosenblatt.sweeps.leaderboard import row_of
from rosenblatt.sweeps.plans import GridPlan, Plan, SearchPlan

GRID_AT_ONCE = 8  # times as many trials as workers, which joblib keeps busy by itself; the rest is for others


def sweep(config: DictConfig, words: list[str], context: HydraContext, task: TaskFunction) -> None:
    """Run what is left of a sweep, and report all of it.

    Args:
        config: ``configs/train.yaml``, composed without what varies.
        words: of the command line, without those of Hydra itself.
        context: of Hydra.
        task: runs a job.

    Raises:
        UserError: nothing varies, or what does can't; a sweep of that name was started with other settings.
        SystemExit: with status 1, if more jobs have failed than may.
    """
    start = time.perf_counter()
    settings = read_settings(config)
    found = read_words(words, settings.space, settings.method, context.config_loader)
    if not found.dimensions and len(settings.seeds) == 1:
        raise UserError(
            "-m is a sweep, and nothing varies. Give a setting several values (lr=0.1,0.01), or several seeds "
            "(sweep.seeds=5); or leave -m out."
        )
    if any(word.startswith("hydra.run.dir=") for word in config.hydra.overrides.hydra):
        raise UserError("hydra.run.dir: a sweep has a folder for each job. Name them all: sweep.name=...")
    if len(settings.seeds) > 1 and any(one.key == "seed" for one in found.dimensions):
        raise UserError("seed: with sweep.seeds it varies already. Take one of them out.")
    check_words(found, config, context.config_loader)
    folder = SweepFolder(Path(config.hydra.sweep.dir))
    with folder.lock():
        found, identity = same_sweep(folder, found, settings)
    fixed_configs(context.config_loader, folder.path)
    width = width_of(config.hydra.launcher)
    os.environ[SWEEP_PID] = str(os.getpid())
    share_cores(width, config.hydra.launcher)
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=context, task_function=partial(run_job, task), config=config
    )
    if settings.retry_failed:
        for job in jobs_in(folder.path):
            if outcome(job, settings.objectives).state == "failed":
                job.forget_failure()
    try:
        plan = make_plan(folder, found, settings, identity, width, keeps_busy="n_jobs" in config.hydra.launcher)
    except UserError:
        if not jobs_in(folder.path):
            shutil.rmtree(folder.path)
        raise
    in_process = width == 1 and "submitit_folder" not in config.hydra.launcher
    jobs = Jobs(launcher, found, folder.path, settings, in_process)
    status: int | str | None = None
    try:
        with Progress(folder, plan, settings, watched=width > 1) as progress:
            while trials := plan.take():
                every = {trial: jobs_of(folder.path, trial, settings.seeds) for trial in trials}
                progress.expect([job for own in every.values() for job in own])
                jobs.finish([job for own in every.values() for job in own])
                progress.look()
                for own in every.values():
                    plan.tell(row_of([(job, outcome(job, settings.objectives)) for job in own]))
    except (KeyboardInterrupt, SystemExit) as error:
        status = error.code if isinstance(error, SystemExit) else 130
    if status is not None:  # outside of the handler, else it would be told as the Ctrl-C that it comes from
        sys.stderr.write(f"The sweep goes on with the same command, and sweep.name={folder.path.name}\n")
        sys.exit(status)
    if not report(folder, plan, settings, found, start):
        sys.exit(1)


def make_plan(
    folder: SweepFolder, words: Words, settings: Settings, identity: str, width: int, keeps_busy: bool
) -> Plan:
    """Return what says which trial is next.

    Args:
        folder: of the sweep.
        words: of its command.
        settings: of it.
        identity: of the folder.
        width: jobs that the launcher runs side by side.
        keeps_busy: whether it takes more than these, and begins one where another has ended.
    """
    if settings.method == "grid":
        choices = [one for one in words.dimensions if isinstance(one, Choices)]
        at_once = width * GRID_AT_ONCE if keeps_busy and width > 1 else width
        return GridPlan(folder, choices, settings.seeds, settings.objectives, at_once)
    from rosenblatt.sweeps.search import Search
    from rosenblatt.sweeps.storage import storage_of

    study = Search(
        storage_of(folder.path, settings.storage),
        folder.path.name,
        words.dimensions,
        settings.objectives,
        settings.sampler,
        settings.pruner,
        settings.seeds[0],
        identity,
        shared=settings.storage is not None,
    )
    if width >= settings.trials:
        sys.stderr.write(
            f"All {settings.trials} trials begin at once, so that none can learn from another. With fewer workers "
            "(hydra.launcher.n_jobs, hydra.launcher.array_parallelism) a search is more than chance.\n"
        )
    return SearchPlan(folder, study, settings.objectives, settings.trials, width)
