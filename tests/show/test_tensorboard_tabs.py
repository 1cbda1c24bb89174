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
        # TensorBoard lists a run before it has read all of it, so each question is asked until the answer is complete.
        ask("plugins_listing", lambda found: all(found.get(tab, {}).get("enabled") for tab in TABS))
        scalars = {"train/loss", "val/loss", "lr", "wrap_up/val/loss"}
        ask("plugin/scalars/tags", lambda found: all(scalars <= set(found.get(run, ())) for run in wanted))
        charts = ask("plugin/custom_scalars/layout", lambda found: found.get("category"))["category"]
        assert {"loss", "acc", "lr"} <= {chart["title"] for category in charts for chart in category["chart"]}
        last = {"val/confusion", "wrap_up/confusion", "wrap_up/learning_curves"}
        images = ask("plugin/images/tags", lambda found: last <= set(found.get("runs/texts", ())))
        assert not any(job in images for job in jobs)
        slider = "plugin/images/images?run=runs/points&tag=val/boundary&sample=0"
        ask(slider, lambda found: len(found) == 3)
        curves = {"val/pr_curve", "wrap_up/test/pr_curve"}
        ask("plugin/pr_curves/tags", lambda found: curves <= set(found.get("runs/points", ())))
        parts = {"weights/linear/weight", "weights_gradient/linear/weight"}
        ask("plugin/histograms/tags", lambda found: parts <= set(found.get("runs/points", ())))
        ask("plugin/text/tags", lambda found: "wrap_up/test/mistakes/text_summary" in found.get("runs/texts", ()))
        ask("plugin/projector/runs", lambda found: set(found) == {"runs/texts", "runs/texts-again"})
        ask("plugin/graphs/info", lambda found: {"runs/points", "runs/texts"} <= set(found))
        ask("plugin/hparams/experiment?request={}", lambda found: "lr" in str(found.get("hparamInfos")))
