"""What splits in memory offer beside their batches."""

from __future__ import annotations

import pytest
import torch

from rosenblatt.data.features import Bags
from rosenblatt.data.in_memory import InMemory
from rosenblatt.tasks.binary import Binary

TARGET = torch.tensor([0, 1, 1])
BAGS = Bags(torch.tensor([0, 4, 2], dtype=torch.int32), torch.ones(3), torch.tensor([0, 1, 2, 3]))


class Words:
    """An encoder that knows more words than these rows have."""

    num_features = 9


def data_of(features, batch_size=2, encoder=None):
    class Given(InMemory):
        def load(self):
            return Binary(), {"train": (features, TARGET)}

    data = Given(batch_size, seed=0)
    data.encoder = encoder
    data.setup()
    return data


@pytest.mark.parametrize(("encoder", "num_features"), [(Words(), 9), (None, 5)])
def test_bags_are_as_wide_as_their_encoder_says_or_the_largest_number_in_them(encoder, num_features):
    assert data_of(BAGS, encoder=encoder).sizes == {"num_features": num_features, "bags": True}


def test_a_batch_may_be_a_single_row():
    assert [len(target) for _, target in data_of(torch.zeros(3, 2), batch_size=1).train_dataloader()] == [1, 1, 1]
