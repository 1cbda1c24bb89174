"""Rosenblatt: a PyTorch Lightning + Hydra project template whose example is a complete classifier."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rosenblatt.saved.model import SavedModel

__version__ = "0.3.0"


def load(run: str | os.PathLike[str], classes: Iterable[Any] = ()) -> SavedModel:
    """Return the model of a run, ready to predict.

    Nothing that is in the folder is run, wherever it came from; neither Hydra nor the training data are needed::

        model = rosenblatt.load("logs/runs/2026-11-20_22-19-05-443446")
        model.predict(["a lovely film"])

    A folder never says what to import: a model of your own class is given with it, or its installed project has it
    among the entry points ``rosenblatt.models`` of its pyproject.toml::

        rosenblatt.load("logs/runs/2026-11-20_22-19-05-443446", classes=[Conv])

    Args:
        run: folder of a run, or its ``model/``.
        classes: that it may be made of, beside those of installed projects.

    Raises:
        UserError: there is none, or it is damaged, was made to do harm, or is of a class that is not known here.
    """
    from rosenblatt.saved.folder import read  # here, since `import rosenblatt` is quick and torch is not
    from rosenblatt.saved.known import given, installed
    from rosenblatt.saved.place import find

    return read(find(run), [given(classes), installed])


def train(*words: str) -> Path:
    """Train as ``python train.py WORD ...`` does, from Python; the folder of the run is returned.

    The current folder, or the one above it, is that of the project::

        run = rosenblatt.train("optimizer=sgd", "lr=0.1")
        model = rosenblatt.load(run)

    Figures are drawn by a process of their own, so a script calls this under ``if __name__ == "__main__":``.

    Args:
        words: settings, as on the command line. A sweep (``-m``) has the command line alone.

    Raises:
        UserError: whatever of settings or data can't be used.
        KeyboardInterrupt: after Ctrl-C, once the best model so far is evaluated and saved.
    """
    from rosenblatt.commands.notebook import train_here  # here, since `import rosenblatt` is quick

    return train_here([*words])
