"""The folder of a run: a new one, or that of a run to go on with, as long as settings and data are still the same."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.model_helpers import is_overridden
from omegaconf import DictConfig, OmegaConf, open_dict

from rosenblatt.cli.project import foreign
from rosenblatt.cli.values import OF_THIS_CALL, changes, plain
from rosenblatt.cli.words import typed
from rosenblatt.data.contract import differences, digests_of
from rosenblatt.errors import UserError, own_words
from rosenblatt.loop.checkpoints import Checkpoints, newest, read
from rosenblatt.loop.history import cut_history
from rosenblatt.run.folder import RunFolder, as_json

log = logging.getLogger(__name__)


def open_run(config: DictConfig, own: bool) -> RunFolder:
    """Make the folder of a new run, or open that of the one to go on with.

    Args:
        config: the settings.
        own: whether all of them were typed, as in a sweep, and none was read from the folder.
    """
    hydra = HydraConfig.get()
    if config.resume is not None and not own:
        refuse_foreign_code(config, f"resume={config.resume}", typed)
    if not _is_first():
        return RunFolder(hydra.runtime.output_dir)
    settings = config.copy()
    settings.resume, settings.resume_anyway = None, False  # of this call, not of the run
    with open_dict(settings):
        del settings["sweep"]
    overrides = [word.removeprefix("++") for word in hydra.overrides.task]  # see `schema.opened`
    overrides = [word for word in overrides if re.split(r"[.=]", word)[0] not in OF_THIS_CALL]
    content = plain(settings) | {"logger": OmegaConf.to_container(config.logger, resolve=False)}  # no path of a machine
    texts = OmegaConf.to_yaml(OmegaConf.create(content)), OmegaConf.to_yaml(overrides)
    if config.resume is None:
        return RunFolder.create(hydra.runtime.output_dir, *texts)
    run = RunFolder(hydra.runtime.output_dir)
    changed = changes(run.path / "config.yaml", config)
    _refuse("the settings are", changed, config)
    if any(line.startswith(("optimizer._target_ ", "scheduler._target_ ")) for line in changed):
        raise UserError(
            f"resume={config.resume}: its optimizer or schedule is another than the settings make; what it has come to "
            "can't be taken over. Start a new run."
        )
    if changed:
        run.planned |= {"config.yaml": texts[0], "overrides.yaml": texts[1]}
    run.lock()
    return run


def refuse_foreign_code(config: DictConfig, of: str, typed: list[str]) -> None:
    """Raise a `UserError` if settings that a run folder brought with it name code that this project's do not.

    Whatever ``_target_`` says is called; the folder may be somebody else's.
    """
    found = foreign(plain(config), typed)
    if found is not None:
        remedy = "give the argument that does on the command line" if typed else "name it in one"
        raise UserError(
            f"{of}: the arguments in its overrides.yaml would call {found!r}, which no file of configs/ names for "
            f"that. If the run is yours, {remedy}."
        )


def same_data(run: RunFolder, data: pl.LightningDataModule, config: DictConfig) -> dict[str, Any]:
    """Return the digests of the data, once they are known to be those that the run was started with; empty: unknown.

    Raises:
        UserError: they are others.
    """
    digests = digests_of(data)
    if config.resume:
        if (before := run.read_json("data.json")) is not None:
            _refuse("the data are", differences(before, digests), config)
        if before != digests:
            run.planned["data.json"] = as_json(digests)
    elif _is_first():
        run.write_json("data.json", digests)
    return digests


def _refuse(what: str, lines: list[str], config: DictConfig) -> None:
    """Raise a `UserError` for what has changed, or warn where the user has said that it does not matter."""
    if not lines:
        return
    told = "; ".join(lines[:5]) + (f"; and {len(lines) - 5} more" if len(lines) > 5 else "")
    if not config.resume_anyway:
        raise UserError(
            f"resume={config.resume}: {what} not those that the run was started with: {told}. Go on with what it was, "
            "or say resume_anyway=true; the result is then one of both."
        )
    log.warning("%s not those that the run was started with: %s.", what, told)


def _is_first() -> bool:
    """Return whether this is the first of several processes that train one model, which writes for all."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)


def last_checkpoint(run: RunFolder, module: pl.LightningModule, loggers: list[Logger]) -> str | None:
    """Return the checkpoint to go on from, ``None``: from the start, and take the folder back to that moment.

    Raises:
        UserError: no checkpoint is whole, or it is one of another model.
    """
    path, history = newest(run.checkpoints), {}
    if path is None:
        log.info("There is no checkpoint yet: %s starts from the beginning.", run.shown)
    else:
        checkpoint = read(path)
        try:
            _check_state(checkpoint, module, path)
            state = checkpoint["callbacks"][Checkpoints.__name__]
            history, has_best = dict(state["history"]), state["best_score"] is not None
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: it is no checkpoint of this program. Start a new run.") from error
        if has_best:
            _check_best(run.checkpoints / "best.ckpt", checkpoint)
        log.info(
            "Going on with %s from step %s, in epoch %s.", run.shown, f"{checkpoint['global_step']:,}",
            checkpoint["epoch"] + 1,
        )  # fmt: skip
    if _is_first():
        for name, content in run.planned.items():
            run.write(name, content)
        for name in ("metrics.json", "evaluation.json", "report.html"):  # of a model that is trained on
            (run.path / name).unlink(missing_ok=True)
        for folder in (run.model, run.path / "export", run.path / "figures"):
            shutil.rmtree(folder, ignore_errors=True)
        cut_history(loggers, run.path, history)
    return None if path is None else str(path)


def _check_state(checkpoint: dict[str, Any], module: pl.LightningModule, path: Path) -> None:
    """Raise a `UserError` for weights that could not be taken; `Checkpoints` sees to the optimizer."""
    ours = {name: tuple(one.shape) for name, one in module.state_dict().items()}
    theirs = {name: tuple(one.shape) for name, one in checkpoint["state_dict"].items()}
    if theirs != ours and not is_overridden("configure_model", module):  # which makes it later
        raise UserError(f"{path}: its weights are those of another model than the settings make. Start a new run.")


def _check_best(path: Path, last: dict[str, Any]) -> None:
    """Raise a `UserError` unless the best weights so far are there: better now than at the end of training."""
    try:
        best = read(path)
        shapes = [{name: one.shape for name, one in part["state_dict"].items()} for part in (best, last)]
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        why = own_words(error, "it can't be read")
        raise UserError(f"{path}: the best weights of this run so far are lost: {why}. Start a new run.") from error
    if shapes[0] != shapes[1]:
        raise UserError(f"{path}: these are weights of another run. Start a new run.")


class SettingsOfNow(pl.Callback):
    """Lets a run go on with the optimizer's arguments and the patience of now, where a checkpoint holds others.

    The learning rate stays where its schedule has come, in proportion.
    """

    def __init__(self, lr_before: float) -> None:
        self.lr_before = lr_before

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Put the patience into the checkpoint, and keep hold of it until there are optimizers."""
        self.checkpoint = checkpoint
        for early in trainer.early_stopping_callbacks:
            state = checkpoint["callbacks"].get(early.state_key)
            if isinstance(early, EarlyStopping) and state is not None and state["patience"] != early.patience:
                state |= {"patience": early.patience, "stopping_reason": EarlyStoppingReason.NOT_STOPPED.value}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the optimizers' arguments into the checkpoint, which Lightning is about to take them from."""
        factors: dict[int, list[float]] = {}
        for optimizer, state in zip(trainer.optimizers, self.checkpoint["optimizer_states"], strict=True):
            factors[id(optimizer)] = []
            for now, then in zip(optimizer.param_groups, state["param_groups"], strict=True):
                first = now.get("initial_lr", now["lr"])  # a schedule may have a warm-up
                factor = first / then.get("initial_lr", self.lr_before)
                rates = {"lr": then["lr"] * factor} | ({"initial_lr": first} if "initial_lr" in then else {})
                then |= {name: value for name, value in now.items() if name != "params"} | rates
                factors[id(optimizer)].append(factor)
        for config, schedule in zip(trainer.lr_scheduler_configs, self.checkpoint["lr_schedulers"], strict=False):
            for name in schedule.keys() & {"base_lrs", "_last_lr"}:
                pairs = zip(schedule[name], factors[id(config.scheduler.optimizer)], strict=True)
                schedule[name] = [rate * factor for rate, factor in pairs]
        del self.checkpoint
