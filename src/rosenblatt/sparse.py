"""The sparse input layer: logits of bags, without ever building a dense (N, num_features) matrix."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from rosenblatt.spec import Bags


class _BagProduct(torch.autograd.Function):
    """(N, V) sparse times (V, C) dense, with the gradient for the weight alone.

    `torch.nn.functional.embedding_bag` computes the same, with a dense gradient that is many times slower
    (docs/log.md has the parts of this one).
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, ids: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
        num_rows, num_outputs = offsets.numel() - 1, weight.shape[1]
        rows = torch.repeat_interleave(
            torch.arange(num_rows, device=ids.device), offsets.diff(), output_size=ids.numel()
        )  # (nnz,) the row of each pair
        ctx.save_for_backward(ids, weights, rows)
        ctx.shape = weight.shape
        if num_outputs == 1:  # a gather and a sum of scalars, several times faster than rows of length 1
            terms = weight.view(-1)[ids] * weights
            return (
                torch.zeros(num_rows, dtype=weight.dtype, device=weight.device).index_add_(0, rows, terms).view(-1, 1)
            )
        terms = weight[ids] * weights.unsqueeze(1)  # (nnz, C)
        return torch.zeros(num_rows, num_outputs, dtype=weight.dtype, device=weight.device).index_add_(0, rows, terms)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        ids, weights, rows = ctx.saved_tensors
        num_features, num_outputs = ctx.shape
        if num_outputs == 1:
            terms = grad.reshape(-1)[rows] * weights
            total = torch.zeros(num_features, dtype=grad.dtype, device=grad.device).index_add_(0, ids, terms)
            return total.view(-1, 1), None, None, None
        terms = grad[rows] * weights.unsqueeze(1)  # (nnz, C)
        total = torch.zeros(num_features, num_outputs, dtype=grad.dtype, device=grad.device).index_add_(0, ids, terms)
        return total, None, None, None


class BagLinear(nn.Module):
    """`torch.nn.Linear` on bags: the weighted sum of the rows of ``weight`` that a bag names, plus ``bias``.

    Args:
        num_features: size of the vocabulary.
        num_outputs: outputs per row.
        zero: start with all weights at 0 instead of at random.

    Attributes:
        weight: (num_features, num_outputs), the transpose of `torch.nn.Linear`'s, so that a word is a row.
        bias: (num_outputs,).
    """

    def __init__(self, num_features: int, num_outputs: int, zero: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num_features, num_outputs))
        self.bias = nn.Parameter(torch.zeros(num_outputs))
        if not zero:
            # A bag has far fewer entries than there are features, so the fan-in of nn.Linear would start much too
            # small; the same bound over num_outputs keeps hidden units apart whatever the vocabulary.
            bound = 1 / math.sqrt(num_outputs)
            nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, bags: Bags) -> Tensor:
        """Map N bags to (N, num_outputs)."""
        product: Tensor = _BagProduct.apply(self.weight, *bags)  # type: ignore[no-untyped-call]
        return product + self.bias

    def extra_repr(self) -> str:
        """What ``print(model)`` shows."""
        return f"num_features={self.weight.shape[0]}, num_outputs={self.weight.shape[1]}"
