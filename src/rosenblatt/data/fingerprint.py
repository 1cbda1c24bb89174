"""A digest of what a model is trained and measured on, to tell whether it is still the same."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from torch import Tensor

from rosenblatt.data.features import Splits, tensors_of


def fingerprint(splits: Splits) -> dict[str, dict[str, Any]]:
    """Return rows and digest of each split, as JSON takes them.

    The digest is of the encoded features and targets, so that it is there for data from any source, and stays the same
    where a file has only moved. It finds changes; it is no seal.

    Args:
        splits: all rows.
    """
    with ThreadPoolExecutor(2) as threads:  # zlib gives the interpreter free
        sums = {split: list(threads.map(_digest, tensors_of(batch))) for split, batch in splits.items()}
    return {split: {"rows": target.shape[0], "digest": "-".join(sums[split])} for split, (_, target) in splits.items()}


def _digest(tensor: Tensor) -> str:
    content = np.ascontiguousarray(tensor.numpy()).reshape(-1).view(np.uint8)
    kind = zlib.crc32(f"{tensor.dtype} {list(tensor.shape)}".encode())  # the same bytes can be other numbers
    return f"{zlib.crc32(content.data, kind):08x}"


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return which parts of the data differ, as lines.

    Args:
        before: what `fingerprint`, or a data module of somebody's own, said then.
        now: and now.
    """
    lines = []
    for part in dict.fromkeys([*before, *now]):
        pair = before.get(part), now.get(part)
        rows = [f"{one['rows']:,} rows" if isinstance(one, dict) and "rows" in one else "no rows" for one in pair]
        if pair[0] != pair[1] and rows == ["no rows", "no rows"]:
            lines.append(f"{part} was {pair[0]}, and is {pair[1]} now")
        elif pair[0] != pair[1]:
            lines.append(f"{part} had {rows[0]}, and has {rows[1] if rows[0] != rows[1] else 'others'} now")
    return lines
