"""TensorBoard's table of all runs, HParams, as its own code reads it: from the start of a run, and once for each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, list_session_groups
from tensorboard.plugins.hparams.backend_context import Context

from conftest import SMALL, Outcome
from rosenblatt.loop.signals import StopOnCtrlC

Train = Callable[..., Outcome]


def sessions(folder: Path | str) -> dict[str, tuple[dict[str, Any], dict[str, float], str]]:
    """By run: settings, metrics, and how it has ended, of each line of the table."""
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    context = Context(TBContext(data_provider=MultiplexerDataProvider(multiplexer, str(folder))))
    every = [api_pb2.Status.Value(f"STATUS_{name}") for name in ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")]
    request = api_pb2.ListSessionGroupsRequest(start_index=0, slice_size=100, allowed_statuses=every)
    found = list_session_groups.Handler(RequestContext(), context, "", request).run()
    rows = {}
    for group in found.session_groups:
        (session,) = group.sessions
        settings = {key: one.number_value or one.string_value for key, one in group.hparams.items()}
        values = {f"{one.name.group}/{one.name.tag}".strip("/"): one.value for one in session.metric_values}
        assert session.name not in rows
        rows[session.name] = settings, values, api_pb2.Status.Name(session.status)
    return rows


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Copies a run's folder at a step, which is what a killed process leaves there."""

    def copy(step: int, run: str, to: str) -> None:
        def look(self: StopOnCtrlC, trainer: Any, *_: Any) -> None:
            if trainer.global_step == step and Path(run).exists() and not Path(to).exists():
                shutil.copytree(run, to)

        monkeypatch.setattr(StopOnCtrlC, "on_train_batch_start", look)

    return copy


@pytest.mark.parametrize("step", [1, 6])  # before there is a checkpoint, and after
def test_a_run_is_in_the_table_from_its_start_and_once_after_it_went_on(
    train: Train, killed_at: Any, step: int
) -> None:
    killed_at(step, "logs/a", "logs/b")
    whole = train(*SMALL, "checkpoint.every_n_steps=2", "lr=0.3", run="logs/a")
    assert whole.status == 0, whole.err
    settings, values, status = sessions("logs")["b/tensorboard"]
    assert (settings["lr"], settings["optimizer._target_"]) == (0.3, "torch.optim.Adam")
    assert (any(name.startswith("wrap_up") for name in values), status) == (False, "STATUS_UNKNOWN")
    assert train("resume=logs/b", run="logs/b").status == 0
    rows = sessions("logs")
    assert rows.keys() == {"a/tensorboard", "b/tensorboard"}
    for name, (settings, values, status) in rows.items():
        metrics = json.loads((Path("logs") / name).with_name("metrics.json").read_text())
        assert (settings["lr"], status) == (0.3, "STATUS_SUCCESS")
        ends = {name.removeprefix("wrap_up/"): one for name, one in values.items() if name.startswith("wrap_up/")}
        assert len(ends) == 6
        assert ends == pytest.approx({name: metrics[name] for name in ends}, abs=1e-6)
        assert values["val/loss"] == pytest.approx(metrics["val/loss"], abs=1e-6)  # the last epoch is the best here
        assert "hp_metric" not in values


def test_runs_with_different_settings_and_metrics_have_all_their_columns(train: Train, tmp_path: Path) -> None:
    rows = "".join(f"{i},{i % 7},{1000.5 * i}\n" for i in range(60))
    (tmp_path / "houses.csv").write_text(f"area,rooms,price\n{rows}")
    words = (
        "data=table",
        "data.train=houses.csv",
        "data.label_column=price",
        "data.cache=null",
        "trainer.max_epochs=1",
    )
    assert train(*words, run="logs/numbers").status == 0
    assert train(*SMALL, run="logs/points").status == 0
    rows_of = sessions("logs")
    assert rows_of["numbers/tensorboard"][0]["data.label_column"] == "price"
    assert rows_of["points/tensorboard"][0]["data.num_train"] == 400
    assert {"wrap_up/test/rmse", "wrap_up/test/acc"} <= {name for _, values, _ in rows_of.values() for name in values}


def test_a_job_of_a_sweep_that_was_cut_off_is_in_the_table_once(train: Train, killed_at: Any) -> None:
    words = ("-m", *SMALL, "lr=0.1,0.01", "sweep.name=s", "checkpoint.every_n_steps=2")
    killed_at(6, "logs/sweeps/s/001_lr-0.01", "cut off")
    assert train(*words).status == 0
    shutil.rmtree("logs/sweeps/s/001_lr-0.01")
    shutil.move("cut off", "logs/sweeps/s/001_lr-0.01")
    assert sessions("logs")["sweeps/s/001_lr-0.01/tensorboard"][2] == "STATUS_UNKNOWN"
    assert train(*words).status == 0
    rows = sessions("logs")
    assert [(name.split("/")[2], settings, status) for name, (settings, _, status) in sorted(rows.items())] == [
        ("000_lr-0.1", {"lr": 0.1, "seed": ""}, "STATUS_SUCCESS"),
        ("001_lr-0.01", {"lr": 0.01, "seed": ""}, "STATUS_SUCCESS"),
    ]
