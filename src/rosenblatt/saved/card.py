"""The model card: the ``README.md`` of a model folder, for whoever it is handed to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rosenblatt.errors import listed
from rosenblatt.loop.threads import num_parameters
from rosenblatt.saved.known import installed
from rosenblatt.saved.model import SavedModel
from rosenblatt.show.metrics import metric_rows, splits_of
from rosenblatt.tasks.classification import Classification
from rosenblatt.tasks.task import Decision

EXAMPLES = {
    "PointEncoder": '{"x1": [3.0], "x2": [2.0]}',
    "TableEncoder": "frame_with_the_same_columns",
    "TextEncoder": '["a text", "another one"]',
}

NO_MATTER = (
    "trainer.",
    "logger.",
    "checkpoint.",
    "data.cache",
    "resume",
)  # settings that do not make the model another one


def card(saved: SavedModel, metrics: Mapping[str, Any], data: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Return the card, Markdown.

    Args:
        saved: the model.
        metrics: flat, as in ``metrics.json``.
        data: rows and digest of each split, as in ``data.json``.
        settings: of the run, flat.
    """
    task = saved.task
    last = next(iter(reversed(splits_of(metrics))), "no split")
    figures = [f"| {row.title} | {row.values[-1]} | {row.interval} | {row.baseline} |" for row in metric_rows(metrics)]
    data = {split: one for split, one in data.items() if isinstance(one, Mapping) and "rows" in one}
    splits = [f"| {split} | {one['rows']:,} | `{one['digest']}` |" for split, one in data.items()]
    example = EXAMPLES.get(type(saved.encoder).__name__, "rows")
    kind = type(saved.model).__name__
    what = f"{kind} with {num_parameters(saved.model):,} parameters"
    if "num_features" in saved.sizes:
        what += f" on {saved.sizes['num_features']:,} features"
    if task is not None:
        what += f": {task.described}" + (f" ({listed(task.classes)})" if task.classes else "")
    own = installed(saved.origin.role, saved.origin.target) is None
    imported = [f"from {type(saved.model).__module__} import {kind}"] if own else []
    methods = ["predict", "predict_proba" if task and task.classes else "predict_interval"] if task else []
    calls = [f"model.{method}({example})" for method in methods if saved.encoder is not None]
    interval = "The interval of accuracy is Wilson's, the others are" if task and task.classes else "Intervals are"
    limits = _limits(saved, metrics, data, last)
    return "\n".join(
        [
            "# Model card",
            "",
            f"{what}.",
            "",
            "```python",
            "import rosenblatt",
            *imported,
            "",
            f'model = rosenblatt.load("this folder"{f", classes=[{kind}]" if own else ""})',
            *calls,
            "```",
            "",
            f"## Measured on {last}",
            "",
            f"| | | 95 % | {_baseline(saved)} |",
            "|---|---|---|---|",
            *figures,
            "",
            f"{interval} by bootstrap: what other rows of the same kind would give, with this same model.",
            "",
            "## Data",
            "",
            "| split | rows | digest |",
            "|---|---|---|",
            *splits,
            "",
            "## Limits",
            "",
            *(f"- {limit}" for limit in limits),
            "",
            "## Settings",
            "",
            "```yaml",
            *(
                f"{key}: {json.dumps(value, ensure_ascii=False)}"
                for key, value in settings.items()
                if not key.startswith(NO_MATTER)
            ),
            "```",
            "",
        ]
    )


def _baseline(saved: SavedModel) -> str:
    return "mean of train" if saved.task is not None and saved.task.baseline_title == "mean" else "majority class"


def _limits(saved: SavedModel, metrics: Mapping[str, Any], data: Mapping[str, Any], last: str) -> list[str]:
    task = saved.task
    limits = []
    if isinstance(task, Classification):
        limits.append(
            "It knows the labels above and no other."
            if task.name == "multilabel"
            else "It knows the classes above and no other: every row gets one of them, however little it has to do "
            "with any."
        )
    limits.append("What is measured holds for rows drawn like those of training; of others it says nothing.")
    if saved.columns.text:
        limits.append("A word that training never had says nothing; a text of such words alone gets the usual answer.")
    if isinstance(task, Classification):
        rare = [name for name, count in zip(task.classes, task.class_counts, strict=False) if count < 10]
        if rare:
            limits.append(f"Fewer than ten training rows were of {listed(rare)}.")
    if task is not None:
        limits += [f"{word}: {note}" for word, note in task.notes(metrics, last, Decision()) if word == "intervals"]
    if last in data and data[last]["rows"] < 400:
        limits.append(f"{last} had {data[last]['rows']:,} rows only: look at the intervals.")
    if metrics.get(f"{last}/repeated"):
        limits.append(f"{metrics[f'{last}/repeated']:,} rows of {last} were in train too; new rows will be harder.")
    return limits
