"""What a run hands over to be shown: figures while it trains, in ``figures/`` and in ``report.html`` at its end."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import polars
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from rosenblatt.cli.values import flat, plain
from rosenblatt.commands.parts import Parts
from rosenblatt.commands.results import Reached, worst_rows
from rosenblatt.data.columns import Columns
from rosenblatt.data.contract import columns_of, encoder_of, pair_of, splits_of
from rosenblatt.data.features import rows_between
from rosenblatt.run.folder import RunFolder
from rosenblatt.run.whole import write_whole
from rosenblatt.show import tensorboard
from rosenblatt.show.figures.kinds import Drawing, drawings
from rosenblatt.show.inside import Rows, influence_bars, influences, inside_arrays, looked_at, word_vectors
from rosenblatt.show.page import PageFigure, RunPage, inline
from rosenblatt.show.pool import FigurePool, Ordered, told
from rosenblatt.show.run_figures import Examined, LiveFigures
from rosenblatt.tasks.arrays import Influence
from rosenblatt.tasks.task import Task
from rosenblatt.tasks.titles import SPLIT_TITLES

NUM_MISTAKES = 20


def make_live(
    config: DictConfig, parts: Parts, pool: FigurePool | None, epochs: dict[int, dict[str, float]]
) -> LiveFigures | None:
    """Return the callback that shows epochs, or ``None`` where nothing is to be drawn."""
    if pool is None:
        return None
    examine, graph, features = None, None, features_of(parts, "val")
    if parts.task is not None:
        examine = partial(examined, parts, parts.task, "val")
    if parts.model is not None and features is not None:
        graph = parts.model, rows_between(features, 0, 1)
    return LiveFigures(pool, epochs, config.figures.every_n_epochs, examine, _outputs_and_target, graph)


def _outputs_and_target(returned: Any, batch: Any) -> tuple[Tensor, Tensor] | None:
    """Return outputs and target of a batch, where ``validation_step`` returns outputs."""
    pair = pair_of(batch)
    return (returned, pair[1]) if pair is not None and isinstance(returned, Tensor) and returned.ndim > 0 else None


def features_of(parts: Parts, split: str) -> Any | None:
    """Return the features of all rows of a split, where the data module keeps them in memory."""
    splits = splits_of(parts.data)
    return splits[split][0] if split in splits else None


def examined(parts: Parts, task: Task, split: str, outputs: Tensor, target: Tensor, moment: str) -> Examined:
    """Return what there is to see of a split.

    Args:
        parts: of the run.
        task: what the outputs mean.
        split: ``val`` or ``test``.
        outputs: (N, num_outputs) of its rows.
        target: of the same rows.
        moment: that the model is seen at, such as ``epoch 3``.
    """
    of = f"{SPLIT_TITLES[split]}, {moment}"
    task.check(outputs, target)
    arrays: dict[str, Any] = {}
    features = features_of(parts, split)
    if parts.model is not None and features is not None and task.classes and target.ndim == 1:
        preds = task.decide(task.scores(outputs))
        rows = Rows(features, target, preds, task, getattr(encoder_of(parts.data), "plane", None))
        arrays |= inside_arrays(parts.model, rows)
    arrays |= task.arrays(outputs, target)
    return Examined(drawings(arrays, of), task.questions(outputs, target, tensorboard.MAX_PR_CURVES))


@dataclass
class Ending:
    """What there is to see of a run that has ended: begun as soon as it is known, finished when all else is done.

    Attributes:
        run: folder that gets it.
        pool: draws.
        parts: of the run.
        writers: of TensorBoard, or none.
        step: of the optimizer, that figures are of.
        moment: that the model is of, such as ``epoch 3``.
        reached: what was measured; from `examine` on.
        influences: what moves each output; from `examine` on.
    """

    run: RunFolder
    pool: FigurePool
    parts: Parts
    writers: Sequence[SummaryWriter]
    step: int
    moment: str
    reached: Reached = field(init=False)
    influences: list[Influence] = field(default_factory=list)
    _ordered: dict[str, tuple[Drawing | str, Ordered]] = field(init=False, default_factory=dict)

    def order(self, figures: Mapping[str, Drawing | str]) -> None:
        """Have figures drawn, by name; or say why there are none."""
        self._ordered |= {name: (one, self.pool.order(one, with_svg=True)) for name, one in figures.items()}

    def examine(self, reached: Reached) -> None:
        """Have figures of what was measured drawn."""
        self.reached, split, moment = reached, reached.last, self.moment
        if reached.task is None or reached.measured is None:
            return
        if reached.measured.is_whole:
            with told("figures"):
                outputs, target = reached.measured.outputs, reached.measured.target
                found = examined(self.parts, reached.task, split, outputs, target, moment)
                self.order(found.figures)
                for writer in self.writers:
                    tensorboard.log_pr_curves(writer, f"{tensorboard.END}/{split}", found.questions, self.step)
        features = features_of(self.parts, split)
        if self.parts.model is not None and features is not None:
            with told("influences"), looked_at(self.parts.model):
                self._influence(self.parts.model, reached.task, features, f"{SPLIT_TITLES[split]}, {moment}")

    def _influence(self, model: nn.Module, task: Task, features: Any, of: str) -> None:
        encoder = encoder_of(self.parts.data)
        names = _numbered if encoder is None else encoder.names
        self.influences = influences(model, features, task, names)
        bars = influence_bars(self.influences, task.num_outputs)
        self.order(drawings({"influence": bars}, of))
        if (vectors := word_vectors(model, features)) is not None:
            for writer in self.writers:
                tensorboard.log_embeddings(writer, "words", names(vectors[0]), vectors[1], self.step)

    def finish(self, config: DictConfig, metrics: dict[str, Any], notes: list[str], rows: bytes | None) -> None:
        """Write ``figures/`` and ``report.html``."""
        run, split, task = self.run, self.reached.last, self.reached.task
        mistakes, why = self._mistakes(rows)
        with told("tables"):
            for writer in self.writers:
                tensorboard.log_influences(writer, self.influences, self.step)
                tensorboard.log_mistakes(writer, f"{tensorboard.END}/{split}", mistakes, self.step)
        overrides: Any = OmegaConf.to_container(OmegaConf.load(run.path / "overrides.yaml"))
        targets = {split: target for split, (_, target) in splits_of(self.parts.data).items()}
        content = RunPage(
            name=run.path.resolve().name,
            lead=self.parts.described,
            metrics=metrics,
            num_rows=self.reached.num_rows,
            notes=notes,
            data=task.table(targets) if task is not None and targets else None,
            figures=[self._collected(name, *one) for name, one in self._ordered.items()],
            influences=self.influences,
            influence_note=f"Part in the {'logit' if task is None else task.unit}, in the mean of the first 2,000 rows "
            f"of {split}: how much it weighs where it is, and how often it is there.",
            mistakes=mistakes,
            no_mistakes=why,
            settings={key: value for key, value in flat(plain(config)).items() if key.partition(".")[0] != "sweep"},
            environment=run.read_json("environment.json") or {},
            overrides=overrides,
            **({} if task is None else {"baseline": task.baseline_title}),
        )
        write_whole(run.path / "report.html", content.html().encode())

    def _collected(self, name: str, drawing: Drawing | str, ordered: Ordered) -> PageFigure:
        """Wait for a figure, put it where it belongs, and return it for the page."""
        drawn = self.pool.result(ordered)
        if isinstance(drawn, str) or isinstance(drawing, str):
            return PageFigure(name, "", reason=str(drawn))
        folder = self.run.path / "figures"
        try:
            folder.mkdir(exist_ok=True)
            write_whole(folder / f"{name}.png", drawn.png, forced=False)
            write_whole(folder / f"{name}.svg", drawn.svg.encode(), forced=False)
        except OSError as error:
            return PageFigure(name, "", reason=self.pool.tell(f"{error.filename} can't be written: {error.strerror}"))
        with told(name):
            for writer in self.writers:
                tensorboard.log_figure(writer, f"{tensorboard.END}/{name}", drawn, self.step)
        return PageFigure(name, drawing.caption, inline(drawn.svg, name, drawing.caption))

    def _mistakes(self, rows: bytes | None) -> tuple[list[dict[str, Any]], str]:
        """Return the rows that are wrong, as people read them, and what to say where there are none."""
        measured, task = self.reached.measured, self.reached.task
        if measured is None or task is None:
            return [], "Not looked for: what this module predicts has no right or wrong."
        if not measured.is_whole:
            return [], "Not looked for: there are too many rows and outputs to keep them all."
        if rows is None:
            return [], "Not shown: these data have no rows that people can read."
        with told("mistakes"):
            frame, scores = polars.read_parquet(io.BytesIO(rows)), task.scores(measured.outputs)
            columns = columns_of(self.parts.data) or Columns()
            return worst_rows(columns, task, scores, measured.target, frame, NUM_MISTAKES), "None: all are right."
        return [], "They could not be looked for."


def _numbered(numbers: NDArray[np.int64]) -> list[str]:
    return [f"feature {number}" for number in numbers]
