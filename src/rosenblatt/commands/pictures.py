"""What a run is shown as: pictures while it trains, in ``figures/`` and in ``report.html`` at its end."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import polars
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from rosenblatt.cli.ahead import wants_pictures
from rosenblatt.cli.values import flat, plain
from rosenblatt.data.module import DataModule
from rosenblatt.run.folder import RunFolder
from rosenblatt.run.whole import write_whole
from rosenblatt.saved.mistakes import shown_mistakes
from rosenblatt.saved.model import SavedModel
from rosenblatt.show.figures.style import Drawn
from rosenblatt.show.findings import log_embeddings, log_influences, log_mistakes, log_pr_curves
from rosenblatt.show.influence import Influence, influences
from rosenblatt.show.live import LivePictures
from rosenblatt.show.report.page import Picture, inline, template_of
from rosenblatt.show.report.run_page import CAPTIONS, OF_LABELS, TEMPLATE, run_page
from rosenblatt.show.scenes.classes import influence_bars
from rosenblatt.show.scenes.curves import learning_curves
from rosenblatt.show.scenes.every import scenes_of
from rosenblatt.show.scenes.view import Scene, View
from rosenblatt.show.studio import Studio, told
from rosenblatt.show.tensorboard import History
from rosenblatt.tasks.evaluation import to_probs
from rosenblatt.tasks.titles import SPLIT_TITLES

NUM_MISTAKES = 20


def make_live(config: DictConfig, history: History, data: DataModule, studio: Studio) -> LivePictures | None:
    """Return the callback that draws, or ``None`` where nothing is to be drawn."""
    if not wants_pictures(config):
        return None
    return LivePictures(history, data.spec, data.splits["val"], data.plane, config.figures.every_n_epochs, studio)


@dataclass
class Shown:
    """What there is to see of a run.

    Attributes:
        pictures: in the order of the page.
        influences: of each class.
        mistakes: see `rosenblatt.saved.mistakes.shown_mistakes`.
        no_mistakes: what to say where there are none.
    """

    pictures: list[Picture] = field(default_factory=list)
    influences: list[Influence] = field(default_factory=list)
    mistakes: list[dict[str, Any]] = field(default_factory=list)
    no_mistakes: str = "They could not be looked for."


class Gallery:
    """The pictures of what a run has reached: begun as soon as it is known, and collected when all else is done.

    Args:
        run: folder that gets them, in ``figures/``.
        live: has drawn until now, and goes on to.
        saved: what was trained.
        data: that it has learnt from.
        split: that was evaluated last.
        logits: of it, (N, num_outputs); of no row where they were too many to keep.
        steps: of the optimizer.
        best_epoch: that the weights are of.
    """

    def __init__(
        self, run: RunFolder, live: LivePictures, saved: SavedModel, data: DataModule, split: str, logits: Tensor,
        steps: int, best_epoch: int,
    ) -> None:  # fmt: skip
        start = time.perf_counter()
        self.run = run
        self.live = live
        self.saved = saved
        self.data = data
        self.logits = logits.float()
        self.step = steps
        self.shown = Shown()
        self.split = split
        self.features, self.target = data.splits[split]
        self.names_of = data.encoder.names if data.encoder is not None else _numbered
        self.order: list[str] = []
        moment = f"epoch {best_epoch}"
        self._draw("learning_curves", learning_curves(live.curves, best_epoch, "Learning curves"))
        if len(logits) == len(self.target):
            view = View(
                saved.model, data.spec, self.split, moment, self.features, self.target, self.logits, saved.threshold,
                saved.temperature, data.plane,
            )  # fmt: skip
            for name, scene in scenes_of(view):
                self._draw(name, scene)
        with told("influences"):
            found = influences(saved.model, self.features, data.spec, self.names_of)
            self.shown.influences = found
            what = f"Influence: {SPLIT_TITLES[self.split]}, {moment}"
            self._draw("influence", influence_bars(found, what, data.spec.num_outputs))
        live.seconds += time.perf_counter() - start

    def _draw(self, name: str, scene: Scene) -> None:
        self.order.append(name)
        self.live.studio.draw(scene, partial(self._hang, name), with_svg=True)

    def _hang(self, name: str, found: Drawn | str) -> None:
        """Put a picture where it belongs."""
        caption = (CAPTIONS | (OF_LABELS if self.data.spec.task == "multilabel" else {}))[name]
        if isinstance(found, str):
            self.shown.pictures.append(Picture(name, caption, reason=found))
            return
        folder = self.run.path / "figures"
        try:
            folder.mkdir(exist_ok=True)
            write_whole(folder / f"{name}.png", found.png, forced=False)
            write_whole(folder / f"{name}.svg", found.svg.encode(), forced=False)
        except OSError as error:
            reason = f"{error.filename} can't be written: {error.strerror}"
            self.live.studio.warn(reason)
            self.shown.pictures.append(Picture(name, caption, reason=reason))
            return
        self.live.history.log_picture(name if name == "learning_curves" else f"{self.split}/{name}", found, self.step)
        self.shown.pictures.append(Picture(name, caption, inline(found.svg, name, caption)))

    def finish(self, rows: bytes | None) -> Shown:
        """Look for mistakes, wait for the pictures, and put all of it into TensorBoard.

        Args:
            rows: of the split, as a Parquet file.
        """
        start = time.perf_counter()
        history, step, shown = self.live.history, self.step, self.shown
        self.live.studio.hurry()
        if len(self.logits) != len(self.target):
            shown.no_mistakes = "Not looked for: there are too many rows and classes to keep all their probabilities."
        else:
            with told("curves and mistakes"):
                probs = to_probs(self.logits, self.data.spec.task)
                log_pr_curves(history, self.split, self.data.spec, probs, self.target, step)
                self._look_for_mistakes(rows, probs)
        with told("tables"):
            log_influences(history, shown.influences, step)
            log_mistakes(history, self.split, shown.mistakes, step)
        with told("embeddings"):
            log_embeddings(history, self.saved.model, self.features, self.names_of, step)
        with told("report.html"):
            template_of(TEMPLATE)  # while pictures are drawn
        self.live.studio.wait()
        self.live.studio.close()
        shown.pictures.sort(key=lambda one: self.order.index(one.name))
        self.live.seconds += time.perf_counter() - start
        return shown

    def _look_for_mistakes(self, rows: bytes | None, probs: Tensor) -> None:
        if rows is None:
            self.shown.no_mistakes = "Not shown: these data have no rows that people can read."
            return
        frame = polars.read_parquet(io.BytesIO(rows))
        self.shown.mistakes = shown_mistakes(self.saved, frame, probs, self.target, NUM_MISTAKES)
        self.shown.no_mistakes = "None: all rows are right."


def _numbered(numbers: NDArray[np.int64]) -> list[str]:
    return [f"feature {number}" for number in numbers]


def write_report(
    run: RunFolder,
    config: DictConfig,
    data: DataModule,
    lead: str,
    metrics: dict[str, Any],
    notes: list[str],
    shown: Shown,
) -> None:
    """Write ``report.html``."""
    settings = {key: value for key, value in flat(plain(config)).items() if key.partition(".")[0] != "sweep"}
    overrides: Any = OmegaConf.to_container(OmegaConf.load(run.path / "overrides.yaml"))
    content = run_page(
        name=run.path.resolve().name,
        lead=lead,
        spec=data.spec,
        targets={split: target for split, (_, target) in data.splits.items()},
        metrics=metrics,
        notes=notes,
        pictures=shown.pictures,
        influences=shown.influences,
        mistakes=shown.mistakes,
        no_mistakes=shown.no_mistakes,
        settings=settings,
        environment=run.read_json("environment.json") or {},
        overrides=overrides,
    )
    write_whole(run.path / "report.html", content.encode())
