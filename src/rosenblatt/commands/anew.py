"""A run built anew from what it was started with: for data and modules that are not in its model folder."""

from __future__ import annotations

import logging
from pathlib import Path

import lightning.pytorch as pl
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from rosenblatt.cli.project import loader
from rosenblatt.cli.schema import checked, opened
from rosenblatt.cli.words import earlier_words
from rosenblatt.commands.parts import Parts, make_parts
from rosenblatt.commands.resume import refuse_foreign_code
from rosenblatt.data.contract import differences, digests_of
from rosenblatt.errors import UserError
from rosenblatt.loop.random_state import random_state, set_random_state
from rosenblatt.run.folder import RunFolder
from rosenblatt.saved.model import SavedModel
from rosenblatt.saved.place import run_of

log = logging.getLogger(__name__)


def built_anew(folder: Path, saved: SavedModel) -> Parts:
    """Build data, model, task and module of a run as they were, with the weights of its model folder.

    Nothing of ``config.yaml`` is called: settings are composed from the project's ``configs/`` and the words that the
    run was started with, under the checks that ``resume=`` has.

    Raises:
        UserError: the words are not there, or name code that is not the project's; data or weights are others.
    """
    run = run_of(folder)
    if not (run / "overrides.yaml").is_file():
        rows = "" if saved.encoder is None else " Or give it rows: data.test=FILE, input=FILE."
        raise UserError(
            f"run={run}: its data are built anew from what the run was started with, and there is no overrides.yaml. "
            f"Give the folder of the run, not a copy of its model/ alone.{rows}"
        )
    config = _composed(run)
    pl.seed_everything(config.seed, verbose=False)
    parts = make_parts(config)
    state = random_state()
    parts.data.prepare_data()
    parts.data.setup("fit")
    set_random_state(state)  # as training measures: whoever draws splits in setup draws the same
    before, now = RunFolder(run).read_json("data.json"), digests_of(parts.data)
    if before is not None and now and (changed := differences(before, now)):
        raise UserError(f"run={run}: the data are not those that the run was started with: {'; '.join(changed)}.")
    try:
        parts.module.load_state_dict(saved.state)
    except RuntimeError as error:
        raise UserError(
            f"run={run}: its weights are not those of the module that its settings make. Are configs/ and your "
            "code as they were?"
        ) from error
    return parts


def _composed(run: Path) -> DictConfig:
    words = earlier_words(run, f"run={run}")
    every = loader().load_configuration("train", [opened(word, "train") for word in words], RunMode.RUN)
    config = OmegaConf.masked_copy(every, [str(key) for key in every if key not in ("hydra", "logger")])
    OmegaConf.set_struct(config, False)
    config.logger = {}  # of no use here, and it may lead into the run folder
    config = checked(config, "train")
    refuse_foreign_code(config, f"run={run}", [])
    return config
