"""Kill a sweep at random moments, start it again with the same command, and compare with one that nobody disturbed.

    python scripts/sweep_crash_test.py                       10 kills of a search of 30 trials
    python scripts/sweep_crash_test.py --kills 3 --workers 2

What must be the same, to the bit: settings and figures of each trial, and the winner. Each trial must be there once,
and no point of its TensorBoard history twice or missing. The exit status is 1 where anything differs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import optuna
from crash_test import ROOT, outcome

from rosenblatt.sweeps.study import storage_of


def main() -> None:
    """Run, kill, start again, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--workers", type=int, default=1, help="that the joblib launcher has; 1: the basic launcher")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.monotonic()
        finish(command("undisturbed", arguments), folder)
        length = time.monotonic() - start
        print(f"the undisturbed sweep took {length:.1f} s", flush=True)
        rng = random.Random(arguments.seed)
        for number in range(arguments.kills):
            moment = rng.uniform(0, length / arguments.kills)
            kill(command("killed", arguments), folder, moment)
            print(f"kill {number + 1} after {moment:.1f} s: {state_of(folder / 'logs/sweeps/killed')}", flush=True)
        finish(command("killed", arguments), folder)
        sys.exit(0 if equal(folder / "logs/sweeps", arguments.trials) else 1)


def command(name: str, arguments: argparse.Namespace) -> list[str]:
    """Return the arguments of a sweep."""
    words = [
        "-m", "sweep=optuna", f"sweep.trials={arguments.trials}", f"sweep.name={name}", "optimizer=adam,sgd,adagrad",
        "lr=tag(log,interval(1e-4,1))", "model=mlp", "model.dropout=interval(0,0.5)", "data=xor", "data.num_train=1000",
        "trainer.max_epochs=15", "checkpoint.every_n_steps=5",
    ]  # fmt: skip
    if arguments.workers > 1:
        words += ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={arguments.workers}"]
    return [sys.executable, str(ROOT / "train.py"), *words]


def finish(words: list[str], folder: Path) -> None:
    """Run to the end."""
    done = subprocess.run(words, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout}")


def kill(words: list[str], folder: Path, moment: float) -> None:
    """Start a sweep and kill it some time after a job has begun; its workers, if any, live on for a moment."""
    with (folder / "printed.txt").open("w") as file:
        logs, start = folder / "logs/sweeps/killed", time.time()
        process = subprocess.Popen(words, cwd=folder, stdout=file, stderr=subprocess.STDOUT)
        while process.poll() is None and not any(log.stat().st_mtime > start for log in logs.glob("*/train.log")):
            time.sleep(0.01)
        time.sleep(moment)
        process.kill()
        process.wait()


def state_of(sweep: Path) -> str:
    """Return how far a sweep has come, in words."""
    begun = len(list(sweep.glob("*/job.json")))
    return f"{begun} trials begun, {len(list(sweep.glob('*/metrics.json')))} with a result"


def trials_of(sweep: Path) -> dict[int, tuple[str, dict[str, Any], Any]]:
    """Return state, setting and value of each trial of the study."""
    study = optuna.load_study(study_name=sweep.name, storage=storage_of(sweep, None))
    return {one.number: (one.state.name, one.user_attrs["setting"], one.values) for one in study.trials}


def equal(sweeps: Path, num_trials: int) -> bool:
    """Compare the two sweeps, and print what differs."""
    found = {}
    for name in ("undisturbed", "killed"):
        runs = sorted((sweeps / name).glob("*/metrics.json"))
        winner = json.loads((sweeps / name / "winner.json").read_text())
        found[name] = {"winner": winner, "study": trials_of(sweeps / name)}
        found[name] |= {run.parent.name: outcome(run.parent) for run in runs}
        finished = sum(state == "COMPLETE" for state, _, _ in found[name]["study"].values())
        print(f"{name}: {len(runs)} runs with a result, {finished} finished trials; {winner['setting']}")
        if not len(runs) == finished == len(found[name]["study"]) == num_trials:
            return False
    one, other = found.values()
    different = [key for key in one if one[key] != other.get(key)] + [*(other.keys() - one.keys())]
    print("equal" if not different else f"DIFFERENT: {different}")
    return not different


if __name__ == "__main__":
    main()
