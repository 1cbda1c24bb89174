"""The graph that TensorBoard draws."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from perceptron.models import MLP, Perceptron
from rosenblatt.data.features import Bags
from rosenblatt.show.tensorboard import graph_of

BAGS = Bags(torch.tensor([0], dtype=torch.int32), torch.ones(1), torch.tensor([0, 1]))


def edges(graph):
    return [(source, node.name) for node in graph.node for source in node.input]


def test_an_mlp_is_a_chain_of_its_layers_with_their_shapes():
    graph = graph_of(MLP(3, 2, hidden=[4]), torch.ones(1, 3))
    chain = ["features", "layers/0", "layers/1", "layers/2", "layers/3", "logits"]
    assert edges(graph) == list(pairwise(chain))
    assert [node.op for node in graph.node][1:3] == ["Linear", "ReLU"]
    sizes = graph.node[1].attr["_output_shapes"].list.shape[0].dim
    assert [size.size for size in sizes] == [1, 4]


def test_bags_can_be_drawn_too():
    assert edges(graph_of(Perceptron(5, 1, bags=True), BAGS)) == [("features", "linear"), ("linear", "logits")]


def test_a_layer_that_is_used_twice_is_there_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            return self.layer(self.layer(x))

    assert edges(graph_of(Twice(), torch.ones(1, 2))) == [
        ("features", "layer"), ("layer", "layer_1"), ("layer_1", "logits"),
    ]  # fmt: skip


def test_the_model_is_as_before():
    model = MLP(3, 2, hidden=[4])
    graph_of(model, torch.ones(1, 3))
    assert not any(module._forward_hooks for module in model.modules())
