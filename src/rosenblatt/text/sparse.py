"""The sparse input layer: logits of bags, without ever building a dense (N, num_features) matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rosenblatt.data.features import Bags

MAX_SCATTERED = 16  # outputs up to which our own gradient, whose parts are (num_pairs, outputs), is the faster one


def _embedding_bag(weight: Tensor, ids: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    """Return (N, V) sparse times (V, C) dense, as PyTorch computes it."""
    return F.embedding_bag(
        ids, weight, offsets.to(ids.dtype), mode="sum", per_sample_weights=weights.to(weight.dtype),
        include_last_offset=True,
    )  # fmt: skip


class _BagProduct(torch.autograd.Function):
    """(N, V) sparse times (V, C) dense, with the gradient for the weight alone.

    `torch.nn.functional.embedding_bag` computes the same; with few outputs, its dense gradient is many times slower
    (docs/log.md has the parts of this one).
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, ids: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
        ctx.save_for_backward(ids, weights, offsets)
        ctx.shape = weight.shape
        weights = weights.to(weight.dtype)
        # A gather and a sum of each stretch: no row numbers, no scattered writes. Other devices lack the second.
        if weight.shape[1] == 1 and weight.device.type in ("cpu", "cuda"):
            terms = weight.view(-1).index_select(0, ids) * weights
            return torch.segment_reduce(terms, "sum", offsets=offsets, axis=0, initial=0).view(-1, 1)
        return _embedding_bag(weight, ids, weights, offsets)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        ids, weights, offsets = ctx.saved_tensors
        num_features, num_outputs = ctx.shape
        lengths = offsets.diff()
        if grad.device.type == "cpu" and grad.dtype in (torch.float32, torch.float64):
            # NumPy adds at scattered places several times as fast as torch does, and always in the same order.
            terms = np.repeat(grad.numpy(), lengths.numpy(), axis=0)  # (nnz, C)
            terms *= weights.numpy()[:, None]
            places = ids.numpy()
            if num_outputs > 1:  # (nnz, C) places in the flat gradient
                places = places[:, None] * np.int64(num_outputs) + np.arange(num_outputs)
            total = np.zeros(num_features * num_outputs, dtype=terms.dtype)
            np.add.at(total, places.reshape(-1), terms.reshape(-1))
            return torch.from_numpy(total).view(ctx.shape), None, None, None
        terms_of = torch.repeat_interleave(grad, lengths, dim=0, output_size=ids.numel())  # (nnz, C)
        terms_of *= weights.unsqueeze(1)
        total_of = torch.zeros(ctx.shape, dtype=grad.dtype, device=grad.device).index_add_(0, ids, terms_of)
        return total_of, None, None, None


class BagLinear(nn.Module):
    """`torch.nn.Linear` on bags: the weighted sum of the rows of ``weight`` that a bag names, plus ``bias``.

    Args:
        num_features: size of the vocabulary, and ``num_outputs`` per row.
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
        if self.weight.shape[1] > MAX_SCATTERED:
            return self.bias + _embedding_bag(self.weight, *bags)
        product: Tensor = _BagProduct.apply(self.weight, *bags)  # type: ignore[no-untyped-call]
        return product + self.bias

    def extra_repr(self) -> str:
        """What ``print(model)`` shows."""
        return f"num_features={self.weight.shape[0]}, num_outputs={self.weight.shape[1]}"
