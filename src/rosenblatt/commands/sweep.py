"""Run a sweep: what ``python train.py -m ...`` does.

Trials are taken from a plan (a grid, or a search), their jobs are launched by Hydra's launcher, and what has become of
each is read from its run folder, whoever has run it. So a sweep can be killed at any moment: the same command goes on.
"""

from __future__ import annotations

import io
import logging
import os
import re
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rosenblatt.cli import launch
from rosenblatt.cli.build import build
from rosenblatt.cli.messages import explained
from rosenblatt.cli.schema import checked, opened
from rosenblatt.cli.values import flat, plain
from rosenblatt.cli.words import flags_and_settings, in_quotes
from rosenblatt.commands.job import run_job
from rosenblatt.commands.space import Words, composed, is_of_sweep, key_of, read_words
from rosenblatt.errors import UserError, nearest
from rosenblatt.sweeps.dimensions import Choices, Dimension
from rosenblatt.sweeps.folder import SweepFolder
from rosenblatt.sweeps.jobs import SWEEP_PID, Job, finish, jobs_in, jobs_of
from rosenblatt.sweeps.leaderboard import row_of
from rosenblatt.sweeps.plan import Plan
from rosenblatt.sweeps.report import Report
from rosenblatt.sweeps.settings import Direction, Settings, read_settings
from rosenblatt.tasks.titles import TITLES, direction

log = logging.getLogger(__name__)

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
    settings, space = _settings(config)
    words = [*_of_file(config.hydra.sweeper.get("params"), {key_of(word) for word in words}), *words]
    found = read_words(words, space, settings.method, context.config_loader)
    if not found.varies and len(settings.seeds) == 1:
        raise UserError(
            "-m is a sweep, and nothing varies. Give a setting several values (lr=0.1,0.01), or several seeds "
            "(sweep.seeds=5); or leave -m out."
        )
    if any(word.startswith("hydra.run.dir=") for word in config.hydra.overrides.hydra):
        raise UserError("hydra.run.dir: a sweep has a folder for each job. Name them all: sweep.name=...")
    if len(settings.seeds) > 1 and any(one.key == "seed" for one in found.varies):
        raise UserError("seed: with sweep.seeds it varies already. Take one of them out.")
    of_jobs = composed(found, config, context.config_loader)
    data = [word.partition("=")[2] for word in found.fixed if word.lstrip("+").startswith("data.")]
    data += [value for one in found.varies if isinstance(one, Choices) for value in one.values]
    folder = SweepFolder(Path(config.hydra.sweep.dir))
    with folder.lock():
        dimensions, place = folder.same_sweep(found.varies, settings, of_jobs, data, _folders(context.config_loader))
    width = _width(config.hydra.launcher)
    os.environ[SWEEP_PID] = str(os.getpid())
    _share_cores(width, config.hydra.launcher)
    fixed_context = _with_configs(folder.configs, config.hydra.job.name, context)
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=fixed_context, task_function=partial(run_job, task), config=config
    )
    if settings.retry_failed:
        for job in jobs_in(folder.path):
            if job.look(settings.objectives).state == "failed":
                job.forget_failure()
    plan = _plan(folder, settings, dimensions, place, width, keeps_busy="n_jobs" in config.hydra.launcher)
    in_process = width == 1 and "submitit_folder" not in config.hydra.launcher

    def launched(jobs: Sequence[Job]) -> tuple[str, bool]:
        for job in jobs:
            job.write(sweep=settings.for_jobs)
        return _launch(launcher, [_words(job, found, settings) for job in jobs], jobs[0].trial.number, in_process)

    flags = [word for word in flags_and_settings(sys.argv[1:])[0] if word not in ("-m", "--multirun")]
    if len(flags) == len(flags_and_settings(sys.argv[1:])[0]):  # a file says hydra.mode
        flags.append("hydra.mode=RUN")
    typed = [word.removeprefix("++") for word in sys.argv[1:]]
    report = Report(
        plan,
        fixed=flags + [word.removeprefix("++") for word in found.fixed if not is_of_sweep(word)],
        command=shlex.join(["python", Path(sys.argv[0]).name, *typed]),
        evaluate=_measured,
        watched=width > 1,
    )
    status: int | str | None = None
    try:
        with report:
            while trials := plan.take():
                of_trials = [jobs_of(folder.path, trial, settings.seeds) for trial in trials]
                jobs = [job for own in of_trials for job in own]
                report.expect(jobs)
                finish(jobs, folder.path, settings.objectives, launched)
                report.look()
                for own in of_trials:
                    plan.tell(row_of([job.look(settings.objectives) for job in own]))
    except (KeyboardInterrupt, SystemExit) as error:
        status = error.code if isinstance(error, SystemExit) else 130
    if status is not None:  # outside of the handler, else it would be told as the Ctrl-C that it comes from
        sys.stderr.write(f"The sweep goes on with the same command, and sweep.name={folder.path.name}\n")
        sys.exit(status)
    with_figures = bool(OmegaConf.select(config, "figures.every_n_epochs"))
    if not report.finish(time.perf_counter() - start, with_figures):
        sys.exit(1)


def _of_file(params: Any, typed: set[str]) -> list[str]:
    """Return ``hydra.sweeper.params``, as other sweepers have what varies, as words; what is typed besides wins."""
    if not isinstance(params, DictConfig | None):
        raise UserError(f"hydra.sweeper.params={params}: expected what varies, such as {{lr: '0.1,0.01'}}.")
    return [opened(f"{key}={value}", "train") for key, value in flat(params or {}).items() if key not in typed]


def _settings(config: DictConfig) -> tuple[Settings, dict[str, str]]:
    """Return the settings of a sweep, checked, and what varies by ``sweep.space``."""
    given = plain(checked(config, "train").sweep)
    space = {str(key): str(value) for key, value in given["space"].items()}
    stopping = config.early_stopping

    def way(metric: str) -> Direction:
        said = stopping.get("mode") if metric == stopping.monitor else None
        known: Direction | None = said or direction(metric) or _said_by(metric, config.get("metrics") or {})
        if known is None:
            raise UserError(
                f"sweep.objective={metric}: nobody says whether it is to be low or high. Watch it, and say so: "
                f"early_stopping.monitor={metric} early_stopping.mode=max, or min."
                f"{nearest(metric, [f'val/{name}' for name in TITLES])}"
            )
        return known

    return read_settings(given, config.seed, way), space


def _said_by(metric: str, nodes: Mapping[str, Any]) -> Direction | None:
    """Return what a metric of somebody's own says of itself (``higher_is_better``)."""
    name = metric.rpartition("/")[2]
    if nodes.get(name) is None:
        return None
    with launch.importing():  # torchmetrics takes its time
        made = build(f"metrics.{name}", nodes[name], num_classes=2, num_labels=2, task="multiclass")
    high = getattr(made, "higher_is_better", None)
    return None if high is None else "max" if high else "min"


def _folders(loader: ConfigLoader) -> list[Path]:
    """Return the folders that the project's configuration is read from, the first one first."""
    sources = [one for one in loader.get_search_path().get_path() if one.provider in ("main", "command-line")]
    return [Path(one.path.removeprefix("file://")) for one in sources]


def _with_configs(folder: Path, name: str, context: HydraContext) -> HydraContext:
    """Return a context that composes from a folder alone: the project's files may be edited while a sweep runs."""
    GlobalHydra.instance().clear()
    initialize_config_dir(str(folder.resolve()), job_name=name, version_base="1.3")
    return HydraContext(GlobalHydra.instance().config_loader(), context.callbacks)


def _plan(
    folder: SweepFolder, settings: Settings, dimensions: Sequence[Dimension], place: str, width: int, keeps_busy: bool
) -> Plan:
    """Return what says which trial is next."""
    if settings.method == "grid":
        return Plan(folder, settings, dimensions, width * GRID_AT_ONCE if keeps_busy and width > 1 else width)
    from rosenblatt.sweeps.study import Study, storage_of  # Optuna takes its time

    study = Study(storage_of(folder.path, settings.storage), folder.path.name, dimensions, settings, place)
    if width >= settings.trials:
        sys.stderr.write(
            f"All {settings.trials} trials begin at once, so that none can learn from another. With fewer workers "
            "(hydra.launcher.n_jobs, hydra.launcher.array_parallelism) a search is more than chance.\n"
        )
    return Plan(folder, settings, dimensions, width, study)


def _width(launcher: DictConfig) -> int:
    """Return how many jobs a launcher runs side by side."""
    if "n_jobs" in launcher:  # joblib
        num_jobs = int(launcher.n_jobs)
        return num_jobs if num_jobs > 0 else max(1, num_cores() + 1 + num_jobs)
    if "array_parallelism" in launcher:  # Slurm
        return int(launcher.array_parallelism)
    return num_cores() if "submitit_folder" in launcher else 1


def _share_cores(width: int, launcher: DictConfig) -> None:
    """Let processes that are started from here, side by side, have their share of the cores each, and no more."""
    if width > 1 and "array_parallelism" not in launcher:
        share = str(max(1, num_cores() // width))
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
            os.environ.setdefault(name, share)


def _words(job: Job, words: Words, settings: Settings) -> list[str]:
    """Return the words that a job is run with, its place, and that its lines go to its log alone."""
    own = words.of_job(job.trial.setting)
    if len(settings.seeds) > 1:
        own.append(f"seed={job.seed}")
    if (job.folder / "config.yaml").exists():
        own.append(f"resume={in_quotes(job.folder)}")
    return [
        *own,
        f"hydra.sweep.dir={in_quotes(job.folder.parent)}",
        f"hydra.sweep.subdir={in_quotes(job.folder.name)}",
        "hydra.job_logging.root.handlers=[file]",
    ]


def _launch(launcher: Launcher, jobs: list[list[str]], number: int, in_process: bool) -> tuple[str, bool]:
    """Run some jobs; return what the launcher complained of, and whether that was their settings."""
    try:
        launcher.launch(jobs, initial_job_idx=number)
    except (HydraException, OmegaConfBaseException) as error:  # settings that do not go together
        return explained(error, "train") or str(error), True
    except SystemExit:  # joblib brings back that of a worker, which somebody else has ended
        if in_process or launch.terminated:
            raise
        return "it was ended by a signal", False
    except Exception as error:  # of joblib or submitit, of which there are many
        log.debug("launcher", exc_info=True)
        if type(error).__module__.startswith("yaml."):  # of a file that no job can do without
            raise
        return re.split(r"\n|(?<=\w)\.(?=\s|$)", str(error).strip())[0] or type(error).__name__, False
    return "", False


def _measured(run: Path) -> dict[str, Any]:
    """Evaluate a run on test, without a word; return its metrics."""
    with launch.importing():
        from rosenblatt.commands.evaluate import evaluate

    settings = plain(checked(OmegaConf.create({"run": str(run)}), "evaluate"))
    with redirect_stdout(io.StringIO()):
        return evaluate(settings)


def num_cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
