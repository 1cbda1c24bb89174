"""What a sweep tells at its end: the leaderboard, its winner, measured on test, a picture and a page."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from rosenblatt.errors import UserError
from rosenblatt.run.folder import RunFolder, as_json, shown_path
from rosenblatt.run.whole import write_whole
from rosenblatt.sweeps.dimensions import Trial
from rosenblatt.sweeps.folder import WINNER, SweepFolder
from rosenblatt.sweeps.jobs import Job, Outcome
from rosenblatt.sweeps.leaderboard import Board, Row, leaderboard_table
from rosenblatt.sweeps.plan import Plan
from rosenblatt.sweeps.settings import Settings


class Report:
    """Tells of a sweep, and measures its winner.

    Args:
        folder: of the sweep.
        settings: of the sweep.
        plan: of the sweep.
        fixed: words that all jobs have in common, as they are typed.
        command: of the sweep, as it is typed.
        evaluate: measures the run in a folder on test; returns its metrics.
    """

    def __init__(
        self,
        folder: SweepFolder,
        settings: Settings,
        plan: Plan,
        fixed: Sequence[str],
        command: str,
        evaluate: Callable[[Path], Mapping[str, Any]],
    ) -> None:
        self.folder = folder
        self.path = folder.path
        self.objectives = settings.objectives
        self.max_failures = settings.max_failures
        self.plan = plan
        self.fixed = fixed
        self.command = command
        self.evaluate = evaluate

    def tell(self, seconds: float, with_figures: bool) -> bool:
        """Print the leaderboard, and measure the winner once all trials have ended.

        Args:
            seconds: that the sweep has taken.
            with_figures: whether to write a picture and a page.

        Returns:
            Whether no more jobs have failed than may.
        """
        console, board = Console(), Board(self.path, self.objectives)
        num_left = self.plan.num_left()
        rows = board.write()
        if num_left == 0 and rows and rows[0].rank == 1 and self.plan.is_best(rows[0].trial.number):
            with self.folder.lock():
                self._measure_winner(rows[0])
            rows = board.write()
        every = board.look()
        failed = [(job, one) for job, one in every if one.state == "failed"]
        if num_left == 0 and rows and with_figures:
            self._write_page(rows, failed)
        console.print()
        if rows:
            console.print(leaderboard_table(rows, self.objectives, console.width))
        else:
            console.print("No job has run in this folder: all trials have ended, or are taken, elsewhere.")
        for job, one in failed:
            console.print(Text(f"failed: {job.words or job.folder.name}: {one.reason}"), soft_wrap=True)
            file = job.folder / "train.log"
            console.print(Text(f"        {shown_path(file if file.exists() else job.folder)}"), soft_wrap=True)
        for word, note in self._notes(rows, num_left, seconds):
            console.print(Text(f"{word:<12}{note}"), soft_wrap=True)
        most = len(every) - 1 if self.max_failures is None else self.max_failures
        return not failed or len(failed) <= most

    def _measure_winner(self, row: Row) -> None:
        """Evaluate the runs of the best setting on test, and write ``winner.json``; not again what has been already."""
        values: dict[str, list[float]] = {}
        for name in row.folders:
            run = RunFolder(self.path / name)
            if "test" not in (run.read_json("data.json") or {}):
                continue  # there is no test split
            try:
                found = run.read_json("evaluation.json") or self.evaluate(run.path)
            except UserError as error:
                Console(stderr=True).print(Text(f"The winner can't be measured on test: {error}"), soft_wrap=True)
                return
            for key, value in found.items():
                if key.startswith("test/") and isinstance(value, float):
                    values.setdefault(key, []).append(value)
        main = {key: found for key, found in values.items() if not key.endswith(("_low", "_high"))}
        test = {key: statistics.fmean(found) for key, found in (values if len(row.folders) == 1 else main).items()}
        test |= {f"{key} spread": statistics.stdev(found) for key, found in main.items() if len(found) > 1}
        content = {
            "folders": row.folders,
            "setting": row.trial.setting,
            "command": self._repeated(row.trial, len(row.folders)),
            "validation": {name: row.means[name] for name in row.means if name.startswith("val/")},
            "test": test,
        }
        write_whole(self.path / WINNER, as_json(content).encode())

    def _repeated(self, trial: Trial, num_seeds: int) -> str:
        """Return the command that trains a setting by itself."""
        words = [*self.fixed, *(f"{key}={value}" for key, value in trial.setting.items())]
        if num_seeds > 1:
            words = ["-m", *words, f"sweep.seeds={num_seeds}"]
        return shlex.join(["python", "train.py", *words])

    def _write_page(self, rows: Sequence[Row], failed: Sequence[tuple[Job, Outcome]]) -> None:
        from rosenblatt.sweeps.page import draw_overview, sweep_page  # matplotlib takes its time

        commands = [("The whole sweep; what is done already is not done again", self.command)]
        if rows[0].rank == 1:
            commands.insert(0, ("The best setting", self._repeated(rows[0].trial, len(rows[0].folders))))
        svg = draw_overview(rows, self.objectives, self.plan.importances(), self.path)
        failures = [(job.words or job.folder.name, one.reason) for job, one in failed]
        content = sweep_page(self.path.name, rows, self.objectives, svg, failures, commands)
        write_whole(self.path / "report.html", content.encode())

    def _notes(self, rows: Sequence[Row], num_left: int, seconds: float) -> list[tuple[str, str]]:
        notes = []
        best = rows[0] if rows and rows[0].rank == 1 else None
        if best is not None:
            first, *others = self.objectives
            by = f" (by {first}, of those that none beats)" if others else ""
            notes.append(("best", (best.trial.words or best.folders[0]) + by))
            if best.test:
                names = [name for name in best.test if f"{name}_low" in best.test or f"{name} spread" in best.test]
                notes.append(("on test", ", ".join(_with_interval(name, best.test) for name in names[:4])))
            notes.append(("repeat", self._repeated(best.trial, len(best.folders))))
        if num_left:
            trials = "1 trial" if num_left == 1 else f"{num_left} trials"
            notes.append(("left", f"{trials}, which other processes run; the last one to end measures the winner"))
        notes.append(("time", f"{seconds:.1f} s"))
        files = [name for name in ("report.html", "leaderboard.csv", "overview.png") if (self.path / name).exists()]
        notes.append(("folder", ": ".join([shown_path(self.path), *([", ".join(files)] if files else [])])))
        notes.append(("next", f"tensorboard --logdir {shown_path(self.path)}"))
        return notes


def _with_interval(name: str, test: Mapping[str, float]) -> str:
    value = f"{name.removeprefix('test/')} {test[name]:.4f}"
    if f"{name}_low" in test:
        return f"{value} ({test[f'{name}_low']:.4f} to {test[f'{name}_high']:.4f})"
    return f"{value} ± {test[f'{name} spread']:.4f}"
