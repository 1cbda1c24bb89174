"""Models: nn.Modules from features to logits, the same on dense features (N, num_features) and on bags."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from rosenblatt.data.features import Features
from rosenblatt.errors import UserError, check_choice
from rosenblatt.text.sparse import BagLinear

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


class Perceptron(nn.Module):
    """One linear layer (Rosenblatt 1958; the book, chapter 3).

    The sigmoid of the book's perceptron is left to the loss and the metrics, which work on logits: in float32 it
    rounds to 1 from a logit of 17 on, and its gradient to 0.

    Args:
        num_features: columns of the input, or size of the vocabulary.
        num_outputs: logits per row.
        bags: whether the input is `Bags`.
        start: outputs (num_outputs,) before anything is learnt, such as the log-odds of each class; of bags, in which
            no word stands for all rows.
    """

    def __init__(
        self, num_features: int, num_outputs: int, bags: bool = False, start: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        if bags:
            # Zero, not random: a word seen once keeps most of its start weight, which at random is noise.
            self.linear: nn.Module = BagLinear(num_features, num_outputs, zero=True)
            if start is not None:
                self.linear.bias.data = torch.tensor(start)
        else:
            self.linear = nn.Linear(num_features, num_outputs)

    def forward(self, features: Features) -> Tensor:
        """Map features of N rows to logits (N, num_outputs)."""
        logits: Tensor = self.linear(features)
        return logits


class MLP(nn.Module):
    """Linear layers with an activation, and dropout after it, between each two.

    Args:
        num_features: columns of the input, or size of the vocabulary.
        num_outputs: logits per row.
        bags: whether the input is `Bags`.
        hidden: sizes of the hidden layers: ``[]`` is the perceptron, ``[64]`` one layer, ``[64, 64]`` two.
        activation: one of ``relu``, ``tanh``, ``sigmoid``, ``gelu``, ``silu``.
        dropout: probability to zero a hidden unit in training, in [0, 1).

    Raises:
        UserError: a size below 1, an unknown activation, dropout outside of [0, 1).
    """

    def __init__(
        self,
        num_features: int,
        num_outputs: int,
        bags: bool = False,
        hidden: Sequence[int] = (64,),
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_choice("model.activation", activation, ACTIVATIONS)
        if any(size < 1 for size in hidden):
            raise UserError(f"model.hidden: expected sizes of at least 1, such as [64]; got {list(hidden)}.")
        if not 0 <= dropout < 1:
            raise UserError(f"model.dropout: expected a probability from 0 to below 1; got {dropout}.")
        sizes = [num_features, *hidden, num_outputs]
        layers: list[nn.Module] = []
        for i, (num_in, num_out) in enumerate(pairwise(sizes)):
            if i > 0:
                layers += [ACTIVATIONS[activation](), nn.Dropout(dropout)]
            layers.append(BagLinear(num_in, num_out) if bags and i == 0 else nn.Linear(num_in, num_out))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Features) -> Tensor:
        """Map features of N rows to logits (N, num_outputs)."""
        logits: Tensor = self.layers(features)
        return logits
