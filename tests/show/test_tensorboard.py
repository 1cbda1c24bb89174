"""What TensorBoard reads of a run, with its own reader."""

from __future__ import annotations

import io
import json
from functools import cache

import numpy as np
import polars as pl
import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image
from sklearn import metrics
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.util.tensor_util import make_ndarray

import rosenblatt
from conftest import SMALL
from rosenblatt.show.tensorboard import log_outcome
from shown_runs import HOSTILE, trained

EVERY = {name: 0 for name in ("tensors", "images", "scalars", "histograms", "compressedHistograms")}


@cache
def events_of(name):
    events = EventAccumulator(str(trained(name) / "tensorboard"), size_guidance=EVERY)
    events.Reload()
    return events


def tensor(events, tag, place=-1):
    return make_ndarray(events.Tensors(tag)[place].tensor_proto)


def image(event):
    return np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))


def test_no_scalar_has_a_step_twice(train):
    train(*SMALL)
    events = EventAccumulator("run/tensorboard")
    events.Reload()
    tags = events.Tags()["scalars"]
    assert {"train/loss", "val/loss", "lr"} <= set(tags)
    for tag in tags:
        steps = [event.step for event in events.Scalars(tag)]
        assert len(set(steps)) == len(steps), tag
    assert "epoch" not in tags


def test_without_figures_there_are_scalars_and_settings_alone(train):
    outcome = train(*SMALL)
    events = EventAccumulator("run/tensorboard")
    events.Reload()
    tags = events.Tags()
    assert (tags["images"], tags["tensors"], tags["histograms"], tags["graph"]) == ([], [], [], False)
    assert not (outcome.run / "figures").exists()
    assert not (outcome.run / "report.html").exists()
    assert "seconds_figures" not in outcome.metrics


@pytest.mark.parametrize("name", ["points", "texts"])
def test_figures_have_a_step_for_each_epoch_and_are_not_blank(name):
    events = events_of(name)
    steps = [event.step for event in events.Scalars("train/loss")]
    live = ["val/confusion", "val/reliability"]
    live += ["val/boundary"] if name == "points" else ["val/hidden_layer"]
    for tag in live:
        found = events.Images(tag)
        assert [event.step for event in found] == steps, tag
        for event in found:
            assert len(np.unique(image(event).reshape(-1, 3), axis=0)) > 10, tag
    last = {tag.partition("/")[2] for tag in events.Tags()["images"] if tag.startswith("wrap_up/")}
    assert {"learning_curves", "confusion", "roc", "precision_recall", "reliability", "influence"} <= last
    assert ("boundary" if name == "points" else "hidden_layer") in last


def test_the_boundary_moves():
    first, *_, last = (image(event) for event in events_of("points").Images("val/boundary"))
    assert first.shape == last.shape
    assert (first[70:] != last[70:]).any(axis=2).mean() > 0.01  # below the title


def test_files_are_what_tensorboard_shows_last():
    run, events = trained("points"), events_of("points")
    for name in ("boundary", "confusion", "learning_curves"):
        (event,) = events.Images(f"wrap_up/{name}")
        assert event.encoded_image_string == (run / "figures" / f"{name}.png").read_bytes()
        assert (run / "figures" / f"{name}.svg").read_text().lstrip().startswith("<?xml")


def test_pr_curves_are_scikit_learns():
    run, events = trained("points"), events_of("points")
    assert len(events.Tensors("val/pr_curve")) == 3
    frame = pl.read_parquet(run / "test.parquet")
    probs = rosenblatt.load(run).predict_proba(frame)[:, 1].astype(np.float64)
    target = (frame["label"] == "1").to_numpy()
    tp, fp, tn, fn, precision, recall = tensor(events, "wrap_up/test/pr_curve")
    for place in range(127):
        above = np.floor(probs * 126) >= place
        assert (tn[place], fp[place], fn[place], tp[place]) == tuple(
            metrics.confusion_matrix(target, above, labels=[0, 1]).flat
        )
        assert precision[place] == pytest.approx(metrics.precision_score(target, above, zero_division=0))
        assert recall[place] == pytest.approx(metrics.recall_score(target, above))


def test_classes_have_a_pr_curve_each():
    tags = events_of("texts").Tags()["tensors"]
    assert {
        f"{split}/pr_curve/{name}" for split in ("val", "wrap_up/test") for name in ("good", "bad", "<i>so")
    } <= set(tags)


def test_curves_of_training_and_validation_come_first_and_single_points_last():
    """The Time Series tab shows scalars, images and histograms, by groups in the order of their names."""
    tags = events_of("points").Tags()
    shown = sorted({tag.partition("/")[0] for kind in ("scalars", "images", "histograms") for tag in tags[kind]})
    assert shown == ["lr", "train", "val", "weights", "weights_gradient", "wrap_up"]
    assert sum(tag.startswith("wrap_up/") for tag in tags["scalars"]) <= 6


@pytest.mark.parametrize("name", ["points", "texts"])
def test_hparams_are_the_settings_and_the_final_metrics(name):
    run = trained(name)
    events = events_of(name)
    start = HParamsPluginData.FromString(events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content)
    settings = dict(start.session_start_info.hparams)
    assert settings["lr"].number_value == (0.1 if name == "points" else 0.01)
    assert settings["optimizer._target_"].string_value == "torch.optim.Adam"
    found = json.loads((run / "metrics.json").read_text())
    tags = [tag for tag in events.Tags()["scalars"] if tag.startswith("wrap_up/")]
    ends = {tag.removeprefix("wrap_up/"): events.Scalars(tag) for tag in tags}
    assert ends.keys() == {f"{split}/{metric}" for split in ("val", "test") for metric in ("loss", "acc", "f1")}
    for metric, (event,) in ends.items():
        assert event.value == pytest.approx(found[metric], abs=1e-6), metric
    assert "hp_metric" not in events.Tags()["scalars"]


@pytest.mark.parametrize("keys", [("val_loss", "test_loss", "train_loss", "lr"), ("test/psnr",), ()])
def test_any_logger_of_tensorboards_takes_whatever_was_logged(tmp_path, keys):
    logger = TensorBoardLogger(tmp_path, name=None, version="history")
    metrics = {f"test/own{k}": 1.0 for k in range(9)} if len(keys) == 1 else {}
    log_outcome(logger, metrics | dict.fromkeys(keys, 0.5), monitor="test/psnr")
    logger.finalize("success")
    events = EventAccumulator(str(tmp_path / "history"), size_guidance=EVERY)
    events.Reload()
    tags = events.Tags()["scalars"]
    assert all(tag.startswith("wrap_up/") for tag in tags)
    assert len(tags) == {4: 2, 1: 6, 0: 0}[len(keys)]
    assert ("wrap_up/test/psnr" in tags) == (len(keys) == 1)


def test_weights_and_gradients_have_histograms():
    run, events = trained("points"), events_of("points")
    names = {f"{kind}/linear/{part}" for kind in ("weights", "weights_gradient") for part in ("weight", "bias")}
    assert set(events.Tags()["histograms"]) == names
    counts = events.Histograms("weights/linear/weight")
    assert len(counts) == 3
    last = counts[-1].histogram_value
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]["model.linear.weight"]
    assert (last.num, sum(last.bucket)) == (2, 2)
    assert (last.min, last.max) == pytest.approx((float(state.min()), float(state.max())))
    assert last.sum == pytest.approx(float(state.sum()))


def test_the_model_graph_names_its_layers():
    graph = events_of("texts").Graph()
    nodes = {node.name if hasattr(node, "name") else node for node in graph.node}
    assert {"features", "layers/0", "layers/1", "logits"} <= nodes


def test_training_and_validation_share_a_chart():
    layout = Layout.FromString(tensor(events_of("points"), "custom_scalars__config__").item())
    charts = {chart.title: list(chart.multiline.tag) for category in layout.category for chart in category.chart}
    assert charts["loss"] == ["^train/loss$", "^val/loss$"]
    assert charts["lr"] == ["^lr$"]
    assert [event.value for event in events_of("points").Scalars("lr")] == pytest.approx([0.1] * 3)


def test_texts_are_tables_that_say_just_what_the_data_say():
    events = events_of("texts")
    tables = [tensor(events, f"influence/{name}/text_summary").item().decode() for name in ("good", "bad", "<i>so")]
    for word in ("хорошо", "非常差", "سيئ"):
        assert any(word in table for table in tables), word
    words = tables[0]
    header = "| speaks for, or against | part in the logit of good above the mean |\n| --- | --- |\n"
    assert words.startswith(header)
    wrong = tensor(events, "wrap_up/test/mistakes/text_summary").item().decode()
    assert HOSTILE not in wrong
    rows = wrong.splitlines()
    assert all(row.replace("\\|", "").count("|") == 6 for row in rows)


def test_words_are_in_the_projector():
    folder = trained("texts") / "tensorboard"
    config = (folder / "projector_config.pbtxt").read_text()
    (vectors,), (names,) = folder.rglob("tensors.tsv"), folder.rglob("metadata.tsv")
    assert str(vectors.relative_to(folder)) in config
    words = names.read_text(encoding="utf-8").splitlines()
    assert "хорошо" in words
    numbers = [[float(number) for number in line.split("\t")] for line in vectors.read_text().splitlines()]
    assert (len(numbers), {len(line) for line in numbers}) == (len(words), {4})
