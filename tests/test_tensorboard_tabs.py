"""What TensorBoard's tabs are given of a folder with three runs and a sweep."""

from __future__ import annotations

import shutil
from pathlib import Path

from conftest import SMALL
from shown_runs import trained
from tensorboard_server import served

TABS = (
    "timeseries", "scalars", "custom_scalars", "images", "pr_curves", "graphs", "distributions", "histograms", "text",
    "projector", "hparams",
)  # fmt: skip


def test_each_tab_has_its_content(sweep, tmp_path):
    runs = {"points": "points", "texts": "texts", "texts-again": "texts"}
    for name, what in runs.items():
        shutil.copytree(trained(what) / "tensorboard", Path("logs/runs") / name)
    assert sweep("-m", *SMALL, "lr=0.1,0.01", "sweep.name=first").status == 0
    jobs = {f"sweeps/first/{path.parent.name}/tensorboard" for path in Path("logs/sweeps/first").glob("*/metrics.json")}
    assert len(jobs) == 2
    wanted = {f"runs/{name}" for name in runs} | jobs
    with served(tmp_path, "--logdir", "logs") as ask:
        ask("runs", lambda found: wanted <= set(found))
        tabs = ask("plugins_listing", lambda found: all(found[tab]["enabled"] for tab in TABS))
        assert set(TABS) <= set(tabs)
        assert all({"train/loss", "val/loss", "lr"} <= set(tags) for tags in ask("plugin/scalars/tags").values())
        charts = [chart for category in ask("plugin/custom_scalars/layout")["category"] for chart in category["chart"]]
        assert {"loss", "acc", "lr"} <= {chart["title"] for chart in charts}
        images = ask("plugin/images/tags")
        assert images["runs/points"]["val/boundary"]["samples"] == 1
        assert {"val/confusion", "test/confusion", "learning_curves"} <= set(images["runs/texts"])
        assert not any(job in images for job in jobs)
        slider = ask("plugin/images/images?run=runs/points&tag=val/boundary&sample=0")
        assert len(slider) == 3
        curves = ask("plugin/pr_curves/tags")
        assert {"val/pr_curve", "test/pr_curve"} <= set(curves["runs/points"])
        assert {"weights/linear/weight", "gradients/linear/weight"} <= set(ask("plugin/histograms/tags")["runs/points"])
        assert "test/mistakes/text_summary" in ask("plugin/text/tags")["runs/texts"]
        assert set(ask("plugin/projector/runs")) == {"runs/texts", "runs/texts-again"}
        assert {"runs/points", "runs/texts"} <= set(ask("plugin/graphs/info"))
        assert "lr" in {one["name"] for one in ask("plugin/hparams/experiment?request={}")["hparamInfos"]}
