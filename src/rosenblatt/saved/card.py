"""The model card: the ``README.md`` of a model folder, for whoever it is handed to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from perceptron.models import num_parameters
from rosenblatt.errors import listed
from rosenblatt.saved.model import SavedModel
from rosenblatt.show.metrics import metric_rows

EXAMPLES = {
    "PointEncoder": '{"x1": [3.0], "x2": [2.0]}',
    "TableEncoder": "frame_with_the_same_columns",
    "TextEncoder": '["a text", "another one"]',
}

NO_MATTER = ("trainer.", "checkpoint.", "data.cache", "resume")  # settings that do not make the model another one


def card(saved: SavedModel, metrics: Mapping[str, Any], data: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Return the card, Markdown.

    Args:
        saved: the model.
        metrics: flat, as in ``metrics.json``.
        data: rows and digest of each split, as in ``data.json``.
        settings: of the run, flat.
    """
    spec = saved.spec
    last = list(data)[-1]
    figures = [
        f"| {row.title} | {row.values[0]} | {row.interval} | {row.baseline} |" for row in metric_rows(metrics, [last])
    ]
    splits = [f"| {split} | {one['rows']:,} | `{one['digest']}` |" for split, one in data.items()]
    example = EXAMPLES.get(type(saved.encoder).__name__, "rows")
    limits = _limits(saved, metrics, data)
    return "\n".join(
        [
            "# Model card",
            "",
            f"{type(saved.model).__name__} with {num_parameters(saved.model):,} parameters on {spec.num_features:,} "
            f"features: {spec.task}, {len(spec.classes)} classes ({listed(spec.classes)}).",
            "",
            "```python",
            "import rosenblatt",
            "",
            'model = rosenblatt.load("this folder")',
            f"model.predict({example})",
            f"model.predict_proba({example})",
            "```",
            "",
            f"## Measured on {last}",
            "",
            "| | | 95 % | majority class |",
            "|---|---|---|---|",
            *figures,
            "",
            "The interval of accuracy is Wilson's, the others are by bootstrap: what other rows of the same kind would "
            "give, with this same model.",
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


def _limits(saved: SavedModel, metrics: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
    spec = saved.spec
    last = list(data)[-1]
    limits = [
        "It knows the classes above and no other: every row gets one of them, however little it has to do with any."
        if spec.task != "multilabel"
        else "It knows the labels above and no other.",
        "What is measured holds for rows drawn like those of training; of others it says nothing.",
    ]
    if saved.columns.text:
        limits.append("A word that training never had says nothing; a text of such words alone gets the usual class.")
    rare = [name for name, count in zip(spec.classes, spec.class_counts, strict=True) if count < 10]
    if rare:
        limits.append(f"Fewer than ten training rows were of {listed(rare)}.")
    if data[last]["rows"] < 400:
        limits.append(f"{last} had {data[last]['rows']:,} rows only: look at the intervals.")
    if metrics.get(f"{last}/repeated"):
        limits.append(f"{metrics[f'{last}/repeated']:,} rows of {last} were in train too; new rows will be harder.")
    return limits
