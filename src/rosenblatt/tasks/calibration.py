"""Whether probabilities mean what they say, and the one number that mends most of it.

Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks" (2017): section 2 for the calibration error
and its bins, section 4.2 for the temperature.
"""

from __future__ import annotations

import torch
from torch import Tensor

NUM_BINS = 15
COOLEST, WARMEST = 0.05, 20.0  # where every row is right, each cooler temperature is more likely: somewhere it ends


def fit_temperature(logits: Tensor, target: Tensor) -> float:
    """Return the temperature T for which the probabilities of ``logits / T`` are the most likely.

    T is above 1 for a model that is too sure. The most probable class stays so, and 0.5 stays 0.5.

    Args:
        logits: (N, num_outputs) of rows that the model was not trained on.
        target: (N,) class numbers, or (N, num_labels) of 0 and 1.

    Returns:
        Where the mean negative log likelihood is least, from 0.05 to 20; 1 where T makes no difference.
    """
    logits = logits.double()
    softmax = target.ndim == 1 and logits.shape[1] > 1
    if softmax:
        gaps = logits - logits.gather(1, target.long().unsqueeze(1))  # above the logit of the true class
    else:
        gaps = logits * (1 - 2 * target.view(logits.shape).double())  # on the wrong side of 0
    if not gaps.any():
        return 1.0

    def slope(inverse: float) -> float:
        """Return the derivative of the mean negative log likelihood by 1 / T."""
        if softmax:
            return float(((gaps * inverse).softmax(dim=1) * gaps).sum(dim=1).mean())
        return float(((gaps * inverse).sigmoid() * gaps).mean())

    # The likelihood is convex in 1 / T, so that its slope passes through 0 once.
    low, high = 1 / WARMEST, 1 / COOLEST
    if slope(high) <= 0:
        return COOLEST
    if slope(low) >= 0:
        return WARMEST
    while high - low > 1e-10 * low:
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 2 / (low + high)


def reliability(probs: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return how often predictions of each probability are true, in `NUM_BINS` bins of equal width from 0 to 1.

    A probability on the edge of two bins is in the upper one.

    Args:
        probs: (N,) of the second class, (N, num_labels), or (N, num_classes) of which the largest is predicted.
        target: (N,) class numbers, or (N, num_labels) of 0 and 1.

    Returns:
        Of the predictions in each bin, (NUM_BINS,): the mean probability and the share that is true, float64, NaN where
        there is none; and how many they are.
    """
    if probs.ndim > target.ndim:
        probs, preds = probs.max(dim=1)
        target = preds == target
    probs, true = probs.flatten().double(), target.flatten().double()
    edges = torch.linspace(0, 1, NUM_BINS + 1, dtype=torch.float64, device=probs.device)
    bins = torch.bucketize(probs, edges[1:-1], right=True)
    count = torch.bincount(bins, minlength=NUM_BINS)
    sums = [torch.bincount(bins, weights=numbers, minlength=NUM_BINS) for numbers in (probs, true)]
    return sums[0] / count, sums[1] / count, count


def calibration_error(probs: Tensor, target: Tensor) -> float:
    """Return the expected calibration error: how far probability and frequency lie apart in the mean prediction.

    It goes from 0, which is best, to 1; arguments as for `reliability`.
    """
    mean_prob, share, num_rows = reliability(probs, target)
    return float((mean_prob - share).abs().nan_to_num() @ num_rows.double() / num_rows.sum())
