"""The sparse input layer: logits of bags, without ever building a dense (N, num_features) matrix."""

from __future__ import annotations

import math
from collections.abc import Callable, MutableMapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.weak import WeakTensorKeyDictionary

from rosenblatt.data.features import Bags

# Weights of bags, and who says whether their gradients are to be rows: an optimizer (`rosenblatt.text.row_steps`), as
# long as there is one. No attribute of the weight, which its copies would have, too, and nobody to step them.
ROWS_WANTED: MutableMapping[Tensor, Callable[[Tensor, int], bool] | None] = WeakTensorKeyDictionary()


def _product(weight: Tensor, ids: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    """Return (N, V) sparse times (V, C) dense."""
    return F.embedding_bag(
        ids, weight, offsets.to(ids.dtype), mode="sum", per_sample_weights=weights.to(weight.dtype),
        include_last_offset=True,
    )  # fmt: skip


class _BagProduct(torch.autograd.Function):
    """(N, V) sparse times (V, C) dense, with the gradient for the weight alone: dense, or the rows that the bags name.

    `torch.nn.functional.embedding_bag` computes the same; its gradients take several times as long (docs/log.md).
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, ids: Tensor, weights: Tensor, offsets: Tensor, as_rows: bool) -> Tensor:
        ctx.save_for_backward(ids, weights, offsets)
        ctx.shape, ctx.as_rows = weight.shape, as_rows
        return _product(weight, ids, weights, offsets)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        ids, weights, offsets = ctx.saved_tensors
        rows = torch.arange(len(grad), dtype=ids.dtype, device=ids.device)
        rows = torch.repeat_interleave(rows, offsets.diff(), output_size=ids.numel())  # (nnz,)
        if ctx.shape[1] == 1:
            terms = grad.view(-1).index_select(0, rows) * weights
            if not ctx.as_rows:
                dense = untouched_zeros(ctx.shape[:1], grad).index_add_(0, ids, terms)
                return dense.view(-1, 1), None, None, None, None
            ids, order, starts = _grouped(ids)
            values = F.embedding_bag(order, terms.view(-1, 1), starts, mode="sum", include_last_offset=True)
        else:  # the product of the transposed batch: of each id that it names, in order, and the rows that do
            ids, order, starts = _grouped(ids)
            values = _product(grad, rows.index_select(0, order), weights.index_select(0, order), starts)
        ids = ids.long()
        if ctx.as_rows:
            result = torch.sparse_coo_tensor(ids.unsqueeze(0), values, ctx.shape, check_invariants=False)
        else:
            result = untouched_zeros(ctx.shape, grad).index_copy_(0, ids, values)
        return result, None, None, None, None


def _grouped(ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return those ids (nnz,) that there are, in order; the places of all, id by id; where each begins, and the end."""
    if ids.device.type != "cpu":
        ordered, order = ids.sort(stable=True)
        found, lengths = torch.unique_consecutive(ordered, return_counts=True)
        return found, order, F.pad(lengths.cumsum(0), (1, 0))
    # An id and its place as one number: NumPy sorts those several times as fast as torch sorts pairs of them.
    keys = ids.numpy().astype(np.int64) << 32
    keys |= np.arange(keys.size)
    keys.sort()
    ordered_ids = (keys >> 32).astype(np.int32)
    begins = np.ones(keys.size + 1, dtype=np.bool_)
    np.not_equal(ordered_ids[1:], ordered_ids[:-1], out=begins[1:-1])
    starts = np.flatnonzero(begins).astype(np.int32)
    return torch.from_numpy(ordered_ids[starts[:-1]]), torch.from_numpy(keys.astype(np.int32)), torch.from_numpy(starts)


class BagLinear(nn.Module):
    """`torch.nn.Linear` on bags: the weighted sum of the rows of ``weight`` that a bag names, plus ``bias``.

    Args:
        num_features: size of the vocabulary, and ``num_outputs`` per row.
        zero: start with all weights at 0 instead of at random.

    Attributes:
        weight: (num_features, num_outputs), the transpose of `torch.nn.Linear`'s, so that a word is a row.
        bias: (num_outputs,).
    """

    sparse = True  # a step touches few of the weights

    def __init__(self, num_features: int, num_outputs: int, zero: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(untouched_zeros((num_features, num_outputs), torch.empty(0)))
        self.bias = nn.Parameter(torch.zeros(num_outputs))
        ROWS_WANTED[self.weight] = None
        if not zero:
            # A bag has far fewer entries than there are features, so the fan-in of nn.Linear would start much too
            # small; the same bound over num_outputs keeps hidden units apart whatever the vocabulary.
            bound = 1 / math.sqrt(num_outputs)
            nn.init.uniform_(self.weight, -bound, bound)

    def __setstate__(self, state: dict[str, Any]) -> None:  # of a copy, whose weight is another
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        ROWS_WANTED[self.weight] = None

    def forward(self, bags: Bags) -> Tensor:
        """Map N bags to (N, num_outputs)."""
        wants = ROWS_WANTED.get(self.weight)
        as_rows = wants is not None and wants(self.weight, bags.ids.numel())
        product: Tensor = _BagProduct.apply(self.weight, *bags, as_rows)  # type: ignore[no-untyped-call]
        return product + self.bias

    def extra_repr(self) -> str:
        """What ``print(model)`` shows."""
        return f"num_features={self.weight.shape[0]}, num_outputs={self.weight.shape[1]}"


def untouched_zeros(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Return zeros of the type of a tensor, and where that is; on a CPU they take memory only once they are touched."""
    if like.device.type == "cpu" and like.dtype in (torch.float32, torch.float64):
        return torch.from_numpy(np.zeros(shape, np.float32 if like.dtype == torch.float32 else np.float64))
    return torch.zeros(shape, dtype=like.dtype, device=like.device)
