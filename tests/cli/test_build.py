"""Anybody's classes by ``_target_``: what they are called with, and what is told where that can't be."""

from __future__ import annotations

import copy
import functools
import pickle
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from rosenblatt.arguments import fits
from rosenblatt.cli import project
from rosenblatt.cli.build import build, build_each, names
from rosenblatt.cli.messages import explained
from rosenblatt.errors import UserError

SOURCE = """
from __future__ import annotations
from collections.abc import Callable
from typing import TYPE_CHECKING
from torch import nn
if TYPE_CHECKING:
    from nowhere import Unknown

class Net(nn.Module):
    def __init__(self, size: int = 2, kind: Unknown = None, task=None):
        super().__init__()
        self.layer, self.task = nn.Linear(2, size), task
        if size == 13:
            raise KeyError("thirteen")

class Free:
    def __init__(self, first, *rest, **others):
        self.first, self.rest, self.others = first, rest, others

class Holder:
    def __init__(self, make: Callable[..., nn.Module], parts: list[int], one: float = None):
        self.make, self.parts, self.one = make, parts, one

NUMBER = 3
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(project, "_root", [])  # of a program that ran before in this process
    Path("theirs.py").write_text(SOURCE)
    Path("lacking.py").write_text("import nowhere_to_be_found\n")
    Path("failing.py").write_text("value = 1\nraise ValueError('not today')\n")
    yield
    for name in ("theirs", "lacking", "failing"):
        sys.modules.pop(name, None)


def test_what_is_offered_goes_to_those_that_name_it_and_yaml_wins() -> None:
    made = build("model", {"_target_": "theirs.Net", "size": 3}, size=5, task={"any": "object"}, bags=True)
    assert (made.layer.out_features, made.task) == (3, {"any": "object"})
    made = build("model", {"_target_": "theirs.Free", "first": 1, "colour": "red"}, task="binary", others=2)
    assert made.others == {"colour": "red"}


def test_null_in_yaml_wins_too() -> None:
    assert build("model", {"_target_": "theirs.Net", "task": None}, task="binary").task is None


def test_nested_targets_and_partials_are_made_as_hydra_does() -> None:
    config = OmegaConf.create(
        {
            "size": 4,
            "model": {
                "_target_": "theirs.Holder",
                "make": {"_target_": "theirs.Net", "_partial_": True, "size": "${size}"},
                "parts": [1, 2],
                "one": None,
            },
        }
    )
    made = build("model", config.model)
    assert made.make().layer.out_features == 4
    assert type(made.parts) is list
    sequence = build("model", {"_target_": "torch.nn.Sequential", "_args_": [{"_target_": "torch.nn.ReLU"}]})
    assert type(sequence[0]) is nn.ReLU


def test_a_partial_is_one_of_functools_and_survives_copies() -> None:
    made = build("scheduler", {"_target_": "theirs.Free", "_partial_": True, "factor": 0.5}, first=7, mode="max")
    assert isinstance(made, functools.partial)
    for one in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert one().first == 7
        assert one(first=1).first == 1
        assert one().others == {"factor": 0.5}


def test_the_complaint_of_a_partial_names_the_setting() -> None:
    make = build("optimizer", {"_target_": "torch.optim.Adam", "_partial_": True, "weight_decay": -1})
    with pytest.raises(ValueError, match="weight_decay") as error:
        make([nn.Parameter(torch.zeros(1))])
    assert explained(error.value, "train") == (
        "optimizer.weight_decay=-1: it does not go together with the other settings, the model or the data. "
        "HYDRA_FULL_ERROR=1 shows what torch says."
    )
    make = build(
        "scheduler", {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "_partial_": True, "factor": 2}
    )
    with pytest.raises(ValueError, match="Factor") as error:
        make(torch.optim.SGD([nn.Parameter(torch.zeros(1))]))
    assert str(explained(error.value, "train")).startswith("scheduler.factor=2: ")


def test_several_are_made_by_name_and_one_that_is_null_is_left_out() -> None:
    node = {"b": {"_target_": "theirs.Free", "first": 1}, "gone": None, "a": {"_target_": "theirs.Net"}}
    made = build_each("callbacks", node, task="binary")
    assert list(made) == ["b", "a"]
    assert made["a"].task == "binary"
    assert build_each("callbacks", None) == {}


def test_names_are_those_of_the_signature() -> None:
    assert names({"_target_": "theirs.Net"}) == {"size", "kind", "task"}
    assert names({"_target_": "theirs.Free"}) == {"first"}
    assert names({"_target_": "theirs.Nothing"}) == set()


REFUSED = [
    ({"_target_": "theirs.Net", "sise": 3}, "model.sise: Net has no such setting. Did you mean 'size'?"),
    ({"_target_": "theirs.Nets"}, "model._target_=theirs.Nets: theirs has no 'Nets'. Did you mean 'theirs.Net'?"),
    ({"_target_": "their.Net"}, "there is no module 'their'. Did you mean 'theirs'?"),
    ({"_target_": "torch.nnn.ReLU"}, "torch has no 'nnn'. Did you mean 'torch.nn'?"),
    ({"_target_": "theirs.NUMBER"}, "it is no class or function, but int"),
    ({"_target_": "lacking.Net"}, "it needs the package nowhere_to_be_found: pip install nowhere_to_be_found"),
    ({"_target_": "failing.Net"}, "failing can't be imported: not today (failing.py:2)"),
    ({"_target_": "theirs.Net", "size": -1}, "negative dimension -1: [-1, 2] (theirs.py:12)"),
    ({"_target_": "theirs.Net", "size": 13}, "model: KeyError: 'thirteen' (theirs.py:14)"),
    ({"_target_": "theirs.Free"}, "model.first is not set, and Free needs it"),
    ({"_target_": "theirs.Holder", "make": "x", "parts": ["a"]}, "model.parts: expected a list of whole numbers"),
    ({"_target_": "theirs.Net", "size": "???"}, "model.size is not set"),
    (
        {"_target_": "torch.nn.Sequential", "_args_": [{"_target_": "torch.nn.Linear", "in_featurs": 2}]},
        "model._args_0: Linear has no argument 'in_featurs'.",
    ),
    ({"size": 3}, "no model is chosen"),
    ({"_target_": "os.system", "command": "true"}, "model: os.system is not called from settings."),
]


@pytest.mark.parametrize(("node", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_what_cannot_be_made_is_told_in_one_line(node: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as error:
        build("model", node)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("logger", ["WandbLogger", "MLFlowLogger"])
def test_a_logger_whose_package_is_missing_says_what_to_install(logger: str) -> None:
    package = logger.removesuffix("Logger").lower()
    with pytest.raises(UserError, match=rf"^logger.mine: it needs the package {package}: pip install {package}$"):
        build_each("logger", {"mine": {"_target_": f"lightning.pytorch.loggers.{logger}"}})


def test_an_entry_without_a_target_is_told() -> None:
    with pytest.raises(UserError, match=r"callbacks._target_: expected a name of your choice with a _target_"):
        build_each("callbacks", {"_target_": "theirs.Free", "first": 1})


class Colour(Enum):
    RED = "red"


TAKEN: list[tuple[Any, Any]] = [
    ("red", Colour), ("red", Literal[Colour.RED]), ("cpu", torch.device), ("float32", torch.dtype), (1.0, Tensor),
    ([1, 2], Tensor), ("x", Callable[..., Any]), ("a/path", Path), ({"a": 1}, dict[str, float]),
    ([1, "a"], tuple[int, str]), ([1, 2, 3], tuple[int, ...]), ({"_": 1}, "Unknown"), (["a"], set[str]),
    (3, float), (None, int | None),
]  # fmt: skip


@pytest.mark.parametrize(("value", "hint"), TAKEN, ids=str)
def test_types_never_refuse_what_a_foreign_class_would_take(value: Any, hint: Any) -> None:
    assert fits(value, hint)


@pytest.mark.parametrize(
    ("value", "hint"), [("x", float | Tensor), ([1, 2], tuple[int, str]), ([1], tuple[int, str]), ("b", Literal["a"])]
)
def test_types_that_are_known_refuse_others(value: Any, hint: Any) -> None:
    assert not fits(value, hint)
