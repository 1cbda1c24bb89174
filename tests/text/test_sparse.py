from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from rosenblatt.data.features import Bags
from rosenblatt.text.sparse import BagLinear

NUM_FEATURES = 50


def bags_of(lengths: list[int], seed: int = 0, dtype: torch.dtype = torch.float32) -> Bags:
    """Random bags of these lengths, each id at most once in a row."""
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randperm(NUM_FEATURES, generator=generator)[:length].sort().values for length in lengths]
    ids = torch.cat([torch.zeros(0, dtype=torch.int64), *rows]).to(torch.int32)
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    return Bags(ids, torch.randn(ids.numel(), generator=generator).to(dtype), offsets)


def dense(bags: Bags) -> Tensor:
    matrix = torch.zeros(bags.num_rows, NUM_FEATURES, dtype=bags.weights.dtype)
    for row in range(bags.num_rows):
        pairs = slice(int(bags.offsets[row]), int(bags.offsets[row + 1]))
        matrix[row, bags.ids[pairs].long()] = bags.weights[pairs]
    return matrix


LENGTHS = {"usual": [3, 7, 1, 12], "with empty": [0, 4, 0, 0, 9, 0], "all empty": [0, 0], "one full": [NUM_FEATURES]}
# One output, some, and on a CPU the last number with a gradient of our own and the first with that of torch.
every_shape = pytest.mark.parametrize("num_outputs", [1, 3, 17])
every_length = pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())


@every_shape
@every_length
def test_logits_and_gradients_are_those_of_embedding_bag(num_outputs, lengths):
    bags = bags_of(lengths)
    layer = BagLinear(NUM_FEATURES, num_outputs)
    with torch.no_grad():
        layer.bias.uniform_()
    weight, bias = (value.detach().clone().requires_grad_() for value in (layer.weight, layer.bias))
    expected = bias + F.embedding_bag(
        bags.ids.long(), weight, bags.offsets, mode="sum", per_sample_weights=bags.weights, include_last_offset=True
    )
    logits = layer(bags)
    torch.testing.assert_close(logits, expected)
    direction = torch.randn(len(lengths), num_outputs, generator=torch.Generator().manual_seed(1))
    (logits * direction).sum().backward()
    (expected * direction).sum().backward()
    torch.testing.assert_close(layer.weight.grad, weight.grad)
    torch.testing.assert_close(layer.bias.grad, bias.grad)


@every_shape
@every_length
def test_logits_and_gradients_are_those_of_the_dense_matrix(num_outputs, lengths):
    bags = bags_of(lengths, seed=2)
    layer = BagLinear(NUM_FEATURES, num_outputs)
    weight = layer.weight.detach().clone().requires_grad_()
    expected = dense(bags) @ weight
    logits = layer(bags)
    torch.testing.assert_close(logits, expected)
    logits.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(layer.weight.grad, weight.grad)


@every_shape
@every_length
def test_the_gradient_is_the_slope_in_float64(num_outputs, lengths):
    bags = bags_of(lengths, seed=3, dtype=torch.float64)
    generator = torch.Generator().manual_seed(4)
    weight = torch.randn(NUM_FEATURES, num_outputs, dtype=torch.float64, generator=generator, requires_grad=True)
    layer = BagLinear(NUM_FEATURES, num_outputs).double()
    assert torch.autograd.gradcheck(lambda value: functional_call(layer, {"weight": value}, (bags,)), (weight,))


@every_shape
def test_an_empty_bag_gets_the_bias(num_outputs):
    layer = BagLinear(NUM_FEATURES, num_outputs)
    with torch.no_grad():
        layer.bias.uniform_(1, 2)
    logits = layer(bags_of([0, 5, 0]))
    assert torch.equal(logits[0], layer.bias)
    assert torch.equal(logits[2], layer.bias)
    assert not torch.equal(logits[1], layer.bias)


@every_shape
def test_no_rows_at_all_give_no_logits_and_a_gradient_of_zero(num_outputs):
    layer = BagLinear(NUM_FEATURES, num_outputs)
    logits = layer(bags_of([]))
    assert logits.shape == (0, num_outputs)
    logits.sum().backward()
    assert layer.weight.grad.shape == (NUM_FEATURES, num_outputs)
    assert not layer.weight.grad.any()


@every_shape
def test_an_id_named_twice_counts_twice(num_outputs):
    layer = BagLinear(NUM_FEATURES, num_outputs)
    bags = Bags(torch.tensor([4, 4], dtype=torch.int32), torch.tensor([1.0, 0.5]), torch.tensor([0, 2]))
    logits = layer(bags)
    torch.testing.assert_close(logits, 1.5 * layer.weight[4:5])
    logits.sum().backward()
    assert layer.weight.grad[4].tolist() == [1.5] * num_outputs


@every_shape
def test_gradients_of_repeated_use_add_up(num_outputs):
    first, second = bags_of([3, 0, 5], seed=5), bags_of([8], seed=6)
    layer = BagLinear(NUM_FEATURES, num_outputs)
    (layer(first).sum() + 2 * layer(second).sum() + 3 * layer(first).sum()).backward()
    expected = 4 * dense(first).sum(dim=0) + 2 * dense(second).sum(dim=0)
    torch.testing.assert_close(layer.weight.grad, expected.unsqueeze(1).expand(-1, num_outputs))
    assert torch.equal(layer(first), layer(first))


@every_shape
def test_steps_are_those_of_embedding_bag(num_outputs):
    layer = BagLinear(NUM_FEATURES, num_outputs)
    plain = torch.nn.EmbeddingBag.from_pretrained(
        layer.weight.detach().clone(), freeze=False, mode="sum", include_last_offset=True
    )
    optimizers = [torch.optim.Adam([one.weight], lr=0.1) for one in (layer, plain)]
    for step in range(5):
        bags = bags_of([4, 0, 9, 2], seed=step)
        outputs = [layer(bags), plain(bags.ids.long(), bags.offsets, per_sample_weights=bags.weights)]
        for output, optimizer in zip(outputs, optimizers, strict=True):
            optimizer.zero_grad()
            (output - 1).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(layer.weight, plain.weight)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; here is none")
@every_shape
@every_length
def test_logits_and_gradients_on_a_gpu_are_those_on_the_cpu(num_outputs, lengths):
    bags = bags_of(lengths)
    here = BagLinear(NUM_FEATURES, num_outputs)
    there = BagLinear(NUM_FEATURES, num_outputs).cuda()
    there.load_state_dict(here.state_dict())
    logits = [here(bags), there(Bags(*(part.cuda() for part in bags))).cpu()]
    torch.testing.assert_close(*logits)
    for one in logits:
        one.square().sum().backward()
    torch.testing.assert_close(here.weight.grad, there.weight.grad.cpu())
    torch.testing.assert_close(here.bias.grad, there.bias.grad.cpu())


def test_rows_do_not_depend_on_their_neighbours():
    bags = bags_of([3, 0, 12, 1], seed=7)
    layer = BagLinear(NUM_FEATURES, 3)
    alone = []
    for row in range(bags.num_rows):
        start, stop = int(bags.offsets[row]), int(bags.offsets[row + 1])
        alone.append(layer(Bags(bags.ids[start:stop], bags.weights[start:stop], torch.tensor([0, stop - start]))))
    torch.testing.assert_close(torch.cat(alone), layer(bags))


def test_only_the_words_of_the_batch_are_moved_by_a_step():
    bags = bags_of([4, 2], seed=8)
    layer = BagLinear(NUM_FEATURES, 3)
    before = layer.weight.detach().clone()
    layer(bags).sum().backward()
    torch.optim.SGD(layer.parameters(), lr=1.0).step()
    moved = (layer.weight != before).any(dim=1).nonzero().flatten()
    assert set(moved.tolist()) == set(bags.ids.tolist())


def test_the_layer_starts_at_zero_or_within_its_bound():
    assert not BagLinear(NUM_FEATURES, 4, zero=True).weight.any()
    weight = BagLinear(NUM_FEATURES, 4).weight
    assert weight.abs().max() <= 0.5
    assert weight.unique().numel() > NUM_FEATURES
