"""Settings that the engine reads: their defaults in projects that do not name them, and what they may be."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import OmegaConf

from rosenblatt.cli.schema import EVALUATE, PREDICT, TRAIN, checked, opened
from rosenblatt.errors import UserError


def test_a_project_that_names_nothing_gets_every_default() -> None:
    found = checked(OmegaConf.create({}), "train")
    assert {key: OmegaConf.select(found, key) for key in TRAIN if key != "sweep.objective"} == {
        key: one.default for key, one in TRAIN.items() if key != "sweep.objective"
    }
    assert found.sweep.objective == "val/loss"
    assert (found.callbacks, found.metrics, found.module) == ({}, {}, None)


def test_what_a_project_says_stays_and_keys_of_its_own_are_free() -> None:
    given = OmegaConf.create({"seed": 5, "checkpoint": {"min_seconds": 2}, "mine": {"a": 1}})
    found = checked(given, "train")
    assert (found.seed, found.checkpoint.min_seconds, found.mine.a) == (5, 2, 1)
    assert found.checkpoint.every_n_minutes == 10
    assert given == {"seed": 5, "checkpoint": {"min_seconds": 2}, "mine": {"a": 1}}


def test_another_loss_has_no_settings_of_the_tasks_own() -> None:
    assert checked(OmegaConf.create({"loss": {"_target_": "torch.nn.L1Loss"}}), "train").loss == {
        "_target_": "torch.nn.L1Loss"
    }


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("train", {"seed": True}, "seed: expected a whole number from 0 to 4294967295; got True."),
    ("train", {"lr": "x"}, "lr: expected a number above 0, such as lr=0.001; got 'x'."),
    ("train", {"lr": float("nan")}, "got nan"),
    ("train", {"task": "regresion"}, "Did you mean 'regression'?"),
    ("train", {"checkpoint": {"every_n_step": 3}}, "no such setting. Did you mean 'checkpoint.every_n_steps'?"),
    ("train", {"early_stopping": None}, "early_stopping.patience=null"),
    ("train", {"figures": {"every_n_epochs": "never"}}, "expected null, auto or a whole number of at least 1"),
    ("train", {"loss": {"label_smoothing": 1}}, "expected a number from 0 to below 1; got 1."),
    ("train", {"sweep": {"space": [1]}}, "sweep.space: expected"),
    ("train", {"trainer": {"logger": True}}, "trainer.logger: it is given with logger=..., such as logger=csv"),
    ("evaluate", {}, "run is not set. Give it on the command line: run=..."),
    ("evaluate", {"run": "x", "mistakes": -1}, "mistakes: expected a whole number of at least 0; got -1."),
    ("predict", {"run": "x", "explain": -2}, "explain: expected"),
    ("export", {"run": "x", "format": "onx"}, "Did you mean 'onnx'?"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "given", "says"), REFUSED, ids=[f"{row[0]} {row[1]}" for row in REFUSED])
def test_a_wrong_value_is_told_with_what_it_may_be(program: str, given: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as error:
        checked(OmegaConf.create(given), program)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("word", "program", "expected"),
    [
        ("model.dropout=0.1", "train", "++model.dropout=0.1"),
        ("checkpoint.every_n_steps=3", "train", "++checkpoint.every_n_steps=3"),
        ("threads=2", "train", "++threads=2"),
        ("data=text", "train", "data=text"),
        ("sweep=optuna", "train", "sweep=optuna"),
        ("mine.own=1", "train", "mine.own=1"),
        ("hydra.run.dir=x", "train", "hydra.run.dir=x"),
        ("+trainer.profiler=simple", "train", "+trainer.profiler=simple"),
        ("~scheduler", "train", "~scheduler"),
        ("lr", "train", "lr"),
        ("data.test=x", "evaluate", "++data.test=x"),
        ("data.test=x", "predict", "data.test=x"),
    ],
)
def test_settings_that_no_file_names_are_let_in_where_somebody_checks_them(
    word: str, program: str, expected: str
) -> None:
    assert opened(word, program) == expected


@pytest.mark.parametrize("schema", [TRAIN, EVALUATE, PREDICT])
def test_every_default_is_one_that_may_be_given(schema: dict[str, Any]) -> None:
    program = {id(TRAIN): "train", id(EVALUATE): "evaluate", id(PREDICT): "predict"}[id(schema)]
    asked = {"train": {}, "evaluate": {"run": "x"}, "predict": {"run": "x", "text": "a"}}[program]
    checked(OmegaConf.create(asked), program)
