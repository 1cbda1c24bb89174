"""What TensorBoard shows of a run: its logger, and what there is to log besides scalars, on any SummaryWriter."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.versions_pb2 import VersionDef
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from rosenblatt.data.features import Features
from rosenblatt.show.figures.style import Drawn
from rosenblatt.show.metrics import is_aside, order_of, parted, splits_of
from rosenblatt.show.tables import mistake_cells
from rosenblatt.show.words import LONGEST_CELL, printable
from rosenblatt.tasks.arrays import Influence
from rosenblatt.tasks.examination import OneAgainstRest

END = "wrap_up"  # group of all that is logged once, at the end: it sorts behind train/, val/ and weights/
MAX_HPARAMS = 6  # metrics in the table of all runs, each of which is a card of one point elsewhere
MAX_COUNTED = 1_000_000  # numbers of a histogram, of which there may be more
MAX_PR_CURVES = 10  # classes with a precision-recall curve of their own
NUM_THRESHOLDS = 127  # of a curve


class History(TensorBoardLogger):
    """Lightning's logger, in a folder ``tensorboard`` of ``save_dir``, without a curve of the epoch's number."""

    def __init__(self, save_dir: str | Path) -> None:
        super().__init__(save_dir, name=None, version="tensorboard", default_hp_metric=False)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add scalars, but the epoch's number, which Lightning adds to those of training and of validation."""
        super().log_metrics({name: value for name, value in metrics.items() if name != "epoch"}, step)


def writers_of(trainer: pl.Trainer) -> list[SummaryWriter]:
    """Return what writes to TensorBoard: nothing in trial runs, or in processes that others log for."""
    if not trainer.is_global_zero:
        return []
    return [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]


@rank_zero_only
def log_settings(logger: TensorBoardLogger, settings: Mapping[str, Any]) -> None:
    """Put a run with its settings, flat, into the table of all runs, whose columns TensorBoard finds by itself."""
    logger.hparams.update(settings)
    _file_of(logger.experiment).add_summary(hparams(dict(settings), {})[1])  # type: ignore[no-untyped-call]
    logger.experiment.flush()  # the process may be killed


@rank_zero_only
def log_outcome(logger: TensorBoardLogger, metrics: Mapping[str, float], monitor: str = "val/loss") -> None:
    """Log at most six final metrics of a run, ``monitor`` first, and that it has ended, for the table of all runs."""
    splits = [split for split in ("test", "val") if split in splits_of(metrics)]
    for split in splits:
        keys = [key for key in metrics if parted(key)[0] == split and not is_aside(parted(key)[1])]
        keys.sort(key=lambda key: (key != monitor, order_of(parted(key)[1])))
        logger.log_metrics({f"{END}/{key}": metrics[key] for key in keys[: MAX_HPARAMS // len(splits)]})
    _file_of(logger.experiment).add_summary(hparams({}, {})[2])  # type: ignore[no-untyped-call]


def log_layout(writer: SummaryWriter, keys: Iterable[str]) -> None:
    """Put the metrics that both training and validation have into one chart each, under "Custom Scalars"."""
    tags: dict[str, list[str]] = {}
    for key in sorted(keys, key=parted):
        split, name = parted(key)
        if split in ("train", "val"):
            tags.setdefault(name, []).append(f"^{re.escape(key)}$")
    charts = {name: ["Multiline", tags[name]] for name in sorted(tags, key=order_of) if len(tags[name]) == 2}
    if charts:
        writer.add_custom_scalars({"training and validation": charts, "schedule": {"lr": ["Multiline", ["^lr$"]]}})


def log_figure(writer: SummaryWriter, tag: str, drawn: Drawn, step: int) -> None:
    """Add a figure that is drawn already: `SummaryWriter.add_image` would make a PNG file of its pixels once more."""
    image = Summary.Image(encoded_image_string=drawn.png, height=drawn.height, width=drawn.width, colorspace=3)
    _file_of(writer).add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)


def log_pr_curves(writer: SummaryWriter, split: str, asked: Sequence[OneAgainstRest], step: int) -> None:
    """Add a precision-recall curve for each question of yes and no (`rosenblatt.tasks.examination`)."""
    for one in asked:
        if one.probs.isfinite().all():
            tag = f"{split}/pr_curve" + (f"/{printable(one.name)}" if len(asked) > 1 else "")
            writer.add_pr_curve(tag, one.positive.numpy(), one.probs.double().numpy(), step, NUM_THRESHOLDS)


def log_histograms(writer: SummaryWriter, module: nn.Module, step: int) -> None:
    """Add histograms of weights, and of their gradients in the last step; of a million, evenly chosen, of more.

    Parameters of a LightningModule's ``model`` go by their names in it.
    """
    for name, parameter in module.named_parameters():
        tag = name.removeprefix("model.").replace(".", "/")
        for group, values in (("weights", parameter.detach()), ("weights_gradient", parameter.grad)):
            if values is not None and values.is_sparse:
                values = values.coalesce().values()  # of the rows that the batch named
            if values is None or values.numel() == 0:
                continue
            some = values.flatten()[:: values.numel() // MAX_COUNTED + 1].float().cpu()
            if some.isfinite().all():
                writer.add_histogram(f"{group}/{tag}", some.numpy(), step)


def log_influences(writer: SummaryWriter, influences: Sequence[Influence], step: int) -> None:
    """Add what raises and what lowers each output, a table each."""
    for one in influences:
        header = ("speaks for, or against", f"part in the {one.of}")
        rows = [(name, f"{part:+.4f}") for name, part in [*one.in_favour, *reversed(one.against)]]
        _log_table(writer, f"influence/{printable(one.name)}", header, rows, step)


def log_mistakes(writer: SummaryWriter, split: str, mistakes: Sequence[Mapping[str, Any]], step: int) -> None:
    """Add the worst mistakes as a table; see `rosenblatt.show.tables.mistake_table`."""
    if mistakes:
        _log_table(writer, f"{split}/mistakes", *mistake_cells(mistakes, LONGEST_CELL), step)


def log_embeddings(writer: SummaryWriter, tag: str, names: Sequence[str], vectors: Tensor, step: int) -> None:
    """Add points for the projector: ``names``, and ``vectors`` (num_names, size)."""
    metadata = [printable(name) or "(empty)" for name in names]
    writer.add_embedding(vectors, metadata, tag=tag, global_step=step)


def log_graph(writer: SummaryWriter, model: nn.Module, features: Features) -> None:
    """Add the graph of a model: its layers, in the order in which rows pass through them."""
    _file_of(writer).add_event(Event(graph_def=graph_of(model, features).SerializeToString(deterministic=True)))


def _file_of(writer: SummaryWriter) -> Any:
    return writer._get_file_writer()  # type: ignore[no-untyped-call]  # a new one, where the last was closed


def _log_table(
    writer: SummaryWriter, tag: str, header: Sequence[str], rows: Sequence[Sequence[str]], step: int
) -> None:
    lines = [[_cell(text) for text in line] for line in (header, *rows)]
    lines.insert(1, ["---"] * len(header))
    writer.add_text(tag, "\n".join(f"| {' | '.join(line)} |" for line in lines), step)


def _cell(text: str) -> str:
    """Return text as a cell of a Markdown table that says just this."""
    return re.sub(r"([\\`*_{}\[\]()#+!|-])", r"\\\1", html.escape(printable(text), quote=False))


def graph_of(model: nn.Module, features: Features) -> GraphDef:
    """Return a graph with a node for each innermost module that a forward pass of a row or more calls, in that order.

    `torch.utils.tensorboard.SummaryWriter.add_graph` traces operations, which takes a second and can't trace bags.
    """
    if isinstance(features, Tensor):
        features = features.to(next(model.parameters()).dtype)
    graph, times = GraphDef(versions=VersionDef(producer=22)), Counter[str]()

    def add(path: str, op: str, output: Any = None) -> None:
        times[path] += 1
        name = path if times[path] == 1 else f"{path}_{times[path] - 1}"
        node = graph.node.add(name=name, op=op, input=[one.name for one in graph.node[-1:]])
        if isinstance(output, Tensor):
            shape = node.attr["_output_shapes"].list.shape.add()
            for size in output.shape:
                shape.dim.add(size=size)

    def hook(path: str) -> Any:
        return lambda module, inputs, output: add(path, type(module).__name__, output)

    add("features", type(features).__name__, features)
    innermost = [(name, one) for name, one in model.named_modules() if not list(one.children())]
    handles = [one.register_forward_hook(hook(name.replace(".", "/") or type(one).__name__)) for name, one in innermost]
    try:
        with torch.no_grad():
            model(features)
    finally:
        for handle in handles:
            handle.remove()
    add("logits", "Identity")
    return graph
