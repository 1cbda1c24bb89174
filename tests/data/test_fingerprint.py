"""The digest of the data: what changes it, and what is told of a change."""

from __future__ import annotations

import json
import math

import pytest
import torch

from rosenblatt.data.contract import differences
from rosenblatt.data.features import Bags
from rosenblatt.data.in_memory import fingerprint

DENSE = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
TARGET = torch.tensor([0, 1, 1])


def bags(ids=(0, 3, 1, 2), weights=(1.0, 2.0, 3.0, 4.0), offsets=(0, 2, 3, 4)) -> Bags:
    return Bags(torch.tensor(ids, dtype=torch.int32), torch.tensor(weights), torch.tensor(offsets))


def digest_of(features, target=TARGET) -> str:
    return fingerprint({"train": (features, target)})["train"]["digest"]


def test_the_same_numbers_give_the_same_digest_wherever_they_lie():
    wide = torch.stack([DENSE, DENSE], dim=2)[..., 0]  # not contiguous
    assert not wide.is_contiguous()
    assert digest_of(DENSE) == digest_of(DENSE.clone()) == digest_of(wide) == digest_of(DENSE.T.clone().T)
    assert digest_of(bags()) == digest_of(bags())
    assert digest_of(DENSE) == fingerprint({"val": (DENSE[:1], TARGET[:1]), "test": (DENSE, TARGET)})["test"]["digest"]


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("value", [math.nextafter(1.0, 2.0) * 7, 0.0, math.nan, -1.0])
def test_any_other_number_gives_another_digest(place, value):
    changed = DENSE.clone()
    changed.view(-1)[place] = value
    assert digest_of(changed) != digest_of(DENSE)


def test_the_least_change_of_a_number_gives_another_digest():
    changed = DENSE.clone()
    changed[2, 1] = torch.nextafter(changed[2, 1], torch.tensor(9.0))
    assert digest_of(changed) != digest_of(DENSE)
    assert digest_of(-torch.zeros(3, 1)) != digest_of(torch.zeros(3, 1))  # equal, and other bits


@pytest.mark.parametrize(
    "changed",
    [
        {"ids": (0, 3, 1, 3)}, {"ids": (3, 0, 1, 2)}, {"weights": (1.0, 2.0, 3.0, 5.0)}, {"offsets": (0, 1, 3, 4)},
    ],
    ids=str,
)  # fmt: skip
def test_any_other_part_of_a_bag_gives_another_digest(changed):
    assert digest_of(bags(**changed)) != digest_of(bags())


@pytest.mark.parametrize("target", [[1, 1, 1], [1, 0, 1], [0, 1, 2]])
def test_any_other_label_gives_another_digest(target):
    assert digest_of(DENSE, torch.tensor(target)) != digest_of(DENSE)


def test_another_order_of_rows_gives_another_digest():
    order = torch.tensor([0, 2, 1])
    assert digest_of(DENSE[order], TARGET[order]) != digest_of(DENSE)  # although both rows are of one class
    several = torch.tensor([[0, 1], [1, 0], [1, 1]], dtype=torch.uint8)
    assert digest_of(DENSE, several) != digest_of(DENSE, several.flip(0))


def test_another_type_gives_another_digest():
    whole = torch.ones(3, 2, dtype=torch.int32)
    assert digest_of(whole) != digest_of(whole.to(torch.int64))
    assert digest_of(DENSE) != digest_of(DENSE.to(torch.float64))
    assert digest_of(DENSE) != digest_of(DENSE.view(torch.int32))  # the same bits


def test_another_shape_of_the_same_numbers_gives_another_digest():
    labels = torch.tensor([[0, 1, 1, 0], [1, 0, 0, 1], [1, 1, 1, 1]], dtype=torch.uint8)
    rows = torch.arange(12.0)
    assert digest_of(rows.view(6, 2), labels.view(6, 2)) != digest_of(rows.view(3, 4), labels)


def test_features_and_target_are_told_apart():
    assert digest_of(TARGET.view(3, 1), TARGET + 1) != digest_of(TARGET.view(3, 1) + 1, TARGET)


def test_it_has_each_split_with_its_rows_and_goes_through_json():
    found = fingerprint({"train": (DENSE, TARGET), "val": (DENSE[:2], TARGET[:2]), "test": (DENSE[:0], TARGET[:0])})
    assert [(split, one["rows"]) for split, one in found.items()] == [("train", 3), ("val", 2), ("test", 0)]
    assert json.loads(json.dumps(found)) == found
    assert differences(found, json.loads(json.dumps(found))) == []


def one(rows: int, digest: str = "a") -> dict[str, object]:
    return {"rows": rows, "digest": digest}


@pytest.mark.parametrize(
    ("before", "now", "lines"),
    [
        ({"train": one(12_345), "val": one(9)}, {"train": one(12_345), "val": one(9)}, []),
        ({"train": one(12_345)}, {"train": one(12_344)}, ["train had 12,345 rows, and has 12,344 rows now"]),
        (
            {"train": one(7), "val": one(9)},
            {"train": one(7), "val": one(9, "b")},
            ["val had 9 rows, and has others now"],
        ),
        ({"data": "1f3a"}, {"data": "1f3b"}, ["data was 1f3a, and is 1f3b now"]),
        ({"data": "1f3a"}, {}, ["data was 1f3a, and is None now"]),
        ({"train": one(7), "test": one(1)}, {"train": one(7)}, ["test had 1 rows, and has no rows now"]),
        ({"train": one(7)}, {"train": one(7), "test": one(2)}, ["test had no rows, and has 2 rows now"]),
        (
            {"train": one(7), "val": one(3)},
            {"train": one(8), "val": one(2)},
            ["train had 7 rows, and has 8 rows now", "val had 3 rows, and has 2 rows now"],
        ),
    ],
)
def test_each_split_that_differs_has_a_line(before, now, lines):
    assert differences(before, now) == lines
