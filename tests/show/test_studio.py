"""Waiting for pictures."""

from __future__ import annotations

from rosenblatt.show.studio import Studio


class Quick:
    """Draws the last picture just when it is asked how many are left."""

    def __init__(self):
        self.counts, self.waited = [1, 0, 0, 0], []

    @property
    def num_waiting(self):
        return self.counts.pop(0)

    def wait(self, at_most):
        self.waited.append(at_most)


def test_a_picture_that_is_done_meanwhile_is_not_waited_for(monkeypatch):
    studio, quick = Studio(), Quick()
    monkeypatch.setattr(studio, "_draftsman", quick)
    studio.wait()
    assert quick.waited == [0]
