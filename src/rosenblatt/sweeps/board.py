"""The leaderboard of a sweep's folder, as far as its jobs have come."""

from __future__ import annotations

from pathlib import Path

from rosenblatt.run.folder import RunFolder
from rosenblatt.run.whole import write_whole
from rosenblatt.sweeps.folder import WINNER
from rosenblatt.sweeps.jobs import Job, Outcome, jobs_in, outcome
from rosenblatt.sweeps.leaderboard import Row, as_csv, ranked, row_of, table_of


class Board:
    """The leaderboard of a sweep's folder.

    Args:
        path: of the folder.
        objectives: metrics by which it is ordered.
    """

    def __init__(self, path: Path, objectives: list[str]) -> None:
        self.path = path
        self.objectives = objectives
        self._known: dict[Path, Job] = {}
        self._ended: dict[Path, Outcome] = {}

    def look(self) -> list[tuple[Job, Outcome]]:
        """Return all jobs that have been begun, and what has become of each."""
        found = []
        for job in jobs_in(self.path, self._known):
            self._known[job.folder] = job
            one = self._ended.get(job.folder) or outcome(job, self.objectives)
            if one.ended:
                self._ended[job.folder] = one
            found.append((job, one))
        return found

    def rows(self) -> list[Row]:
        """Return all trials that have been begun, from the best to the worst."""
        trials: dict[int, list[tuple[Job, Outcome]]] = {}
        for job, one in self.look():
            trials.setdefault(job.trial.number, []).append((job, one))
        rows = ranked([row_of(found) for found in trials.values()], self.objectives)
        winner = RunFolder(self.path).read_json(WINNER) or {}
        for row in rows:
            if row.rank == 1 and row.folders == winner.get("folders"):
                row.test = winner["test"]
        return rows

    def write(self) -> list[Row]:
        """Write ``leaderboard.csv``, and return its rows."""
        rows = self.rows()
        write_whole(self.path / "leaderboard.csv", as_csv(table_of(rows, self.objectives)).encode())
        return rows
