"""RealMLP: a network that reaches boosted trees on tables by default (Holzmueller, Grinsztajn and Steinwart, "Better by
default: strong pre-tuned MLPs and boosted trees on tabular data", 2024).

What it takes from the paper, what it leaves out, and what each part brought here is in docs/log.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, chain, pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rosenblatt.data.features import Bags, Features
from rosenblatt.errors import UserError
from rosenblatt.table.encoder import SCALE

WAVES, MIXED, FREQUENCY = 16, 3, 0.1  # of each number, beside itself; standard deviation of frequencies at the start
ONE = 1.664  # for the 1 of a category: what robust scaling and smooth clipping make of it in a column of few ones
MAX_PLAIN, WIDTH = 9, 8  # features of a column that are taken as they are; numbers that stand for one of more
TWO_VALUES = 4  # features of a column of two numbers, of which waves can't say more
# Under Adam, what is stored as a multiple of itself learns at that multiple of the learning rate.
FAST, SLOW, OF_NUMBERS = 6.0, 0.1, 5.0


class Linear(nn.Module):
    """Linear layers side by side, whose weights are all about 1 (neural tangent parametrisation, Jacot et al. 2018)."""

    def __init__(self, members: int, num_in: int, num_out: int, rate: float, length: float) -> None:
        super().__init__()
        self.rate, self.length = rate, length  # squared, of an input row, about
        self.weight = nn.Parameter(torch.randn(members, num_in, num_out) / rate)
        self.bias = nn.Parameter(torch.randn(members, 1, num_out) / (SLOW * rate))

    def forward(self, x: Tensor) -> Tensor:
        """Map (members, N, num_in) to (members, N, num_out)."""
        return torch.baddbmm(self.bias * (SLOW * self.rate), x, self.weight * (self.rate / math.sqrt(self.length)))


class Activation(nn.Module):
    """SELU of classes, Mish of numbers; for each unit it is learnt how much of it there is beside the number itself."""

    def __init__(self, members: int, width: int, rate: float, is_regression: bool) -> None:
        super().__init__()
        self.rate, self.function = SLOW * rate, F.mish if is_regression else F.selu
        self.more = nn.Parameter(torch.zeros(members, 1, width))  # than 1, where weight decay leaves it

    def forward(self, x: Tensor) -> Tensor:
        """Map (members, N, width) to the same shape."""
        return torch.lerp(x, self.function(x), 1 + self.more * self.rate)


class NumberEmbedding(nn.Module):
    """Of each number a few waves of frequencies that are learnt, mixed into three numbers (PBLD of the paper)."""

    def __init__(self, num: int, rate: float) -> None:
        super().__init__()
        self.rate, bound = SLOW * rate, 1 / math.sqrt(WAVES)
        self.frequency = nn.Parameter(torch.randn(num, 1, WAVES) * (FREQUENCY / self.rate))
        self.phase = nn.Parameter(torch.empty(num, 1, WAVES).uniform_(-math.pi, math.pi) / self.rate)
        self.weight = nn.Parameter(torch.empty(num, WAVES, MIXED).uniform_(-bound, bound) / self.rate)
        self.bias = nn.Parameter(torch.empty(num, 1, MIXED).uniform_(-bound, bound) / self.rate)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, num) to (N, num * 3)."""
        angles = torch.baddbmm(
            self.phase * self.rate, x.T.unsqueeze(2), self.frequency * (2 * math.pi * self.rate)
        )  # (num, N, 16)
        mixed = torch.baddbmm(self.bias * self.rate, angles.cos(), self.weight * self.rate)  # (num, N, 3)
        return mixed.transpose(0, 1).flatten(1)  # (num, N, 3) -> (N, num * 3)


class RealMLP(nn.Module):
    """A multilayer perceptron made for tables, after embeddings of numbers and categories.

    Of bins of numbers those of peaked columns are taken alone; elsewhere waves say as much. Missing numbers are the
    median and a feature that says so.

    Args:
        num_features: columns of the input, or its size where it is bags.
        num_outputs: outputs per row.
        bags: whether the input is `Bags`.
        columns: how many features each column of the table has, in their order; none: each feature is a number.
        numbers: which of the columns hold numbers, whose features are the number, whether it is missing, and bins.
        peaked: which of them have one number in the middle half of their rows.
        task: what outputs are of; numbers learn faster.
        hidden: sizes of the hidden layers.
        dropout: probability to zero a hidden unit in training, in [0, 1).
        members: networks side by side, whose predictions are averaged; each learns for itself.

    Raises:
        UserError: sizes below 1, dropout outside of [0, 1), columns that do not make the features.
    """

    auto_batch_size = 256  # rows, where nobody says it
    used: Tensor
    place: Tensor
    owner: Tensor

    def __init__(
        self,
        num_features: int,
        num_outputs: int,
        bags: bool = False,
        columns: Sequence[int] = (),
        numbers: Sequence[int] = (),
        peaked: Sequence[int] = (),
        task: str = "multiclass",
        hidden: Sequence[int] = (128, 128, 128),
        dropout: float = 0.15,
        members: int = 4,
    ) -> None:
        super().__init__()
        if any(size < 1 for size in hidden):
            raise UserError(f"model.hidden: expected sizes of at least 1, such as [128]; got {list(hidden)}.")
        if members < 1:
            raise UserError(f"model.members: expected a whole number of at least 1; got {members}.")
        if not 0 <= dropout < 1:
            raise UserError(f"model.dropout: expected a probability from 0 to below 1; got {dropout}.")
        if bags and not columns:
            raise UserError("model: RealMLP reads the columns of tables; of texts take model=perceptron or model=mlp.")
        if not columns:
            columns, numbers = [1] * num_features, range(num_features)
        if sum(columns) != num_features or not all(0 <= one < len(columns) for one in numbers):
            raise UserError(f"model: expected columns of {num_features:,} features; they have {sum(columns):,}.")
        self.column_sizes, self.number_columns = list(columns), list(numbers)
        ranges = [range(end - size, end) for size, end in zip(columns, accumulate(columns), strict=True)]
        waving = [i for i in numbers if columns[i] != TWO_VALUES]
        words = [one for i, one in enumerate(ranges) if i not in numbers]
        small, large = ([one for one in words if (len(one) > MAX_PLAIN) is is_large] for is_large in (False, True))
        bins = [ranges[i][2:] for i in waving if i in peaked and columns[i] > TWO_VALUES]
        large += bins
        values = [ranges[i][0] for i in waving]
        plain = [*chain.from_iterable(ranges[i][:2] for i in numbers if i not in waving)]
        plain += [*chain.from_iterable(ranges[i][1:2] for i in waving)]
        self.num_values = len(values)
        self.num_numbers = self.num_values + len(plain)
        plain += chain.from_iterable(small)
        self.num_plain = len(values) + len(plain)
        self.sizes = [len(one) for one in large]
        used = [*values, *plain, *chain.from_iterable(large)]
        self.register_buffer("used", torch.tensor(used, dtype=torch.int64), persistent=False)
        # Of each feature of bags: its place among those that are used, and which of the large columns it is of.
        place, owner = torch.full((num_features,), self.num_plain), torch.full((num_features,), len(large))
        place[self.used] = torch.arange(len(used))
        for k, one in enumerate(large):
            owner[one.start : one.stop] = k
        self.register_buffer("place", place, persistent=False)
        self.register_buffer("owner", owner, persistent=False)

        self.task, self.rate = task, OF_NUMBERS if task == "regression" else 1.0
        self.waves = NumberEmbedding(len(values), self.rate) if values else None
        self.table = nn.Parameter(torch.randn(sum(self.sizes), WIDTH) / self.rate)
        with torch.no_grad():
            self.table[sum(self.sizes) - sum(map(len, bins)) :] = 0  # neighbours are alike, until they are not
        width = len(values) * MIXED + self.num_plain + len(large) * WIDTH
        length = len(values) * (MIXED + 1) + len(numbers) - len(waving) + len(small) * ONE**2 + len(large) * WIDTH
        self.scale = nn.Parameter(torch.zeros(members, 1, width))  # more than 1, as in `Activation`
        sizes, layers = [width, *hidden], list[nn.Module]()
        for num_in, num_out in pairwise(sizes):
            layers.append(Linear(members, num_in, num_out, self.rate, num_in if layers else length))
            layers += [Activation(members, num_out, self.rate, task == "regression"), nn.Dropout(dropout)]
        layers.append(Linear(members, sizes[-1], num_outputs, self.rate, sizes[-1] if layers else length))
        self.body = nn.Sequential(*layers)

    def forward(self, features: Features) -> Tensor:
        """Map features of N rows to outputs (N, num_outputs); in training those of each member, (N, members, ...)."""
        plain, large = self._parts_of_bags(features) if isinstance(features, Bags) else self._parts_of(features)
        numbers = plain[:, : self.num_numbers] / SCALE
        waves = [] if self.waves is None else [self.waves(numbers[:, : self.num_values])]
        x = torch.cat([*waves, numbers, plain[:, self.num_numbers :] * (ONE / SCALE), *large], dim=1)
        outputs: Tensor = self.body(x * (1 + self.scale * (FAST * self.rate)))  # (members, N, num_outputs)
        if self.training:
            return outputs.transpose(0, 1)
        if self.task == "regression":
            return outputs.mean(dim=0)
        if self.task == "multiclass" and outputs.shape[2] > 1:
            return outputs.log_softmax(dim=2).logsumexp(dim=0)
        return F.logsigmoid(outputs).logsumexp(dim=0) - F.logsigmoid(-outputs).logsumexp(dim=0)

    def _parts_of(self, features: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return what is taken as it is (N, num_plain), and what stands for each of the large columns (N, 8)."""
        used = features.index_select(1, self.used)
        if not self.sizes:  # torch can't read an exported split without parts
            return used, []
        plain, *large = torch.split(used, [self.num_plain, *self.sizes], dim=1)
        tables = torch.split(self.table, self.sizes)
        return plain, [one @ (table * (self.rate / SCALE)) for one, table in zip(large, tables, strict=True)]

    def _parts_of_bags(self, bags: Bags) -> tuple[Tensor, list[Tensor]]:
        """Return the same of N bags."""
        num_rows, num_large, ids = bags.offsets.shape[0] - 1, len(self.sizes), bags.ids.long()
        # As sums of marks, not by `repeat_interleave`, which no exporter takes for no row.
        ends = bags.offsets[1:]
        rows = ids.new_zeros(ids.shape[0] + 1).index_add(0, ends, torch.ones_like(ends)).cumsum(0)[: ids.shape[0]]
        place, owner, weights = self.place[ids], self.owner[ids], bags.weights.to(self.scale.dtype)
        # What is not asked for goes to one place more, and from there nowhere.
        plain = weights.new_zeros(num_rows, self.num_plain + 1)
        plain = plain.index_put((rows, place.clamp(max=self.num_plain)), weights)
        if num_large == 0:
            return plain[:, :-1], []
        codes = (place - self.num_plain).clamp(min=0)
        found = F.embedding(codes, self.table) * (weights * (self.rate / SCALE)).unsqueeze(1)  # (nnz, 8)
        large = weights.new_zeros(num_rows, num_large + 1, WIDTH).index_put((rows, owner), found, accumulate=True)
        return plain[:, :-1], [*large[:, :-1].unbind(1)]
