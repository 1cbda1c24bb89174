"""Pictures of runs, from the command line."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from conftest import SMALL
from rosenblatt.figures.draftsman import Draftsman

EACH = "figures.every_n_epochs=1"


def images(run: Path) -> dict[str, list[int]]:
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    return {tag: [event.step for event in events.Images(tag)] for tag in events.Tags()["images"]}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("figures=all", "figures=all"),
        ("figures.every_n_epochs=0", "expected auto or a whole number of at least 1; got 0"),
        ("figures.every_n_epochs=often", "expected auto or a whole number of at least 1; got 'often'"),
        ("figures.every_n_epochs=1.5", "expected auto or a whole number of at least 1; got 1.5"),
        ("figures.every_n_epoch=1", "every_n_epochs"),
        ("figures=null", "figures"),
    ],
)
def test_wrong_settings_are_one_message(train, word, said):
    outcome = train(*SMALL, word)
    assert outcome.status == 1
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    assert not (outcome.run / "metrics.json").exists()


def test_a_run_leaves_pictures_and_a_page_by_default(train):
    outcome = train(*SMALL, "figures=default")
    assert outcome.status == 0, outcome.err
    assert "report      run/report.html" in outcome.out
    names = {"boundary", "confusion", "influence", "learning_curves", "precision_recall", "reliability", "roc"}
    for suffix in ("png", "svg"):
        assert {path.stem for path in (outcome.run / "figures").glob(f"*.{suffix}")} == names
    assert 0 < outcome.metrics["seconds_figures"] < 60
    assert {f"test/{name}" for name in names - {"learning_curves"}} <= images(outcome.run).keys()


def test_a_run_that_goes_on_draws_all_of_its_epochs(train):
    train(*SMALL, EACH)
    more = train("resume=run", "trainer.max_epochs=4", "resume_anyway=true")
    assert more.status == 0, more.err
    found = images(more.run)
    assert [step for step in found["val/confusion"]] == [3, 7, 11, 15]
    curve = (more.run / "figures" / "learning_curves.svg").read_text()
    assert len(re.findall(r"<use [^>]*#", curve)) > 2 * 2 * 4  # a marker an epoch, a split and a panel, and ticks


def test_the_first_and_each_third_epoch(train):
    outcome = train(*SMALL[:-1], "trainer.max_epochs=5", "early_stopping.patience=null", "figures.every_n_epochs=3")
    assert images(outcome.run)["val/boundary"] == [3, 15]


def test_jobs_of_a_sweep_are_drawn_only_where_it_is_said_how_often(train):
    for name, more in (("plain", "figures=default"), ("drawn", EACH)):
        outcome = train("-m", *SMALL, "lr=0.1,0.2", more, f"sweep.name={name}")
        assert outcome.status == 0, outcome.err
        folder = Path("logs/sweeps") / name
        assert "Leaderboard" in (folder / "report.html").read_text()
        assert len(list(folder.glob("*/report.html"))) == (2 if name == "drawn" else 0)


def test_no_run_is_lost_for_a_picture(train, monkeypatch):
    def refused(*arguments, **more):
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refused)
    outcome = train(*SMALL, EACH)
    monkeypatch.undo()
    assert outcome.status == 0, outcome.err
    assert "pictures: not shown (OSError: no more processes)" in outcome.out
    page = (outcome.run / "report.html").read_text()
    assert "confusion: not drawn, because the process that draws could not be started." in page
    assert "test/acc" in outcome.metrics


def test_the_process_that_draws_ends_with_the_run(train, monkeypatch):
    made = []
    start = Draftsman.__init__

    def noted(self):
        start(self)
        made.append(self)

    monkeypatch.setattr(Draftsman, "__init__", noted)
    assert train(*SMALL, "figures=default").status == 0
    failed = train(*SMALL, "figures=default", "data.spread=1e38", run="failed")
    assert failed.status == 1
    assert "Training ended without a result" in failed.err
    assert len(made) == 2
    assert all(one._process.wait(timeout=20) == 0 for one in made)
