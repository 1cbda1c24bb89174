"""The jobs of a sweep: one setting with one seed each, in a run folder of its own, launched until it has ended."""

from __future__ import annotations

import math
import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from rosenblatt.errors import UserError, listed, nearest
from rosenblatt.run.folder import RunFolder
from rosenblatt.sweeps.dimensions import Trial

State: TypeAlias = Literal["open", "running", "cut off", "done", "pruned", "failed"]
ENDED: tuple[State, ...] = ("done", "pruned", "failed")
SWEEP_PID = "ROSENBLATT_SWEEP_PID"  # in the environment of workers: the process that has started them
JOB = "job.json"  # in the run folder: which job it is
FAILURE = "failure.json"  # in the run folder: why there is no result
ATTEMPTS = 3  # at a job whose process dies
POLL = 0.2  # seconds between two looks at a job that another process runs


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Args:
        trial: the setting.
        seed: of the run.
        folder: of the run.
    """

    trial: Trial
    seed: int
    folder: Path

    @classmethod
    def read(cls, folder: Path) -> Job | None:
        """Return the job that a run folder is of, or ``None`` where it is of none."""
        content = RunFolder(folder).read_json(JOB)
        if content is None:
            return None
        return cls(Trial(int(content["number"]), dict(content["setting"])), int(content["seed"]), folder)

    @property
    def run(self) -> RunFolder:
        """The run folder."""
        return RunFolder(self.folder)

    @property
    def words(self) -> str:
        """The setting as it is typed, with the seed where each setting has several."""
        one_of_several = self.folder.name == self.trial.folder_name(self.seed)
        return f"{self.trial.words} seed={self.seed}".strip() if one_of_several else self.trial.words

    def write(self, **more: Any) -> None:
        """Make the folder, and write which job it is of.

        Args:
            more: what the job has to know besides, as JSON takes it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {"number": self.trial.number, "setting": self.trial.setting, "seed": self.seed}
        self.run.write_json(JOB, content | more)

    def fail(self, reason: str) -> None:
        """Record why there is no result, and won't be one."""
        self.run.write_json(FAILURE, {"reason": reason})

    def forget_failure(self) -> None:
        """Let the job be run once more."""
        for name in (FAILURE, "metrics.json"):  # of which one is there, with a figure that is no number
            (self.folder / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class Outcome:
    """What has become of a job.

    Args:
        state: of it.
        metrics: the content of ``metrics.json``, where it has ended with a result.
        reason: why it has failed.
    """

    state: State
    metrics: dict[str, Any]
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be done."""
        return self.state in ENDED


def outcome(job: Job, objectives: Iterable[str]) -> Outcome:
    """Return what has become of a job, as its folder tells.

    Args:
        job: which.
        objectives: metrics by which it is judged; one that is no number is a failure.
    """
    run = job.run
    metrics = run.read_json("metrics.json")
    if metrics is not None and not metrics.get("interrupted"):
        for name in objectives:
            value = metrics.get(name)
            if name not in metrics:
                numbers = [one for one, number in metrics.items() if type(number) in (int, float)]
                names = sorted(numbers, key=lambda one: not one.startswith("val/"))
                return Outcome(
                    "failed",
                    metrics,
                    f"sweep.objective: got {name!r}; a run reports {listed(names)}.{nearest(name, names)}",
                )
            if not isinstance(value, int | float) or not math.isfinite(value):
                return Outcome("failed", metrics, f"{name} is no number: training ran to NaN, or can't be measured")
        return Outcome("pruned" if metrics.get("pruned") else "done", metrics)
    failure = run.read_json(FAILURE)
    if failure is not None:
        return Outcome("failed", {}, str(failure.get("reason", "")))
    if run.locked:
        return Outcome("running", {})
    return Outcome("cut off" if (job.folder / "config.yaml").exists() else "open", {})


def jobs_of(folder: Path, trial: Trial, seeds: Sequence[int]) -> list[Job]:
    """Return the jobs of a trial, one a seed.

    Args:
        folder: of the sweep.
        trial: which.
        seeds: of each setting.
    """
    several = len(seeds) > 1
    return [Job(trial, seed, folder / trial.folder_name(seed if several else None)) for seed in seeds]


def jobs_in(folder: Path, but: Collection[Path] = ()) -> list[Job]:
    """Return the jobs of a sweep that have been begun.

    Args:
        folder: of the sweep.
        but: folders of jobs that are known already.
    """
    found = [Job.read(path.parent) for path in folder.glob(f"*/{JOB}") if path.parent not in but]
    return [job for job in found if job is not None]


def finish(
    jobs: Sequence[Job],
    folder: Path,
    objectives: Iterable[str],
    launch: Callable[[Sequence[Job]], tuple[str, bool]],
) -> None:
    """Run all jobs that have not ended.

    Where a process dies, launchers lose what runs beside it, too. So all that were cut off go on one by one, which
    shows which one it is; the others follow together.

    Args:
        jobs: of a sweep.
        folder: of it.
        objectives: metrics by which they are judged.
        launch: runs some jobs; returns what it complained of, and whether that was their settings.

    Raises:
        UserError: no job can be started, or none can report the objective.
    """
    deaths: Counter[Path] = Counter()
    while left := _left(jobs, objectives):
        suspects = [job for job in left if deaths[job.folder]]
        group = suspects[:1] or left
        reason, is_setting = launch(group)
        _stop_if_hopeless(group, folder, objectives)
        states = {job.folder: outcome(job, objectives).state for job in group}
        begun = [job for job in group if states[job.folder] == "cut off"]
        for job in begun or [job for job in group if states[job.folder] == "open"]:
            deaths[job.folder] += 1
            if len(group) > 1 or not (is_setting or deaths[job.folder] >= ATTEMPTS):
                continue
            if not is_setting and not any(folder.glob("*/config.yaml")):
                raise UserError(f"hydra/launcher: it can't start jobs: {reason}.")
            died = "" if is_setting else f"its process died {ATTEMPTS} times: "
            job.fail(died + (reason or "it left no result"))


def _left(jobs: Sequence[Job], objectives: Iterable[str]) -> list[Job]:
    """Return the jobs that have not ended, once nobody else runs one of them."""
    while any(outcome(job, objectives).state == "running" for job in jobs):
        time.sleep(POLL)
    return [job for job in jobs if not outcome(job, objectives).ended]


def _stop_if_hopeless(jobs: Sequence[Job], folder: Path, objectives: Iterable[str]) -> None:
    """Stop where no job reports the objective; those that found it out before they trained leave no trace."""
    told = [(job, outcome(job, objectives)) for job in jobs]
    hopeless = [(job, one) for job, one in told if one.reason.startswith("sweep.objective:")]
    if not hopeless or any(outcome(job, objectives).state in ("done", "pruned") for job in jobs_in(folder)):
        return
    for job, one in hopeless:
        if not one.metrics:
            shutil.rmtree(job.folder)
    trained = (
        f" What was trained is in {folder}: take another sweep.name." if any(one.metrics for _, one in told) else ""
    )
    raise UserError(hopeless[0][1].reason + trained)
