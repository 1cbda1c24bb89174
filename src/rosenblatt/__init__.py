"""Rosenblatt: a PyTorch Lightning + Hydra project template whose example is a complete classifier."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rosenblatt.saved.model import SavedModel

__version__ = "0.1.0"


def load(run: str | os.PathLike[str]) -> SavedModel:
    """Return the model of a run, ready to predict.

    Nothing that is in the folder is run, wherever it came from; neither Hydra nor the training data are needed::

        model = rosenblatt.load("logs/runs/2026-11-20_22-19-05-443446")
        model.predict(["a lovely film"])

    Args:
        run: folder of a run, or its ``model/``.

    Raises:
        UserError: there is none, or it is damaged, or was made to do harm.
    """
    from rosenblatt.saved.folder import find, read  # here, since `import rosenblatt` is quick and torch is not

    return read(find(run))
