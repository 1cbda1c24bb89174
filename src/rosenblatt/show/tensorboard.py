"""What TensorBoard shows of a run."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor, nn

from rosenblatt.data.features import Features
from rosenblatt.run.folder import RunFolder
from rosenblatt.show.figures.style import Drawn
from rosenblatt.show.model_graph import graph_of
from rosenblatt.show.ranking import OneAgainstRest, confusions_by_threshold
from rosenblatt.show.tables import printable

NUM_BINS = 50  # of a histogram
MAX_COUNTED = 1_000_000  # numbers in it, of which there may be more: `torch.histc` counts in float32
TOGETHER = ("loss", "acc", "f1", "p_at_1")  # charts with training and validation


class History(TensorBoardLogger):
    """The scalars of a run over its steps, and at the end its settings beside its final metrics; pictures and more.

    Args:
        run: folder that gets them, under ``tensorboard/``.
    """

    def __init__(self, run: RunFolder) -> None:
        super().__init__(run.path, name=None, version="tensorboard", default_hp_metric=False)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add scalars; of those of training and of validation, Lightning adds the epoch to both."""
        if any(name.startswith("val/") for name in metrics):
            metrics = {name: value for name, value in metrics.items() if name != "epoch"}
        super().log_metrics(metrics, step)

    def log_layout(self, names: Sequence[str]) -> None:
        """Put training and validation into one chart, under "Custom Scalars".

        Args:
            names: of metrics that there are, such as ``loss``.
        """
        charts = {name: ["Multiline", [f"^train/{name}$", f"^val/{name}$"]] for name in TOGETHER if name in names}
        self.experiment.add_custom_scalars(
            {"training and validation": charts, "schedule": {"lr": ["Multiline", ["^lr$"]]}}
        )

    def log_model_graph(self, model: nn.Module, features: Features) -> None:
        """Add the graph of a model: its layers, in the order in which rows pass through them."""
        self._writer().add_event(Event(graph_def=graph_of(model, features).SerializeToString()))

    def log_picture(self, tag: str, drawn: Drawn, step: int) -> None:
        """Add a picture, under a name, of a step."""
        image = Summary.Image(
            encoded_image_string=drawn.png, height=drawn.height, width=drawn.width, colorspace=3
        )  # fmt: skip
        self._writer().add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)

    def log_pr_curves(self, split: str, asked: Sequence[OneAgainstRest], step: int) -> None:
        """Add a precision-recall curve for each question of yes and no.

        Args:
            split: that rows are of.
            asked: see `rosenblatt.show.ranking.one_against_rest`.
            step: that they are of.
        """
        for one in asked:
            found = confusions_by_threshold(one.probs, one.positive)
            tp, fp, tn, fn = (count.numpy() for count in found)
            tag = f"{split}/pr_curve" + (f"/{printable(one.name)}" if len(asked) > 1 else "")
            precision, recall = tp / np.maximum(tp + fp, 1), tp / np.maximum(tp + fn, 1)
            self.experiment.add_pr_curve_raw(tag, tp, fp, tn, fn, precision, recall, step, num_thresholds=len(tp))

    def log_histograms(self, model: nn.Module, step: int) -> None:
        """Add histograms of weights, and of their gradients in the last step; of a million, evenly chosen, of more."""
        for name, parameter in model.named_parameters():
            tag = name.replace(".", "/")
            self._log_histogram(f"weights/{tag}", parameter.detach(), step)
            if parameter.grad is not None:
                self._log_histogram(f"gradients/{tag}", parameter.grad, step)

    def _log_histogram(self, tag: str, values: Tensor, step: int) -> None:
        values = values.flatten()
        values = values[:: values.numel() // MAX_COUNTED + 1].float().cpu()
        low, high = (float(end) for end in values.aminmax())
        if not np.isfinite([low, high]).all():
            return
        if low == high:  # all in one bin
            low, high = low - 0.5, high + 0.5
        counts = torch.histc(values, NUM_BINS, low, high).tolist()
        limits = np.linspace(low, high, NUM_BINS + 1)[1:].tolist()
        total, squares = float(values.double().sum()), float(values.double().square().sum())
        self.experiment.add_histogram_raw(tag, low, high, values.numel(), total, squares, limits, counts, step)

    def log_table(self, tag: str, header: Sequence[str], rows: Sequence[Sequence[str]], step: int) -> None:
        """Add a table under "Text", whatever its cells hold."""
        lines = [header, ["---"] * len(header), *rows]
        self.experiment.add_text(tag, "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines), step)

    def log_embeddings(self, tag: str, names: Sequence[str], vectors: Tensor, step: int) -> None:
        """Add points for the projector.

        Args:
            tag: what they are.
            names: of each.
            vectors: (num_names, size).
            step: that they are of.
        """
        metadata = [printable(name) or "(empty)" for name in names]
        self.experiment.add_embedding(vectors, metadata, tag=tag, global_step=step)

    def _writer(self) -> Any:
        return self.experiment._get_file_writer()  # a new one, where the last was closed


def _cell(text: str) -> str:
    """Return text as a cell of a Markdown table that says just this."""
    return (
        text if text == "---" else re.sub(r"([\\`*_{}\[\]()#+!|-])", r"\\\1", html.escape(printable(text), quote=False))
    )
