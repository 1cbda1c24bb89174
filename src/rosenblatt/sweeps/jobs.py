"""The jobs of a sweep: one setting with one seed each, in a run folder of its own, launched until it has ended."""

from __future__ import annotations

import math
import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from rosenblatt.errors import UserError, listed, nearest
from rosenblatt.run.folder import RunFolder
from rosenblatt.sweeps.dimensions import Trial

State: TypeAlias = Literal["open", "running", "cut off", "done", "pruned", "failed"]
SWEEP_PID = "ROSENBLATT_SWEEP_PID"  # in the environment of workers: the process that has started them
JOB = "job.json"  # in the run folder: which job it is
FAILURE = "failure.json"  # in the run folder: why there is no result
MISSING = "sweep.objective:"  # how the reason begins where a run does not report the objective
ATTEMPTS = 3  # at a job whose process dies
POLL = 0.2  # seconds between two looks at a job that another process runs


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Args:
        trial: the setting.
        seed: of the run.
        folder: of the run.
        state: what had become of it when it was looked at.
        metrics: the content of ``metrics.json``, where it has ended with a result.
        reason: why it has failed.
    """

    trial: Trial
    seed: int
    folder: Path
    state: State = "open"
    metrics: dict[str, Any] = field(default_factory=dict)
    reason: str = ""

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

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be done."""
        return self.state in ("done", "pruned", "failed")

    def look(self, objectives: Iterable[str]) -> Job:
        """Return the job with what has become of it, as its folder tells; an objective that is no number has failed."""
        metrics, failure = self.run.read_json("metrics.json"), self.run.read_json(FAILURE)
        if metrics is not None and not metrics.get("interrupted"):
            reason = next(filter(None, (_fault(metrics, name) for name in objectives)), "")
            state: State = "failed" if reason else "pruned" if metrics.get("pruned") else "done"
            return Job(self.trial, self.seed, self.folder, state, metrics, reason)
        if failure is not None:
            return Job(self.trial, self.seed, self.folder, "failed", reason=str(failure.get("reason", "")))
        begun: State = "cut off" if (self.folder / "config.yaml").exists() else "open"
        return Job(self.trial, self.seed, self.folder, "running" if self.run.locked else begun)

    def write(self, **more: Any) -> None:
        """Make the folder, and write which job it is of, and what it has to know besides, as JSON takes it."""
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


def _fault(metrics: Mapping[str, Any], name: str) -> str:
    """Return why an objective can't be used, or an empty string."""
    if name not in metrics:
        numbers = [one for one, value in metrics.items() if type(value) in (int, float)]
        names = sorted(numbers, key=lambda one: not one.startswith("val/"))
        return f"{MISSING} got {name!r}; a run reports {listed(names)}.{nearest(name, names)}"
    fine = isinstance(metrics[name], int | float) and math.isfinite(metrics[name])
    return "" if fine else f"{name} is no number: training ran to NaN, or can't be measured"


def jobs_of(folder: Path, trial: Trial, seeds: Sequence[int]) -> list[Job]:
    """Return the jobs of a trial in the folder of a sweep, one a seed."""
    several = len(seeds) > 1
    return [Job(trial, seed, folder / trial.folder_name(seed if several else None)) for seed in seeds]


def jobs_in(folder: Path, but: Collection[Path] = ()) -> list[Job]:
    """Return the jobs that have been begun in the folder of a sweep, but those in folders that are known already."""
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
        launch: runs some jobs; returns what it complained of, and whether that was their settings.

    Raises:
        UserError: no job can be started, or none can report the objective.
    """
    deaths: Counter[Path] = Counter()
    while left := [job for job in (job.look(objectives) for job in jobs) if not job.ended]:
        if any(job.state == "running" for job in left):  # by another process
            time.sleep(POLL)
            continue
        group = [job for job in left if deaths[job.folder]][:1] or left
        reason, is_setting = launch(group)
        now = [job.look(objectives) for job in group]
        _stop_if_hopeless(now, folder, objectives)
        for job in [job for job in now if job.state == "cut off"] or [job for job in now if job.state == "open"]:
            deaths[job.folder] += 1
            if len(group) > 1 or not (is_setting or deaths[job.folder] >= ATTEMPTS):
                continue
            if not is_setting and not any(folder.glob("*/config.yaml")):
                raise UserError(f"hydra/launcher: it can't start jobs: {reason}.")
            died = "" if is_setting else f"its process died {ATTEMPTS} times: "
            job.fail(died + (reason or "it left no result"))


def _stop_if_hopeless(jobs: Sequence[Job], folder: Path, objectives: Iterable[str]) -> None:
    """Stop where no job reports the objective; those that found it out before they trained leave no trace."""
    hopeless = [job for job in jobs if job.reason.startswith(MISSING)]
    if not hopeless or any(job.look(objectives).state in ("done", "pruned") for job in jobs_in(folder)):
        return
    for job in hopeless:
        if not job.metrics:
            shutil.rmtree(job.folder)
    trained = any(job.metrics for job in jobs)
    more = f" What was trained is in {folder}: take another sweep.name." if trained else ""
    raise UserError(hopeless[0].reason + more)
