"""Views of small models, for the tests of scenes."""

from __future__ import annotations

import torch

from perceptron.models import Perceptron
from rosenblatt.data.features import DataSpec
from rosenblatt.data.points import PointEncoder
from rosenblatt.show.scenes.view import View


def spec_of(task, num_classes, num_features=2, bags=False):
    classes = tuple(f"class {k}" for k in range(num_classes))
    return DataSpec(num_features, bags, task, classes, (1,) * num_classes, 10)


def view_of(model, spec, features, target, **more):
    with torch.no_grad():
        logits = model(features)
    plane = None if spec.bags else PointEncoder(spec.num_features).plane
    return View(model, spec, "val", "epoch 3", features, target, logits, **{"plane": plane} | more)


def line(weight=(0.0, 1.0), bias=0.0):
    model = Perceptron(2, 1)
    model.linear.weight.data, model.linear.bias.data = torch.tensor([weight]), torch.tensor([bias])
    return model
