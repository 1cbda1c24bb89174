"""Train a classifier, evaluate its best checkpoint, and leave a run folder: what ``python train.py`` does."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from typing import Any, get_args

import lightning.pytorch as pl
import torch
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from rosenblatt.callbacks import FiniteLoss, StopOnCtrlC, TrainingProgress
from rosenblatt.classifier import Classifier
from rosenblatt.commands.build import build, called, check_arguments
from rosenblatt.data.module import DataModule
from rosenblatt.errors import UserError, check_choice, listed, nearest
from rosenblatt.losses import ClassificationLoss
from rosenblatt.metrics import Result, majority_baseline
from rosenblatt.models import num_parameters
from rosenblatt.run import RunFolder
from rosenblatt.spec import DataSpec, Task
from rosenblatt.summary import as_text, per_class_table, summary

log = logging.getLogger(__name__)

SETTINGS = (
    "data", "model", "optimizer", "lr", "scheduler", "trainer", "loss", "early_stopping", "seed", "task",
)  # fmt: skip


def train(config: DictConfig) -> dict[str, Any]:
    """Run the whole story of one training run.

    Args:
        config: ``configs/train.yaml``, composed.

    Returns:
        The content of ``metrics.json``.

    Raises:
        UserError: whatever in data or settings can't be used.
        SystemExit: with status 130 after Ctrl-C, once the best model so far is evaluated and saved.
    """
    start = time.perf_counter()
    _silence_libraries()
    _check(config)
    run = _run_folder(config)
    pl.seed_everything(config.seed, verbose=False)

    data: DataModule = build("data", config.data)
    data.setup()
    classifier = make_classifier(config, data.spec)
    log.info(_described(data, classifier))
    trainer, best, stop = make_trainer(config, run)
    trainer.fit(classifier, datamodule=data)
    seconds_training = time.perf_counter() - start

    epochs, best_epoch, steps = trainer.current_epoch, trainer.current_epoch, trainer.global_step
    if best.best_model_path:  # there is none where Ctrl-C came before the first validation
        checkpoint = torch.load(best.best_model_path, weights_only=True, map_location="cpu")
        classifier.load_state_dict(checkpoint["state_dict"])
        best_epoch = checkpoint["epoch"] + 1
    results = {split: evaluate(trainer, classifier, data, split) for split in data.splits}
    last = list(results)[-1]
    last_target = data.splits[last][1]
    baseline = majority_baseline(data.spec, last_target, classifier.loss.cpu())

    metrics: dict[str, Any] = {}
    for split, result in results.items():
        metrics |= {f"{split}/{name}": value for name, value in result.values.items()}
    metrics |= {f"{last}/baseline_{name}": value for name, value in baseline.items()}
    scores = dict(metrics)
    metrics |= {"epochs": epochs, "best_epoch": best_epoch, "steps": steps, "interrupted": stop.pressed}
    metrics |= {"seconds": time.perf_counter() - start, "seconds_training": seconds_training}
    if trainer.is_global_zero:
        trainer.logger.log_hyperparams(_flat(config), scores)  # type: ignore[union-attr]
        trainer.logger.finalize("success")  # type: ignore[union-attr]
        if results[last].per_class:
            run.write("per_class.csv", per_class_table(data.spec, last_target, results[last]))
        run.write_json("metrics.json", metrics)  # last: a folder without it holds no result
        num_rows = {split: target.shape[0] for split, (_, target) in data.splits.items()}
        shown = summary(metrics, num_rows, _notes(run, metrics, trainer))
        Console().print(shown)
        logging.getLogger("rosenblatt_file").info("\n%s", as_text(shown))
    if stop.pressed:
        sys.exit(130)
    return metrics


def make_classifier(config: DictConfig, spec: DataSpec) -> Classifier:
    """Build model, loss, optimizer and schedule, and put them together."""
    sizes = {"num_features": spec.num_features, "num_outputs": spec.num_outputs, "bags": spec.bags}
    classifier = Classifier(
        build("model", config.model, **sizes),
        spec,
        ClassificationLoss(spec, **OmegaConf.to_container(config.loss)),  # type: ignore[arg-type]
        build("optimizer", config.optimizer),
        build("scheduler", config.scheduler) if config.scheduler else None,
        monitor=config.early_stopping.monitor,
    )
    # Made once for nothing, so that a wrong setting is told before training is set up.
    optimizer = called("optimizer", classifier.make_optimizer, classifier.model.parameters())
    if classifier.make_scheduler is not None:
        called("scheduler", classifier.make_scheduler, optimizer)
    names = [f"val/{name}" for name in classifier.val_metrics.names]
    check_choice("early_stopping.monitor", config.early_stopping.monitor, names)
    return classifier


def make_trainer(config: DictConfig, run: RunFolder) -> tuple[pl.Trainer, ModelCheckpoint, StopOnCtrlC]:
    """Build the Trainer, with the callbacks that every run has."""
    stop = StopOnCtrlC()
    best = ModelCheckpoint(
        run.checkpoints,
        filename="best",
        monitor=config.early_stopping.monitor,
        mode=config.early_stopping.mode,
        save_last=True,
        enable_version_counter=False,
    )
    early = EarlyStopping(**config.early_stopping, check_finite=False)
    # FiniteLoss is first: a loss that is no number must not reach the two that compare it.
    callbacks = [FiniteLoss(), early, best, stop, TrainingProgress()]
    logger = TensorBoardLogger(run.path, name=None, version="tensorboard", default_hp_metric=False)
    folder = str(run.path)
    return build("trainer", config.trainer, logger=logger, callbacks=callbacks, default_root_dir=folder), best, stop


def evaluate(trainer: pl.Trainer, classifier: Classifier, data: DataModule, split: str) -> Result:
    """Return loss and metrics of a split; the Trainer sees to the device, eval mode and switched-off gradients."""
    trainer.test(classifier, dataloaders=data.batches(split), verbose=False)
    return classifier.test_result


def _check(config: DictConfig) -> None:
    """Check the settings that no class takes under their own name."""
    unknown = [str(key) for key in config if key not in SETTINGS]
    if unknown:
        raise UserError(f"{unknown[0]}: no such setting.{nearest(unknown[0], SETTINGS)} There are {listed(SETTINGS)}.")
    if not isinstance(config.lr, int | float) or isinstance(config.lr, bool) or not config.lr > 0:
        raise UserError(f"lr: expected a number above 0, such as lr=0.001; got {config.lr!r}.")
    if not isinstance(config.seed, int) or isinstance(config.seed, bool) or not 0 <= config.seed < 2**32:
        raise UserError(f"seed: expected a whole number from 0 to 4294967295; got {config.seed!r}.")
    if config.task is not None:
        check_choice("task", config.task, get_args(Task))
        if "task" not in config.data:
            log.warning("task=%s is ignored: these data have a task of their own.", config.task)
    check_arguments("loss", ClassificationLoss, OmegaConf.to_container(config.loss))  # type: ignore[arg-type]
    check_arguments("early_stopping", EarlyStopping, OmegaConf.to_container(config.early_stopping))  # type: ignore[arg-type]


def _run_folder(config: DictConfig) -> RunFolder:
    hydra = HydraConfig.get()
    if (
        getattr(rank_zero_only, "rank", 0) != 0
    ):  # one of several processes that train one model; the first has made the folder
        return RunFolder(hydra.runtime.output_dir)
    settings, overrides = OmegaConf.to_yaml(config, resolve=True), OmegaConf.to_yaml(hydra.overrides.task)
    return RunFolder.create(hydra.runtime.output_dir, settings, overrides)


def _silence_libraries() -> None:
    """Hide what libraries say to people who write training loops, not to those who run this one."""
    warnings.filterwarnings("ignore", module=r"(lightning|torchmetrics|torch)\b")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _described(data: DataModule, classifier: Classifier) -> str:
    spec, model = data.spec, classifier.model
    rows = ", ".join(f"{split} {target.shape[0]:,}" for split, (_, target) in data.splits.items())
    return (
        f"{spec.task}, {len(spec.classes)} classes; rows: {rows}; {spec.num_features:,} features; "
        f"{type(model).__name__} with {num_parameters(model):,} parameters"
    )


def _flat(config: DictConfig) -> dict[str, Any]:
    """Return settings as ``data.batch_size``: value, for the HParams tab."""
    flat: dict[str, Any] = {}

    def walk(node: Any, prefix: str) -> None:
        for key, value in node.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{key}.")
            else:
                flat[f"{prefix}{key}"] = value if isinstance(value, int | float | str | bool) else str(value)

    walk(OmegaConf.to_container(config, resolve=True), "")
    return flat


def _notes(run: RunFolder, metrics: dict[str, Any], trainer: pl.Trainer) -> list[tuple[str, str]]:
    ended = "Ctrl-C" if metrics["interrupted"] else "no better since" if trainer.should_stop else "trainer.max_epochs"
    return [
        ("best epoch", f"{metrics['best_epoch']} of {metrics['epochs']} (ended by: {ended})"),
        ("time", f"{metrics['seconds']:.1f} s, of which training {metrics['seconds_training']:.1f} s"),
        ("run folder", run.shown),
        ("next", "tensorboard --logdir logs"),
        ("", "python train.py --help"),
    ]
