"""What a run hands over to be shown: figures while it trains, in ``figures/`` and in ``report.html`` at its end."""

from __future__ import annotations

import io
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
from rosenblatt.data.features import first_rows
from rosenblatt.data.module import DataModule
from rosenblatt.run.folder import RunFolder
from rosenblatt.run.whole import write_whole
from rosenblatt.saved.mistakes import shown_mistakes
from rosenblatt.saved.model import SavedModel
from rosenblatt.show.figures.classes import influence_bars
from rosenblatt.show.figures.curves import learning_curves
from rosenblatt.show.figures.kinds import Drawing
from rosenblatt.show.final import FinalFigures
from rosenblatt.show.influence import influences
from rosenblatt.show.inside import Rows, inside_figures, looked_at, word_vectors
from rosenblatt.show.live import Examined, LiveFigures
from rosenblatt.show.pool import FigurePool, told
from rosenblatt.show.report.run_page import RunPage
from rosenblatt.show.tensorboard import (
    END,
    MAX_PR_CURVES,
    log_embeddings,
    log_influences,
    log_mistakes,
    log_pr_curves,
)
from rosenblatt.tasks.arrays import Influence
from rosenblatt.tasks.evaluation import decide, to_probs
from rosenblatt.tasks.examination import class_table, classification_arrays, one_against_rest
from rosenblatt.tasks.titles import SPLIT_TITLES

NUM_MISTAKES = 20


def make_live(config: DictConfig, model: nn.Module, data: DataModule, pool: FigurePool | None) -> LiveFigures | None:
    """Return the callback that shows epochs, or ``None`` where nothing is to be drawn."""
    if pool is None:
        return None
    examine = partial(examined, model, data, "val")
    graph = (model, first_rows(data.splits["val"][0], 1))
    return LiveFigures(pool, config.figures.every_n_epochs, examine, graph=graph)


def examined(
    model: nn.Module, data: DataModule, split: str, logits: Tensor, moment: str, threshold: Any = 0.5,
    temperature: float = 1.0,
) -> Examined:  # fmt: skip
    """Return what there is to see of a split; nothing where these are not the logits of all of its rows.

    Args:
        model: gives logits.
        data: has the split.
        split: ``val`` or ``test``.
        logits: (N, num_outputs), divided by the temperature.
        moment: that the model is seen at, such as ``epoch 3``.
        threshold: probability above which the second class, or a label, is predicted.
        temperature: that logits were divided by.
    """
    features, target = data.splits[split]
    spec = data.spec
    if len(logits) != len(target):
        return Examined({})
    probs = to_probs(logits, spec.task)
    preds = decide(probs, spec.task, threshold)
    of = f"{SPLIT_TITLES[split]}, {moment}"
    single = threshold if isinstance(threshold, float) else 0.5
    figures: dict[str, Drawing | str] = {}
    if spec.task != "multilabel":  # several labels can be right at one place

        def decided(logits: Tensor) -> tuple[Tensor, Tensor | None]:
            found = to_probs(logits / temperature, spec.task)
            return decide(found, spec.task, single), found if spec.task == "binary" else None

        rows = Rows(features, target, preds, spec.classes, decided, single, data.plane)
        figures |= inside_figures(model, rows, of)
    before = to_probs(logits * temperature, spec.task) if temperature != 1 else None
    arrays = classification_arrays(probs, preds, target, spec.classes, before)
    figures |= {name: one if isinstance(one, str) else Drawing(one, of) for name, one in arrays.items()}
    return Examined(figures, one_against_rest(probs, target, spec.classes, MAX_PR_CURVES))


@dataclass
class Ending:
    """What there is to see of a run that has ended: begun here, and finished when all else is done.

    Attributes:
        run: folder that gets it.
        live: has shown epochs until now.
        saved: what was trained.
        data: that it has learnt from.
        split: that was evaluated last.
        logits: of it, (N, num_outputs); of no row where they were too many to keep.
        figures: of it.
        writers: of TensorBoard.
    """

    run: RunFolder
    live: LiveFigures
    saved: SavedModel
    data: DataModule
    split: str
    logits: Tensor
    figures: FinalFigures
    writers: list[SummaryWriter]
    influences: list[Influence] = field(default_factory=list)

    def begin(self, best_epoch: int, monitor: str) -> None:
        """Have figures drawn; ``monitor`` is the metric that has decided which epoch is the best."""
        saved, spec = self.saved, self.data.spec
        curves = learning_curves(self.live.epochs, monitor, best_epoch)
        self.figures.order({"learning_curves": curves if isinstance(curves, str) else Drawing(curves)})
        moment = f"epoch {best_epoch}"
        with told("figures"):
            found = examined(
                saved.model, self.data, self.split, self.logits.float(), moment, saved.threshold, saved.temperature
            )
            self.figures.order(found.figures)
            for writer in self.writers:
                log_pr_curves(writer, f"{END}/{self.split}", found.questions, self.figures.step)
        with told("influences"), looked_at(saved.model):
            outputs = {
                k: spec.classes[k] for k in sorted(range(len(spec.classes)), key=lambda k: -spec.class_counts[k])
            }
            if spec.task == "binary":
                outputs = {0: spec.classes[1]}
            names = self.data.encoder.names if self.data.encoder is not None else _numbered
            features = self.data.splits[self.split][0]
            self.influences = influences(saved.model, features, outputs, names, above_mean=spec.task == "multiclass")
            bars = influence_bars(self.influences, spec.num_outputs)
            of = f"{SPLIT_TITLES[self.split]}, {moment}"
            self.figures.order({"influence": bars if isinstance(bars, str) else Drawing(bars, of)})
            if (vectors := word_vectors(saved.model, features)) is not None:
                for writer in self.writers:
                    log_embeddings(writer, "words", names(vectors[0]), vectors[1], self.figures.step)

    def finish(
        self, config: DictConfig, lead: str, metrics: dict[str, Any], notes: list[str], rows: bytes | None
    ) -> None:
        """Write ``figures/`` and ``report.html``; ``rows`` are those of the split, as a Parquet file."""
        run, data, split = self.run, self.data, self.split
        mistakes, no_mistakes = self._mistakes(rows)
        with told("tables"):
            for writer in self.writers:
                log_influences(writer, self.influences, self.figures.step)
                log_mistakes(writer, f"{END}/{split}", mistakes, self.figures.step)
        overrides: Any = OmegaConf.to_container(OmegaConf.load(run.path / "overrides.yaml"))
        targets = {split: target for split, (_, target) in data.splits.items()}
        content = RunPage(
            name=run.path.resolve().name,
            lead=lead,
            metrics=metrics,
            num_rows={split: len(target) for split, target in targets.items()},
            notes=notes,
            data=class_table(data.spec.classes, targets),
            figures=self.figures.collect(),
            influences=self.influences,
            influence_note=f"Part in the logit, in the mean of the first 2,000 rows of {split}: how much it weighs "
            "where it is, and how often it is there.",
            mistakes=mistakes,
            no_mistakes=no_mistakes,
            settings={key: value for key, value in flat(plain(config)).items() if key.partition(".")[0] != "sweep"},
            environment=run.read_json("environment.json") or {},
            overrides=overrides,
        )
        write_whole(run.path / "report.html", content.html().encode())

    def _mistakes(self, rows: bytes | None) -> tuple[list[dict[str, Any]], str]:
        target = self.data.splits[self.split][1]
        if len(self.logits) != len(target):
            return [], "Not looked for: there are too many rows and classes to keep all their probabilities."
        if rows is None:
            return [], "Not shown: these data have no rows that people can read."
        with told("mistakes"):
            probs = to_probs(self.logits.float(), self.data.spec.task)
            frame = polars.read_parquet(io.BytesIO(rows))
            return shown_mistakes(self.saved, frame, probs, target, NUM_MISTAKES), "None: all rows are right."
        return [], "They could not be looked for."


def _numbered(numbers: NDArray[np.int64]) -> list[str]:
    return [f"feature {number}" for number in numbers]
