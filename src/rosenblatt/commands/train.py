"""Train a classifier, evaluate its best checkpoint, and leave a run folder: what ``python train.py`` does."""

from __future__ import annotations

import logging
import signal
import sys
import time
import warnings
from typing import Any

import lightning.pytorch as pl
import torch
import torch.utils.tensorboard  # Lightning would in the middle of fit
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from rosenblatt.callbacks import StopOnCtrlC, TrainingProgress, without_idle_hooks
from rosenblatt.classifier import Classifier
from rosenblatt.commands.build import build, called
from rosenblatt.commands.settings import check, flat, plain
from rosenblatt.data.module import DataModule
from rosenblatt.errors import check_choice
from rosenblatt.losses import ClassificationLoss
from rosenblatt.metrics import Result, majority_baseline
from rosenblatt.models import num_parameters
from rosenblatt.run import RunFolder
from rosenblatt.spec import DataSpec
from rosenblatt.summary import as_text, per_class_table, summary

log = logging.getLogger(__name__)
ALL_THREADS = torch.get_num_threads()  # one for each core, or as OMP_NUM_THREADS says
SMALL_MODEL = 1_000_000  # weights; below, threads bring nothing, and wait for each other as soon as a core is busy


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
    check(config)
    run = _run_folder(config)
    pl.seed_everything(config.seed, verbose=False)

    data: DataModule = build("data", config.data)
    start_of_setup = time.perf_counter()
    data.setup()
    seconds_encoding = time.perf_counter() - start_of_setup
    classifier = make_classifier(config, data.spec)
    torch.set_num_threads(config.threads or (1 if num_parameters(classifier.model) < SMALL_MODEL else ALL_THREADS))
    log.info(_described(data, classifier))

    callbacks = make_callbacks(config, run)
    logger = TensorBoardLogger(run.path, name=None, version="tensorboard", default_hp_metric=False)
    shared = {"logger": logger, "callbacks": callbacks, "default_root_dir": str(run.path)}
    trainer: pl.Trainer = build("trainer", config.trainer, **shared)
    start_of_fit = time.perf_counter()
    without_idle_hooks(classifier)
    trainer.fit(classifier, datamodule=data)
    seconds_training = time.perf_counter() - start_of_fit
    signal_number = next((one.signal_number for one in callbacks if isinstance(one, StopOnCtrlC)), None)
    ended_by, epochs, steps = _ended_by(trainer, signal_number), trainer.current_epoch, trainer.global_step

    best_epoch = load_best(trainer, classifier, run)
    results = {split: evaluate(trainer, classifier, data, split) for split in data.splits}
    last = list(results)[-1]
    last_target = data.splits[last][1]
    baseline = majority_baseline(data.spec, last_target, ClassificationLoss(data.spec, **plain(config.loss)))

    metrics: dict[str, Any] = {}
    for split, result in results.items():
        metrics |= {f"{split}/{name}": value for name, value in result.values.items()}
    metrics |= {f"{last}/baseline_{name}": value for name, value in baseline.items()}
    if trainer.is_global_zero:
        # Under names of their own, since train/ and val/ are curves over steps, of which these are no points.
        logger.log_hyperparams(flat(config), {f"best/{name}": value for name, value in metrics.items()})
        logger.finalize("success")
    metrics |= {"epochs": epochs, "best_epoch": best_epoch, "steps": steps, "interrupted": signal_number is not None}
    metrics |= {"seconds": time.perf_counter() - start, "seconds_training": seconds_training}
    metrics["seconds_encoding"] = seconds_encoding  # reading included
    if trainer.is_global_zero:
        if results[last].per_class:
            run.write("per_class.csv", per_class_table(data.spec, last_target, results[last]))
        run.write_json("metrics.json", metrics)  # last: a folder without it holds no result
        num_rows = {split: target.shape[0] for split, (_, target) in data.splits.items()}
        shown = summary(metrics, num_rows, _notes(run, metrics, ended_by))
        Console().print(shown)
        logging.getLogger("rosenblatt_file").info("\n%s", as_text(shown))
    if signal_number is not None:
        sys.exit(128 + signal_number)  # as a shell reports a process that a signal ended: 130 for Ctrl-C
    return metrics


def make_classifier(config: DictConfig, spec: DataSpec) -> Classifier:
    """Build model, loss, optimizer and schedule, and put them together."""
    sizes = {"num_features": spec.num_features, "num_outputs": spec.num_outputs, "bags": spec.bags}
    classifier = Classifier(
        build("model", config.model, **sizes),
        spec,
        ClassificationLoss(spec, **plain(config.loss)),
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


def make_callbacks(config: DictConfig, run: RunFolder) -> list[pl.Callback]:
    """Make the callbacks that every run has."""
    stopping = plain(config.early_stopping)
    best = ModelCheckpoint(
        run.checkpoints,
        filename="best",
        monitor=stopping["monitor"],
        mode=stopping["mode"],
        save_last=True,
        enable_version_counter=False,
    )
    # Not strict: an epoch without validation is no mistake.
    early = [] if stopping["patience"] is None else [EarlyStopping(**stopping, strict=False, check_finite=False)]
    return without_idle_hooks(*early, best, StopOnCtrlC(), TrainingProgress())


def load_best(trainer: pl.Trainer, classifier: Classifier, run: RunFolder) -> int:
    """Give the classifier its best weights, and return the epoch, from 1, that they are of."""
    best: Any = trainer.checkpoint_callback
    if not best.best_model_path:  # Ctrl-C came first, or the Trainer was told to stop or to validate later
        log.warning("There was no validation yet; what is evaluated, and saved as the best, are the last weights.")
        trainer.save_checkpoint(run.checkpoints / "best.ckpt")
        return int(trainer.current_epoch)
    checkpoint = torch.load(best.best_model_path, weights_only=True, map_location="cpu")
    classifier.load_state_dict(checkpoint["state_dict"])
    return int(checkpoint["epoch"]) + 1


def evaluate(trainer: pl.Trainer, classifier: Classifier, data: DataModule, split: str) -> Result:
    """Return loss and metrics of a whole split; the Trainer sees to the device, eval mode and no gradients."""
    trainer.limit_test_batches = 1.0
    classifier.start_test(ranking=split == list(data.splits)[-1])  # the others are for a look at the most
    trainer.test(classifier, dataloaders=data.batches(split), verbose=False)
    return classifier.test_result


def _run_folder(config: DictConfig) -> RunFolder:
    hydra = HydraConfig.get()
    if getattr(rank_zero_only, "rank", 0) != 0:  # of several processes that train one model, the first makes it
        return RunFolder(hydra.runtime.output_dir)
    overrides = [word.removeprefix("++") for word in hydra.overrides.task]  # see `launch.opened`
    settings = OmegaConf.to_yaml(config, resolve=True)
    return RunFolder.create(hydra.runtime.output_dir, settings, OmegaConf.to_yaml(overrides))


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


def _ended_by(trainer: pl.Trainer, signal_number: int | None) -> str:
    if signal_number is not None:
        return "Ctrl-C" if signal_number == signal.SIGINT else "a signal"
    early = trainer.early_stopping_callback
    if isinstance(early, EarlyStopping) and early.wait_count >= early.patience:
        return "no better since"
    if 0 <= trainer.max_steps <= trainer.global_step:
        return "trainer.max_steps"
    return "trainer.max_epochs" if trainer.current_epoch >= (trainer.max_epochs or 0) >= 0 else "trainer.max_time"


def _notes(run: RunFolder, metrics: dict[str, Any], ended_by: str) -> list[tuple[str, str]]:
    return [
        ("best epoch", f"{metrics['best_epoch']} of {metrics['epochs']} (ended by: {ended_by})"),
        ("time", f"{metrics['seconds']:.1f} s, of which training {metrics['seconds_training']:.1f} s"),
        ("run folder", run.shown),
        ("next", f"tensorboard --logdir {'logs' if run.shown.startswith('logs') else run.shown}"),
        ("", "python train.py data=text data.train=FILE"),
        ("", "python train.py --help"),
    ]
