"""Where the model folder of a run is; it is looked for before torch is imported."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from rosenblatt.errors import UserError, nearest
from rosenblatt.saved.refusal import refusing

JSON = "model.json"


def find(run: str | os.PathLike[str]) -> Path:
    """Return the model folder of a run, or the one that is given itself.

    Raises:
        UserError: there is none.
    """
    path = Path(os.path.expanduser(run))
    if (path / JSON).exists():
        return path if path.name not in ("", "..") else path.resolve()
    if (path / "model").is_dir():
        with refusing(path / "model"):
            if (path / "model").is_symlink():
                raise ValueError("it is a link, which leads out of the run")
        return path / "model"
    with suppress(OSError, ValueError, KeyError, TypeError, IndexError):  # of what is no such file
        best = json.loads((path / "winner.json").read_text(encoding="utf-8"))["folders"][0]
        raise UserError(f"run={run}: this is a sweep. Take one of its runs; the best is run={path / best}")
    if (path / "config.yaml").exists():
        begun = any((path / "checkpoints").glob("*.ckpt"))
        way = f"Go on: python train.py resume={run}" if begun else "Its train.log says why; train anew."
        raise UserError(f"run={run}: this run has no model{' yet' if begun else ''}: its training has not ended. {way}")
    runs = [str(found.parent) for found in Path("logs/runs").glob("*/model")]
    hint = nearest(str(run), runs) or (f" The newest is {max(runs, key=os.path.getmtime)!r}." if runs else "")
    raise UserError(f"run={run}: expected the folder of a run, or its model/; there is none.{hint}")


def run_of(folder: Path) -> Path:
    """Return the run that a model folder is of, or the folder itself where it stands alone."""
    return folder.parent if folder.name == "model" else folder
