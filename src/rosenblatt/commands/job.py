"""One job of a sweep: its run is told in its own log alone, and what goes wrong is recorded, so that others go on."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode, TaskFunction
from omegaconf import DictConfig

from rosenblatt.cli.messages import DISK_FULL, explained
from rosenblatt.cli.values import flat, plain
from rosenblatt.commands.space import is_of_sweep
from rosenblatt.errors import FolderTaken, UserError, check_choice
from rosenblatt.sweeps.jobs import JOB, SWEEP_PID, Job

if TYPE_CHECKING:
    from rosenblatt.sweeps.pruning import Pruning

log = logging.getLogger(__name__)


def current_job() -> Job | None:
    """Return the job of a sweep that is run now, or ``None`` where this is a run by itself."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    return Job.read(Path(HydraConfig.get().runtime.output_dir))


def check_objectives(job: Job, names: Sequence[str]) -> None:
    """Raise a `UserError` for an objective that a run of this task does not report."""
    for name in _sweep_of(job)["objectives"]:
        if name.startswith("val/"):
            check_choice("sweep.objective", name, [one for one in names if one.startswith("val/")])


def _sweep_of(job: Job) -> dict[str, Any]:
    return dict((job.run.read_json(JOB) or {})["sweep"])


def make_pruning(job: Job) -> list[Pruning]:
    """Return the callback that stops a bad trial early, where the sweep is to have one."""
    sweep = _sweep_of(job)
    if sweep["pruner"] is None:
        return []
    from rosenblatt.sweeps.pruning import Pruning  # Optuna takes its time
    from rosenblatt.sweeps.study import storage_of

    folder = job.folder.parent
    storage, objective = storage_of(folder, sweep["storage"]), next(iter(sweep["objectives"]))
    return [Pruning(storage, folder.name, job.trial.number, sweep["pruner"], objective)]


def shown_settings(config: DictConfig, job: Job | None) -> dict[str, int | float | str | bool]:
    """Return the settings that TensorBoard compares runs by: all of a run alone, and what varies in a sweep."""
    every = flat(plain(config))
    if job is None:
        return every
    return {key: every.get(key, value) for key, value in job.trial.setting.items()} | {"seed": every["seed"]}


def devices_of(trainer: DictConfig) -> dict[str, int | list[int]]:
    """Return the GPU of a job, where there are several: jobs that begin together take turns on them.

    Raises:
        UserError: a job is to train on several devices itself, whose processes would each begin a sweep.
    """
    if trainer.get("devices", 1) not in (1, "1"):
        raise UserError(
            f"trainer.devices={trainer.get('devices')}: a job of a sweep trains on one device, and jobs take turns on "
            "several (hydra/launcher=joblib). Leave it at 1."
        )
    import torch  # here, since a sweep is refused before it is imported

    num_gpus = torch.cuda.device_count()
    if num_gpus < 2 or trainer.get("accelerator") not in ("auto", "gpu", "cuda"):
        return {} if "devices" in trainer else {"devices": 1}
    return {"devices": [int(HydraConfig.get().job.num) % num_gpus]}


def warn_of_sweep_settings() -> None:
    """Say so where settings of a sweep are given to a run alone."""
    more = ["hydra.sweeper.params"] if HydraConfig.get().sweeper.get("params") else []
    for word in [*HydraConfig.get().overrides.task, *more]:
        if is_of_sweep(word) or word in more:
            log.warning("%s is ignored: without -m there is one run.", word.partition("=")[0])


def end_with_sweep() -> None:
    """Let a worker end soon after the process of its sweep: one that is killed leaves no time to tell it."""
    parent = os.getppid()
    if os.environ.get(SWEEP_PID) != str(parent) or any(one.name == SWEEP_PID for one in threading.enumerate()):
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name=SWEEP_PID, daemon=True).start()


def run_job(task: TaskFunction, config: DictConfig) -> Any:
    """Run a task of Hydra's as a job of a sweep: what is printed goes nowhere, why it has failed into its folder."""
    job = current_job()
    if job is None:  # another sweeper was chosen
        return task(config)
    if multiprocessing.get_start_method(allow_none=True) == "loky":  # joblib's, with which a DataLoader has no workers
        multiprocessing.set_start_method(multiprocessing.get_all_start_methods()[0], force=True)
    end_with_sweep()
    try:
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            return task(config)
    except FolderTaken:
        pass  # another process runs it; the sweep waits for that one
    except Exception as error:
        reason = explained(error, "train")
        if reason is not None and reason.startswith(DISK_FULL):  # which is no fault of the job's
            sys.stderr.write(f"error: {reason}\n")
            sys.exit(1)
        file = logging.getLogger("rosenblatt_file")
        if reason is None:
            file.exception("This is a mistake in the program:")
            reason = f"{type(error).__name__}: {str(error).strip() or 'no message'}".splitlines()[0]
        else:
            file.error(reason)
        job.fail(reason)
