"""What TensorBoard reads of a run."""

from __future__ import annotations

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from conftest import SMALL


def test_no_scalar_has_a_step_twice(train):
    train(*SMALL)
    events = EventAccumulator("run/tensorboard")
    events.Reload()
    tags = events.Tags()["scalars"]
    assert {"epoch", "train/loss", "val/loss"} <= set(tags)
    for tag in tags:
        steps = [event.step for event in events.Scalars(tag)]
        assert len(set(steps)) == len(steps), tag
    assert [event.value for event in events.Scalars("epoch")] == [0, 1]
