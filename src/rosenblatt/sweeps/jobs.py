"""A job of a sweep: one setting with one seed, in a run folder of its own, and what has become of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from rosenblatt.run.folder import RunFolder
from rosenblatt.sweeps.dimensions import Trial, described, folder_name

State: TypeAlias = Literal["open", "running", "cut off", "done", "pruned", "failed"]
ENDED: tuple[State, ...] = ("done", "pruned", "failed")
SWEEP_PID = "ROSENBLATT_SWEEP_PID"  # in the environment of workers: the process that has started them
JOB = "job.json"  # in the run folder: which job it is
FAILURE = "failure.json"  # in the run folder: why there is no result


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
    def described(self) -> str:
        """The setting as it is typed, with the seed where that is part of the folder's name."""
        words = described(self.trial.setting)
        return f"{words} seed={self.seed}".strip() if self.folder.name.endswith(f"_seed-{self.seed}") else words

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


def outcome(job: Job, objectives: Sequence[str]) -> Outcome:
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
    return [Job(trial, seed, folder / folder_name(trial, seed if several else None)) for seed in seeds]


def jobs_in(folder: Path, known: Mapping[Path, Job] | None = None) -> list[Job]:
    """Return all jobs of a sweep that have been begun, in the order of their numbers.

    Args:
        folder: of the sweep.
        known: jobs by their folder, which need not be read again.
    """
    known = known or {}
    found = [known.get(path.parent) or Job.read(path.parent) for path in folder.glob(f"*/{JOB}")]
    return sorted((job for job in found if job is not None), key=lambda job: (job.trial.number, job.seed))
