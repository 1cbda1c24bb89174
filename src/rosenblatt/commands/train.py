"""Train a classifier, evaluate its best checkpoint, and leave a run folder: what ``python train.py`` does."""

from __future__ import annotations

import csv
import io
import logging
import sys
import time
import warnings
from typing import Any

import lightning.pytorch as pl
import torch
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from rosenblatt.callbacks import FiniteLoss, StopOnCtrlC, TrainingProgress
from rosenblatt.classifier import Classifier
from rosenblatt.commands.build import build, check_arguments
from rosenblatt.data.module import DataModule
from rosenblatt.errors import UserError
from rosenblatt.losses import ClassificationLoss
from rosenblatt.metrics import Result, majority_baseline
from rosenblatt.models import num_parameters
from rosenblatt.run import RunFolder
from rosenblatt.spec import DataSpec, class_counts
from rosenblatt.summary import as_text, summary

log = logging.getLogger(__name__)


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
    run = RunFolder.create(
        HydraConfig.get().runtime.output_dir,
        OmegaConf.to_yaml(config, resolve=True),
        OmegaConf.to_yaml(HydraConfig.get().overrides.task),
    )
    pl.seed_everything(config.seed, verbose=False)

    data: DataModule = build("data", config.data)
    data.setup()
    spec = data.spec
    sizes = {"num_features": spec.num_features, "num_outputs": spec.num_outputs, "bags": spec.bags}
    model = build("model", config.model, **sizes)
    classifier = Classifier(
        model,
        spec,
        ClassificationLoss(spec, **OmegaConf.to_container(config.loss)),  # type: ignore[arg-type]
        build("optimizer", config.optimizer),
        build("scheduler", config.scheduler) if config.scheduler else None,
        monitor=config.early_stopping.monitor,
    )
    log.info(_described(data, model, spec))

    stop = StopOnCtrlC()
    best = ModelCheckpoint(
        run.checkpoints,
        filename="best",
        monitor=config.early_stopping.monitor,
        mode=config.early_stopping.mode,
        save_last=True,
        enable_version_counter=False,
    )
    # FiniteLoss is first: a loss that is no number must not reach the two that compare it.
    callbacks = [
        FiniteLoss(),
        EarlyStopping(**config.early_stopping, check_finite=False),
        best,
        stop,
        TrainingProgress(),
    ]
    logger = TensorBoardLogger(run.path, name=None, version="tensorboard", default_hp_metric=False)
    trainer: pl.Trainer = build(
        "trainer", config.trainer, logger=logger, callbacks=callbacks, default_root_dir=str(run.path)
    )
    trainer.fit(classifier, datamodule=data)
    seconds_training = time.perf_counter() - start

    epochs, best_epoch = trainer.current_epoch, trainer.current_epoch
    if best.best_model_path:  # there is none where Ctrl-C came before the first validation
        checkpoint = torch.load(best.best_model_path, weights_only=True, map_location="cpu")
        classifier.load_state_dict(checkpoint["state_dict"])
        best_epoch = checkpoint["epoch"] + 1
    results = {split: evaluate(trainer, classifier, data, split) for split in data.splits}
    last = list(results)[-1]
    baseline = majority_baseline(spec, data.splits[last][1], classifier.loss.cpu())

    metrics: dict[str, Any] = {}
    for split, result in results.items():
        metrics |= {f"{split}/{name}": value for name, value in result.values.items()}
    metrics |= {f"{last}/baseline_{name}": value for name, value in baseline.items()}
    metrics |= {"epochs": epochs, "best_epoch": best_epoch, "steps": trainer.global_step, "interrupted": stop.pressed}
    logger.log_hyperparams(_flat(config), {name: value for name, value in metrics.items() if "/" in name})
    logger.finalize("success")
    metrics |= {"seconds": time.perf_counter() - start, "seconds_training": seconds_training}
    if results[last].per_class:
        run.write("per_class.csv", _per_class(spec, data.splits[last][1], results[last]))
    run.write_json("metrics.json", metrics)  # last: a folder without it holds no result

    num_rows = {split: target.shape[0] for split, (_, target) in data.splits.items()}
    shown = summary(metrics, num_rows, _notes(run, metrics, trainer))
    if trainer.is_global_zero:
        Console().print(shown)
        logging.getLogger("rosenblatt_file").info("\n%s", as_text(shown))
    if stop.pressed:
        sys.exit(130)
    return metrics


def evaluate(trainer: pl.Trainer, classifier: Classifier, data: DataModule, split: str) -> Result:
    """Return loss and metrics of a split; the Trainer sees to the device, eval mode and switched-off gradients."""
    trainer.test(classifier, dataloaders=data.batches(split), verbose=False)
    return classifier.test_result


def _check(config: DictConfig) -> None:
    """Check the settings that no class takes under their own name."""
    if not isinstance(config.lr, int | float) or isinstance(config.lr, bool) or not config.lr > 0:
        raise UserError(f"lr: expected a number above 0, such as lr=0.001; got {config.lr!r}.")
    if not isinstance(config.seed, int) or isinstance(config.seed, bool) or not 0 <= config.seed < 2**32:
        raise UserError(f"seed: expected a whole number from 0 to 4294967295; got {config.seed!r}.")
    check_arguments("loss", ClassificationLoss, OmegaConf.to_container(config.loss))  # type: ignore[arg-type]
    check_arguments("early_stopping", EarlyStopping, OmegaConf.to_container(config.early_stopping))  # type: ignore[arg-type]


def _silence_libraries() -> None:
    """Hide what libraries say to people who write training loops, not to those who run this one."""
    warnings.filterwarnings("ignore", module=r"(lightning|torchmetrics|torch)\b")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _described(data: DataModule, model: torch.nn.Module, spec: DataSpec) -> str:
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


def _per_class(spec: DataSpec, target: torch.Tensor, result: Result) -> str:
    """Return a CSV table with a row a class."""
    counts = class_counts(target, len(spec.classes)).tolist()
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["class", "rows", *result.per_class])
    for i, name in enumerate(spec.classes):
        writer.writerow([name, counts[i], *(round(values[i], 6) for values in result.per_class.values())])
    return table.getvalue()


def _notes(run: RunFolder, metrics: dict[str, Any], trainer: pl.Trainer) -> list[tuple[str, str]]:
    ended = "Ctrl-C" if metrics["interrupted"] else "no better since" if trainer.should_stop else "trainer.max_epochs"
    return [
        ("best epoch", f"{metrics['best_epoch']} of {metrics['epochs']} (ended by: {ended})"),
        ("time", f"{metrics['seconds']:.1f} s, of which training {metrics['seconds_training']:.1f} s"),
        ("run folder", run.shown),
        ("next", "tensorboard --logdir logs"),
        ("", "python train.py --help"),
    ]
