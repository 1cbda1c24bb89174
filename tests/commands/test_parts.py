"""What a run is made of."""

from __future__ import annotations

import pytest
import torch
from omegaconf import OmegaConf

from rosenblatt.commands import parts
from rosenblatt.commands.parts import make_loss, mode_of
from rosenblatt.errors import UserError
from rosenblatt.tasks.regression import Regression


def test_a_mode_against_the_metric_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    config = OmegaConf.create({"early_stopping": {"monitor": "val/loss", "mode": "max"}})
    assert mode_of(config, None) == "max"
    assert "early_stopping.mode=max: val/loss is better when low" in caplog.text


@pytest.mark.parametrize("word", ["loss.label_smoothing=0.1", "loss.margin=2"])
def test_a_loss_of_classes_that_is_typed_is_refused_for_numbers(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    task = Regression().counted(torch.tensor([1.0, 2.0, 3.0]))
    key, _, value = word.partition("=")
    node = OmegaConf.create({key.partition(".")[2]: float(value)})
    assert make_loss(node, task)(torch.zeros(1, 1), torch.zeros(1)) >= 0  # of the recipe of the data, it says nothing
    monkeypatch.setattr(parts, "_is_typed", lambda *starts: word.startswith(starts))
    with pytest.raises(UserError, match=f"{key}: numbers have no classes"):
        make_loss(node, task)
