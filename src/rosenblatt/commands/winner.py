"""The best setting of a sweep: measured on test, once, and the command that repeats it."""

from __future__ import annotations

import io
import shlex
import statistics
from contextlib import redirect_stdout
from pathlib import Path

from omegaconf import OmegaConf
from rich.console import Console
from rich.text import Text

from rosenblatt.cli.schema import checked
from rosenblatt.cli.space import Words, is_of_sweep
from rosenblatt.cli.values import plain
from rosenblatt.errors import UserError
from rosenblatt.run.folder import RunFolder, as_json
from rosenblatt.run.whole import write_whole
from rosenblatt.sweeps.dimensions import Trial, plain_key
from rosenblatt.sweeps.folder import WINNER
from rosenblatt.sweeps.leaderboard import Row


def measure_winner(path: Path, row: Row, words: Words) -> None:
    """Evaluate the runs of the best setting on test, and write ``winner.json``; not again what has been already."""
    from rosenblatt.commands.evaluate import evaluate  # Lightning takes its time

    values: dict[str, list[float]] = {}
    for name in row.folders:
        if "test" not in (RunFolder(path / name).read_json("data.json") or {}):
            continue  # there is no test split
        found = RunFolder(path / name).read_json("evaluation.json")
        if found is None:
            settings = plain(checked(OmegaConf.create({"run": str(path / name)}), "evaluate"))
            try:
                with redirect_stdout(io.StringIO()):
                    found = evaluate(settings)
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
        "setting": {plain_key(key): value for key, value in row.trial.setting.items()},
        "command": repeated(words, row.trial, len(row.folders)),
        "validation": {name: row.means[name] for name in row.means if name.startswith("val/")},
        "test": test,
    }
    write_whole(path / WINNER, as_json(content).encode())


def repeated(words: Words, trial: Trial, num_seeds: int) -> str:
    """Return the command that trains a setting by itself."""
    fixed = [word.removeprefix("++") for word in words.fixed if not is_of_sweep(word)]
    varied = [f"{plain_key(key)}={value}" for key, value in trial.setting.items()]
    seeds = [f"sweep.seeds={num_seeds}"] if num_seeds > 1 else []
    return shlex.join(["python", "train.py", *(["-m"] if seeds else []), *fixed, *varied, *seeds])
