"""The layers of a model, in the order in which rows pass through them, as TensorBoard draws graphs."""

from __future__ import annotations

from typing import Any

import torch
from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.versions_pb2 import VersionDef
from torch import Tensor, nn

from rosenblatt.data.features import Bags, Features


def graph_of(model: nn.Module, features: Features) -> GraphDef:
    """Return a graph with a node for each innermost module that a forward pass calls.

    `torch.utils.tensorboard.SummaryWriter.add_graph` traces operations, which takes a second and can't trace bags.

    Args:
        model: any.
        features: of a row or more.
    """
    if isinstance(features, Tensor):
        features = features.to(next(model.parameters()).dtype)
    graph = GraphDef(versions=VersionDef(producer=22))
    made_by: dict[int, str] = {}
    kept: list[Any] = []  # while they live, no other tensor has their number

    def add(name: str, op: str, inputs: list[Tensor], output: Any, note: str = "") -> None:
        sources = list(dict.fromkeys(made_by[id(one)] for one in inputs if id(one) in made_by))
        node = NodeDef(name=name, op=op, input=sources)
        if isinstance(output, Tensor):
            sizes = [TensorShapeProto.Dim(size=size) for size in output.shape]
            node.attr["_output_shapes"].CopyFrom(
                AttrValue(list=AttrValue.ListValue(shape=[TensorShapeProto(dim=sizes)]))
            )
        if note:
            node.attr["settings"].CopyFrom(AttrValue(s=note.encode()))
        graph.node.append(node)
        for one in _tensors(output):
            made_by[id(one)] = name
            kept.append(one)

    def hook(name: str) -> Any:
        def called(module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
            path = unique(name.replace(".", "/") or type(module).__name__)
            add(path, type(module).__name__, _tensors(arguments), output, module.extra_repr())

        return called

    def unique(path: str) -> str:
        taken = {node.name for node in graph.node}
        return next(one for one in (path, *(f"{path}_{i}" for i in range(1, len(taken) + 2))) if one not in taken)

    add("features", "Bags" if isinstance(features, Bags) else "Placeholder", [], features)
    innermost = [(name, one) for name, one in model.named_modules() if not list(one.children())]
    handles = [one.register_forward_hook(hook(name)) for name, one in innermost]
    try:
        with torch.no_grad():
            logits = model(features)
    finally:
        for handle in handles:
            handle.remove()
    add("logits", "Identity", _tensors(logits), None)
    return graph


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, tuple | list):
        return [tensor for one in value for tensor in _tensors(one)]
    return []
