from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from perceptron.models import ACTIVATIONS, MLP, Perceptron
from rosenblatt.data.features import Bags
from rosenblatt.errors import UserError
from rosenblatt.loop.threads import num_parameters
from rosenblatt.text.sparse import BagLinear

NUM_ROWS, NUM_FEATURES = 9, 20


def rows(seed: int = 0) -> tuple[Tensor, Bags]:
    """The same sparse rows, dense and as bags; the last is empty."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(NUM_ROWS, NUM_FEATURES, generator=generator)
    matrix *= torch.rand(NUM_ROWS, NUM_FEATURES, generator=generator) < 0.3
    matrix[-1] = 0
    present = matrix != 0
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), present.sum(dim=1).cumsum(0)])
    return matrix, Bags(present.nonzero()[:, 1].to(torch.int32), matrix[present], offsets)


def copied(on_bags: nn.Module, on_dense: nn.Module) -> None:
    """Give a model on dense features the weights of one on bags."""
    with torch.no_grad():
        for target, source in zip(on_dense.modules(), on_bags.modules(), strict=True):
            if isinstance(target, nn.Linear):
                weight = source.weight.T if isinstance(source, BagLinear) else source.weight
                target.weight.copy_(weight)
                target.bias.copy_(source.bias)


@pytest.mark.parametrize("num_outputs", [1, 3])
def test_a_perceptron_on_bags_is_one_on_the_dense_matrix(num_outputs):
    matrix, bags = rows()
    on_bags, on_dense = Perceptron(NUM_FEATURES, num_outputs, bags=True), Perceptron(NUM_FEATURES, num_outputs)
    with torch.no_grad():
        for parameter in on_bags.parameters():
            parameter.normal_()
    copied(on_bags, on_dense)
    assert isinstance(on_dense.linear, nn.Linear)
    logits = on_bags(bags)
    assert logits.shape == (NUM_ROWS, num_outputs)
    assert logits.std() > 0
    torch.testing.assert_close(logits, on_dense(matrix))


@pytest.mark.parametrize("num_outputs", [1, 3])
@pytest.mark.parametrize("hidden", [[], [7], [7, 1, 5]])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_mlp_on_bags_is_one_on_the_dense_matrix(num_outputs, hidden, activation):
    matrix, bags = rows()
    on_bags = MLP(NUM_FEATURES, num_outputs, bags=True, hidden=hidden, activation=activation)
    on_dense = MLP(NUM_FEATURES, num_outputs, hidden=hidden, activation=activation)
    copied(on_bags, on_dense)
    logits = on_bags(bags)
    assert logits.shape == (NUM_ROWS, num_outputs)
    torch.testing.assert_close(logits, on_dense(matrix))


def test_an_mlp_is_linear_activation_linear():
    matrix, _ = rows()
    model = MLP(NUM_FEATURES, 3, hidden=[6], activation="tanh")
    first, last = (layer for layer in model.modules() if isinstance(layer, nn.Linear))
    expected = (matrix @ first.weight.T + first.bias).tanh() @ last.weight.T + last.bias
    torch.testing.assert_close(model(matrix), expected)


@pytest.mark.parametrize("bags", [False, True])
def test_no_hidden_layer_is_the_perceptron(bags):
    mlp, plain = MLP(NUM_FEATURES, 3, bags=bags, hidden=[], dropout=0.5), Perceptron(NUM_FEATURES, 3, bags=bags)
    (layer,) = mlp.layers
    assert type(layer) is type(plain.linear)
    assert num_parameters(mlp) == num_parameters(plain) == (NUM_FEATURES + 1) * 3
    layer.load_state_dict(plain.linear.state_dict())
    features = rows()[bags]
    assert torch.equal(mlp(features), plain(features))


def test_hidden_sizes_are_the_sizes_of_the_layers():
    model = MLP(NUM_FEATURES, 2, hidden=[8, 4])
    sizes = [(layer.in_features, layer.out_features) for layer in model.modules() if isinstance(layer, nn.Linear)]
    assert sizes == [(NUM_FEATURES, 8), (8, 4), (4, 2)]
    assert num_parameters(model) == (NUM_FEATURES + 1) * 8 + 9 * 4 + 5 * 2


def test_a_perceptron_on_bags_starts_at_zero_and_an_mlp_does_not():
    _, bags = rows()
    assert not Perceptron(NUM_FEATURES, 2, bags=True)(bags).any()
    model = MLP(NUM_FEATURES, 2, bags=True, hidden=[16])
    hidden = model.layers[0](bags)
    assert hidden[:-1].unique(dim=1).shape[1] == 16  # units that start alike would stay alike


@pytest.mark.parametrize("bags", [False, True])
def test_dropout_works_in_training_only(bags):
    features = rows()[bags]
    model = MLP(NUM_FEATURES, 2, bags=bags, hidden=[64], dropout=0.5)
    without = MLP(NUM_FEATURES, 2, bags=bags, hidden=[64], dropout=0.0)
    without.load_state_dict(model.state_dict())
    model.train()
    assert not torch.equal(model(features), model(features))
    model.eval()
    assert torch.equal(model(features), without(features))


def test_dropout_never_touches_features_or_logits():
    model = MLP(NUM_FEATURES, 2, hidden=[8, 8], dropout=0.5)
    kinds = [type(layer) for layer in model.layers]
    assert kinds == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]


@pytest.mark.parametrize("bags", [False, True])
@pytest.mark.parametrize("make", [Perceptron, MLP])
def test_every_parameter_gets_a_gradient(make, bags):
    model = make(NUM_FEATURES, 3, bags=bags)
    model(rows()[bags]).square().sum().backward()
    model(rows()[bags]).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize("bags", [False, True])
@pytest.mark.parametrize("make", [Perceptron, MLP])
def test_a_batch_without_rows_has_no_logits(make, bags):
    empty = torch.zeros(0, NUM_FEATURES)
    features = Bags(torch.zeros(0, dtype=torch.int32), torch.zeros(0), torch.zeros(1, dtype=torch.int64))
    assert make(NUM_FEATURES, 3, bags=bags)(features if bags else empty).shape == (0, 3)


@pytest.mark.parametrize("hidden", [[0], [64, -1]])
def test_a_hidden_size_below_one_is_refused(hidden):
    with pytest.raises(UserError, match=r"model.hidden: expected sizes of at least 1"):
        MLP(NUM_FEATURES, 2, hidden=hidden)


def test_an_unknown_activation_gets_the_one_that_was_meant():
    with pytest.raises(UserError, match=r"model.activation: .*got 'rellu'\. Did you mean 'relu'\?"):
        MLP(NUM_FEATURES, 2, activation="rellu")


@pytest.mark.parametrize("dropout", [1.0, -0.1, 2.0, float("nan")])
def test_dropout_is_a_probability_below_one(dropout):
    with pytest.raises(UserError, match=r"model.dropout: expected a probability from 0 to below 1"):
        MLP(NUM_FEATURES, 2, dropout=dropout)


def test_frozen_parameters_are_not_counted():
    model = MLP(NUM_FEATURES, 2, hidden=[4])
    before = num_parameters(model)
    model.layers[0].weight.requires_grad_(False)
    assert num_parameters(model) == before - NUM_FEATURES * 4
