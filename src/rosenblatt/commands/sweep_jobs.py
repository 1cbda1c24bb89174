"""The jobs of a sweep, handed to Hydra's launcher until each has ended."""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections import Counter
from pathlib import Path

from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from omegaconf.errors import OmegaConfBaseException

from rosenblatt.cli import launch
from rosenblatt.cli.messages import explained
from rosenblatt.cli.space import Words, is_space
from rosenblatt.cli.words import in_quotes
from rosenblatt.commands.sweep_settings import Settings
from rosenblatt.errors import UserError
from rosenblatt.sweeps.jobs import Job, jobs_in, outcome

log = logging.getLogger(__name__)

ATTEMPTS = 3  # at a job whose process dies
POLL = 0.2  # seconds between two looks at a job that another process runs


class Jobs:
    """Runs jobs until each has ended.

    Args:
        launcher: Hydra's.
        words: of the command.
        folder: of the sweep.
        settings: of the sweep.
        in_process: whether the launcher runs jobs in this process.
    """

    def __init__(self, launcher: Launcher, words: Words, folder: Path, settings: Settings, in_process: bool) -> None:
        self.launcher = launcher
        self.words = words
        self.folder = folder
        self.settings = settings
        self.in_process = in_process

    def finish(self, jobs: list[Job]) -> None:
        """Run all jobs that have not ended.

        Where a process dies, launchers lose what runs beside it, too. So all that were cut off go on one by one, which
        shows which one it is; the others follow together.

        Raises:
            UserError: the launcher can't start, or no job can report the objective.
        """
        deaths: Counter[Path] = Counter()
        while left := self._left(jobs):
            suspects = [job for job in left if deaths[job.folder]]
            group = suspects[:1] or left
            reason, is_setting = self._launch(group)
            self._stop_if_hopeless(group)
            states = {job.folder: outcome(job, self.settings.objectives).state for job in group}
            begun = [job for job in group if states[job.folder] == "cut off"]
            for job in begun or [job for job in group if states[job.folder] == "open"]:
                deaths[job.folder] += 1
                if len(group) == 1 and deaths[job.folder] >= ATTEMPTS and not any(self.folder.glob("*/config.yaml")):
                    for one in jobs:
                        shutil.rmtree(one.folder, ignore_errors=True)
                    raise UserError(f"hydra/launcher: it can't start jobs: {reason}.")
                if len(group) == 1 and (is_setting or deaths[job.folder] >= ATTEMPTS):
                    died = "" if is_setting else f"its process died {ATTEMPTS} times: "
                    job.fail(died + (reason or "it left no result"))

    def _stop_if_hopeless(self, jobs: list[Job]) -> None:
        """Stop where no job can report the objective, and leave no trace of those that have found out."""
        told = [(job, outcome(job, self.settings.objectives).reason) for job in jobs]
        hopeless = [(job, reason) for job, reason in told if reason.startswith("sweep.objective:")]
        if hopeless and not list(self.folder.glob("*/metrics.json")):
            for job, _ in hopeless:
                shutil.rmtree(job.folder)
            if not jobs_in(self.folder):
                shutil.rmtree(self.folder)
            raise UserError(hopeless[0][1])

    def _left(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs that have not ended, once nobody else runs one of them."""
        while any(outcome(job, self.settings.objectives).state == "running" for job in jobs):
            time.sleep(POLL)
        return [job for job in jobs if not outcome(job, self.settings.objectives).ended]

    def _launch(self, jobs: list[Job]) -> tuple[str, bool]:
        """Run some jobs.

        Returns:
            What the launcher complained of, and whether that was their settings.
        """
        for job in jobs:
            job.write(sweep=self.settings.for_jobs)
        try:
            self.launcher.launch([self._words(job) for job in jobs], initial_job_idx=jobs[0].trial.number)
        except (HydraException, OmegaConfBaseException) as error:  # settings that do not go together
            return explained(error, "train") or str(error), True
        except SystemExit:  # joblib brings back that of a worker, which somebody else has ended
            if self.in_process or launch.terminated:
                raise
            return "it was ended by a signal", False
        except Exception as error:  # of joblib or submitit, of which there are many
            log.debug("launcher", exc_info=True)
            if type(error).__module__.startswith("yaml."):  # of a file that no job can do without
                raise
            reason = re.split(r"\n|(?<=\w)\.(?=\s|$)", str(error).strip())[0] or type(error).__name__
            return reason, False
        return "", False

    def _words(self, job: Job) -> list[str]:
        """Return the words that a job is run with, its place, and that its lines go to its log alone."""
        words = [word for word in self.words.fixed if not is_space(word)]
        words += [f"{key}={value}" for key, value in job.trial.setting.items()]
        if len(self.settings.seeds) > 1:
            words.append(f"seed={job.seed}")
        if (job.folder / "config.yaml").exists():
            words.append(f"resume={in_quotes(job.folder)}")
        return [
            *words,
            f"hydra.sweep.dir={in_quotes(job.folder.parent)}",
            f"hydra.sweep.subdir={in_quotes(job.folder.name)}",
            "hydra.job_logging.root.handlers=[file]",
        ]
