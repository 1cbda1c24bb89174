"""Figures of runs, from the command line."""

from __future__ import annotations

import json
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from conftest import SMALL
from rosenblatt.show.pool import FigurePool

EACH = "figures.every_n_epochs=1"


def images(run: Path) -> dict[str, list[int]]:
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    return {tag: [event.step for event in events.Images(tag)] for tag in events.Tags()["images"]}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("figures=all", "figures=all"),
        ("figures.every_n_epochs=0", "expected null, auto or a whole number of at least 1; got 0"),
        ("figures.every_n_epochs=often", "expected null, auto or a whole number of at least 1; got 'often'"),
        ("figures.every_n_epochs=1.5", "expected null, auto or a whole number of at least 1; got 1.5"),
        ("figures.every_n_epoch=1", "every_n_epochs"),
        ("figures=null", "figures=null: no such choice. There are default, none."),
    ],
)
def test_wrong_settings_are_one_message(train, word, said):
    outcome = train(*SMALL, word)
    assert outcome.status == 1
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    assert not (outcome.run / "metrics.json").exists()


def test_a_run_leaves_figures_and_a_page_by_default(trained):
    outcome = trained(*SMALL, "figures=default")
    assert "report      run/report.html" in outcome.out
    names = {"boundary", "confusion", "influence", "learning_curves", "precision_recall", "reliability", "roc"}
    for suffix in ("png", "svg"):
        assert {path.stem for path in (outcome.run / "figures").glob(f"*.{suffix}")} == names
    assert "showing figures" in outcome.out
    assert {f"wrap_up/{name}" for name in names} <= images(outcome.run).keys()


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


def test_jobs_of_a_sweep_are_drawn_with_the_split_that_they_were_measured_on(train):
    words = ("data.num_train=300", "data.num_val=60", "data.num_test=60", "trainer.max_epochs=8", "lr=0.2,0.3")
    assert train("-m", *words, EACH, "sweep.name=first").status == 0
    for page in Path("logs/sweeps/first").glob("*/report.html"):
        content = page.read_text()
        assert "Confusions: validation, epoch" in content
        assert "Confusions: test" not in content
        metrics = json.loads(page.with_name("metrics.json").read_text())
        svg = page.parent.joinpath("figures", "confusion.svg").read_text()
        cells = [int(number) for number in re.findall(r">(\d+)</text>", svg)]
        assert cells[-4] + cells[-1] == round(60 * metrics["val/acc"]) or metrics["val/acc"] == 1


def test_an_epoch_without_validation_shows_none(train):
    outcome = train(*SMALL[:-1], "trainer.max_epochs=4", "trainer.check_val_every_n_epoch=2", EACH)
    assert outcome.status == 0, outcome.err
    found = images(outcome.run)
    assert found["val/confusion"] == [7, 15]


@pytest.mark.parametrize("precision", ["bf16-true", "64-true", "bf16-mixed"])
def test_runs_of_other_precision_have_all_figures(train, precision):
    outcome = train(*SMALL, f"trainer.precision={precision}", "figures=default", "trainer.accelerator=cpu")
    assert outcome.status == 0, outcome.err
    page = (outcome.run / "report.html").read_text()
    assert "not drawn" not in page
    assert "could not be looked for" not in page


def test_a_trial_run_draws_nothing(train):
    outcome = train(*SMALL, "trainer.fast_dev_run=true", "figures=default")
    assert outcome.status == 0, outcome.err
    assert not (outcome.run / "report.html").exists()


def test_a_run_that_goes_on_without_figures_has_no_old_page(train, trained):
    trained(*SMALL, "figures=default")
    more = train("resume=run", "figures=none", "trainer.max_epochs=4", "resume_anyway=true")
    assert more.status == 0, more.err
    assert not (more.run / "report.html").exists()
    assert "report.html" not in more.out


def test_by_default_epochs_1_2_4_are_shown(train):
    outcome = train(*SMALL[:-1], "trainer.max_epochs=5", "early_stopping.patience=null", "figures=default")
    assert images(outcome.run)["val/boundary"] == [3, 7, 15]


def test_no_run_is_lost_for_a_figure(train, monkeypatch):
    def refused(*arguments, **more):
        raise OSError("no more processes")

    monkeypatch.setattr("conftest.Shared.submit", refused)
    outcome = train(*SMALL, EACH)
    monkeypatch.undo()
    assert outcome.status == 0, outcome.err
    assert outcome.out.count("Figures are missing: the process that draws could not be started") == 1
    page = (outcome.run / "report.html").read_text()
    assert "confusion: not drawn, because the process that draws could not be started: no more processes." in page
    assert "test/acc" in outcome.metrics


def test_the_process_that_draws_ends_with_the_run(train, monkeypatch):
    made = []
    start = FigurePool.__init__

    def noted(self):
        start(self)
        made.append(self)

    monkeypatch.setattr(FigurePool, "__init__", noted)
    own = type("Own", (ProcessPoolExecutor,), {})  # and not the one that tests share
    monkeypatch.setattr("rosenblatt.show.pool.ProcessPoolExecutor", own)
    assert train(*SMALL).status == 0
    assert not made  # figures=none begins nothing
    assert train(*SMALL, "figures=default", run="drawn").status == 0
    failed = train(*SMALL, "figures=default", "data.spread=1e38", run="failed")
    assert failed.status == 1
    assert "Training ended without a result" in failed.err
    late = train(*SMALL, "figures=default", "threshold=precision", "threshold.at_least=1", "data.spread=9", run="late")
    assert late.status == 1
    assert len(made) == 3
    for pool in made:
        assert len(pool._workers) == 1
        for worker in pool._workers:
            worker.join(20)
            assert not worker.is_alive()
