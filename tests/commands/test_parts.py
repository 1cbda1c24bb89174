"""What a run is made of."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from rosenblatt.commands.parts import mode_of


def test_a_mode_against_the_metric_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    config = OmegaConf.create({"early_stopping": {"monitor": "val/loss", "mode": "max"}})
    assert mode_of(config, None) == "max"
    assert "early_stopping.mode=max: val/loss is better when low" in caplog.text
