"""What encoders of texts and of tables have in common."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor


class Encoder(Protocol):
    """Turns rows into features, with what the training rows have taught it."""

    @property
    def num_features(self) -> int:
        """Number of features, once fitted."""

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments that this was made with, as JSON takes them."""

    def state(self) -> dict[str, Tensor]:
        """Return what was learnt."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take back what `state` returned."""
