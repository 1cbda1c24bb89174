"""The classes that a saved model may be made of. A model folder names them; nothing else in it is ever called.

A model of your own is added here, so that what it has learnt can be loaded again.
"""

from __future__ import annotations

from torch import nn

from perceptron.models import MLP, Perceptron
from rosenblatt.data.encoder import Encoder
from rosenblatt.data.points import PointEncoder
from rosenblatt.table.encoder import TableEncoder
from rosenblatt.text.encoder import TextEncoder

MODELS: dict[str, type[nn.Module]] = {"Perceptron": Perceptron, "MLP": MLP}
ENCODERS: dict[str, type[Encoder]] = {
    "PointEncoder": PointEncoder,
    "TableEncoder": TableEncoder,
    "TextEncoder": TextEncoder,
}
