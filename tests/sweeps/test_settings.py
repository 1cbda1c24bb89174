"""The settings of a sweep."""

from __future__ import annotations

import re

import pytest

from rosenblatt.errors import UserError
from rosenblatt.sweeps.settings import read_settings

GRID = {
    "method": "grid", "name": None, "seeds": 1, "objective": "val/loss", "max_failures": None, "retry_failed": False
}  # fmt: skip
SEARCH = GRID | {"method": "optuna", "trials": 3, "space": {}, "sampler": "tpe", "pruner": None, "storage": None}


def read(**more):
    return read_settings(SEARCH | more, 4, lambda name: "min" if name.endswith("loss") else "max")


def test_seeds_are_counted_from_the_first_and_objectives_have_a_direction():
    found = read(seeds=3, objective=["valid_loss", "own/score"])
    assert found.seeds == [4, 5, 6]
    assert found.objectives == {"valid_loss": "min", "own/score": "max"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"sampler": "tep"}, "got 'tep'. Did you mean 'tpe'?"),
        ({"pruner": "medium"}, "sweep.pruner: expected one of 'median', 'hyperband'; got 'medium'."),
        ({"pruner": "median", "objective": ["val/loss", "val/acc"]}, "stopped by one objective and one run each"),
        ({"pruner": "median", "seeds": 5}, "stopped by one objective and one run each"),
        ({"pruner": "median", "objective": "epochs"}, "it goes by a metric of each epoch, and epochs is none"),
        ({"objective": ["val/loss", "val/loss"]}, "one is there twice"),
        ({"objective": ["val/loss", "test/acc"]}, "sweep.objective=test/acc: what is chosen by the test split"),
        ({"objective": []}, "expected a metric, such as val/loss"),
        ({"name": "a/b"}, "sweep.name=a/b: expected letters"),
        ({"retry_failed": True}, "Give it more sweep.trials"),
        ({"storage": "sqlite:///x.db"}, "give that, too"),
    ],
)
def test_what_does_not_go_together_is_told(more, message):
    with pytest.raises(UserError, match=re.escape(message)):
        read(**more)
