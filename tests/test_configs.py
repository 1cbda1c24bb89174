"""Every YAML file is composed and what it names is built."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from hydra import compose, initialize_config_dir
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.profilers import PassThroughProfiler, SimpleProfiler
from omegaconf import DictConfig, OmegaConf

from rosenblatt.cli.build import build, build_each
from rosenblatt.cli.schema import NODES

CONFIGS = Path(__file__).parents[1] / "configs"
CHOICES = sorted((path.parent.name, path.stem) for path in CONFIGS.glob("*/*.yaml"))
SIZES: dict[str, Any] = {"num_features": 4, "num_outputs": 1, "bags": False}


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose("train", list(overrides))


@pytest.mark.parametrize(("group", "choice"), CHOICES, ids=lambda word: word)
def test_every_choice_can_be_composed_and_built(group: str, choice: str, tmp_path: Path) -> None:
    config = composed(f"{group}={choice}")
    if "train" in config.data.keys():  # noqa: SIM118 - `in` denies a key that is still "???"
        config.data.train = "x.csv"
    assert build("data", config.data).given_batch_size == config.data.batch_size
    model = build("model", config.model, **SIZES)
    optimizer = build("optimizer", config.optimizer)(model.parameters())
    assert optimizer.param_groups[0]["lr"] == config.lr
    if config.scheduler:
        scheduler = build("scheduler", config.scheduler, mode="max")(optimizer)
        assert scheduler.optimizer is optimizer
        assert getattr(scheduler, "mode", "max") == "max"
    trainer = build("trainer", config.trainer, logger=False, default_root_dir=str(tmp_path))
    assert trainer.max_epochs == config.trainer.max_epochs


def chosen(*words: str) -> dict[str, list[str]]:
    config = composed(*words)
    return {group: list(config[group]) for group in ("callbacks", "logger")}


def test_several_callbacks_and_loggers_are_chosen_at_once_one_or_none() -> None:
    assert chosen() == {"callbacks": [], "logger": ["tensorboard"]}
    assert chosen("logger=csv", "callbacks=timer") == {"callbacks": ["timer"], "logger": ["csv"]}
    assert chosen("logger=[tensorboard,csv]", "callbacks=[timer,lr_monitor]") == {
        "callbacks": ["timer", "lr_monitor"],
        "logger": ["tensorboard", "csv"],
    }
    assert chosen("logger=none", "callbacks=[none]") == {"callbacks": [], "logger": []}


@pytest.mark.parametrize("name", ["book_yelp", "book_surnames"])
def test_texts_of_the_book_are_learnt_as_the_book_does(name: str) -> None:
    config = composed(f"experiment={name}", "data.train=x.csv")
    assert config.loss.keys() == composed("loss=default").loss.keys()
    assert "_target_" not in config.loss
    assert (config.loss.margin, config.loss.label_smoothing, config.calibration) == (None, 0.0, None)
    assert (config.optimizer._target_, config.lr, config.trainer.max_epochs) == ("torch.optim.Adam", 0.001, 100)
    assert config.scheduler._target_ == "torch.optim.lr_scheduler.ReduceLROnPlateau"
    assert (config.data.refit, config.data.weighting, config.data.max_features) == (False, "binary", None)
    assert config.data.punctuation or config.data.ngrams == 0


def test_texts_and_tables_have_a_recipe_of_their_own_and_what_is_given_wins() -> None:
    texts = composed("data=text", "data.train=x.csv")
    assert (texts.optimizer._target_, texts.lr) == ("rosenblatt.text.row_steps.RowwiseAdagrad", 0.0375)
    assert (texts.loss.margin, texts.calibration, texts.trainer.max_epochs) == (4.0, "temperature", 5)
    assert texts.scheduler.total_iters == 5
    assert texts.model._target_ == "perceptron.models.Perceptron"
    assert composed("data=table", "data.train=x.csv").model._target_ == "rosenblatt.table.realmlp.RealMLP"
    given = composed("data=text", "data.train=x.csv", "optimizer=adam", "loss=default", "trainer.max_epochs=7")
    assert (given.optimizer._target_, given.lr, given.loss.margin) == ("torch.optim.Adam", 0.001, None)
    assert (given.calibration, given.scheduler, given.trainer.max_epochs) == (None, None, 7)


def test_a_project_that_names_no_logger_has_that_of_the_file() -> None:
    assert NODES["logger"] == OmegaConf.to_container(OmegaConf.load(CONFIGS / "logger" / "tensorboard.yaml"))


class Module(BoringModel):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = self.step(batch)
        self.log("train/loss", loss)
        return loss


def fitted(tmp_path: Path, *words: str) -> pl.Trainer:
    folders = [f"logger.{name}.save_dir={tmp_path}" for name in chosen(*words)["logger"]]
    config = composed(*words, *folders)
    callbacks, loggers = build_each("callbacks", config.callbacks), build_each("logger", config.logger)
    trainer = pl.Trainer(
        callbacks=list(callbacks.values()), logger=list(loggers.values()), max_epochs=2, limit_train_batches=2,
        limit_val_batches=1, log_every_n_steps=1, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, accelerator="cpu", default_root_dir=tmp_path,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(Module())
    return trainer


def test_each_local_logger_writes_into_a_folder_of_its_name(tmp_path: Path) -> None:
    fitted(tmp_path, "logger=[tensorboard,csv]")
    assert list((tmp_path / "tensorboard").glob("events.*"))
    assert (tmp_path / "csv" / "metrics.csv").read_text().startswith("epoch,step,train/loss")
    assert {path.name for path in tmp_path.iterdir()} == {"tensorboard", "csv"}


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONFIGS / "callbacks").glob("*.yaml")))
def test_each_callback_goes_through_a_training(name: str, tmp_path: Path) -> None:
    trainer = fitted(tmp_path, f"callbacks={name}", "logger=csv")
    assert trainer.current_epoch == 2


@pytest.mark.parametrize("name", ["mae", "mse", "huber"])
def test_each_loss_of_numbers_is_what_it_says(name: str) -> None:
    made = build("loss", composed(f"loss={name}").loss)
    outputs, target = torch.tensor([0.0, 0.0]), torch.tensor([0.5, 3.0])
    assert made(outputs, target).item() == {"mae": 1.75, "mse": 4.625, "huber": (0.125 + 2.5) / 2}[name]


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_file_begins_with_the_command_that_uses_it(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next(line for line in lines if line != "# @package _global_")
    assert first.startswith(("# python train.py", "# python scripts/"))
    if path.parent.parent == CONFIGS:
        assert f"{path.parent.name}={path.stem}" in first


@pytest.mark.parametrize("name", ["adam", "sgd", "adagrad", "adamw", "lazy_adam"])
def test_each_optimizer_has_the_defaults_of_pytorch(name: str) -> None:
    config = composed(f"optimizer={name}")
    made = build("optimizer", config.optimizer)([torch.nn.Parameter(torch.zeros(1))])
    named = {"lazy_adam": "Adam"}.get(name, type(made).__name__)
    plain = getattr(torch.optim, named)([torch.nn.Parameter(torch.zeros(1))])
    ours, theirs = (dict(one.param_groups[0], params=None, fused=None) for one in (made, plain))
    assert ours == theirs


@pytest.mark.parametrize("overrides", [("lr=0.5", "optimizer=sgd"), ("optimizer=sgd", "lr=0.5")], ids=str)
def test_lr_wins_wherever_it_stands(overrides: tuple[str, str]) -> None:
    assert composed(*overrides).optimizer.lr == 0.5


@pytest.mark.parametrize("experiment", sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml")))
def test_the_command_line_wins_over_an_experiment(experiment: str) -> None:
    config = composed(f"experiment={experiment}", "lr=0.5", "optimizer=sgd", "trainer.max_epochs=3")
    assert (config.lr, config.optimizer._target_, config.trainer.max_epochs) == (
        0.5,
        "rosenblatt.text.row_steps.SGD",
        3,
    )


@pytest.mark.parametrize(
    ("override", "profiler"),
    [
        ("lr=1", PassThroughProfiler),
        ("+trainer.profiler=simple", SimpleProfiler),
    ],
)
def test_times_are_taken_by_the_profiler_that_was_chosen(override: str, profiler: type, tmp_path: Path) -> None:
    trainer = build("trainer", composed(override).trainer, logger=False, default_root_dir=str(tmp_path))
    assert type(trainer.profiler) is profiler
