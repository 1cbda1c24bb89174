"""What a run leaves for others: ``model/`` with its card, and the rows that it was measured on."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig
from torch import Tensor, nn

from rosenblatt.cli.build import names
from rosenblatt.cli.values import flat, plain
from rosenblatt.commands.parts import Parts
from rosenblatt.commands.results import Reached
from rosenblatt.data.columns import Columns
from rosenblatt.data.contract import columns_of, encoder_of, number_of
from rosenblatt.errors import first_line, listed
from rosenblatt.loop.threads import num_parameters
from rosenblatt.run.folder import RunFolder
from rosenblatt.run.whole import write_whole
from rosenblatt.saved.folder import facts_of, write
from rosenblatt.saved.known import installed
from rosenblatt.saved.model import Origin, SavedModel
from rosenblatt.show.metrics import metric_rows, splits_of
from rosenblatt.tasks.classification import Classification
from rosenblatt.tasks.threshold import Decision

log = logging.getLogger(__name__)


def rows_of(parts: Parts, split: str) -> bytes | None:
    """Return the rows of a split as a Parquet file, where the data module offers them."""
    rows = getattr(parts.data, "rows", None)
    found: bytes | None = rows(split) if callable(rows) and split else None
    return found


def saved_model(
    config: DictConfig, parts: Parts, reached: Reached, precision: str, split: str, rows: bytes | None
) -> SavedModel:
    """Return what a run has trained, with all that it needs to predict.

    Args:
        precision: of the Trainer, such as ``32-true``.
        split: whose rows are kept beside the model.
        rows: of that split, as a Parquet file.
    """
    data, state = parts.data, parts.module.state_dict()
    model: nn.Module = parts.module
    origin = Origin(str(config.module._target_), _arguments(config.module), "module", "")
    place = next((name for name, one in parts.module.named_modules() if one is parts.model and name), None)
    if parts.model is not None and place is not None:
        model = parts.model
        origin = Origin(str(config.model._target_), _arguments(config.model), "model", f"{place}.")
    named = names(config.model) | {"num_features", "bags"}
    own_task = reached.task is not None
    return SavedModel(
        model, reached.task, encoder_of(data), origin,
        sizes={name: value for name, value in parts.sizes.items() if name in named},
        columns=columns_of(data) or Columns(),
        loss=_node(config.loss) if own_task else {},
        metrics={name: _node(one) for name, one in config.metrics.items() if one} if own_task else {},
        batch_size=number_of(data, "eval_batch_size") or SavedModel.batch_size,
        precision=precision,
        rows=None if rows is None else facts_of(split, rows),
        rest={name: one for name, one in state.items() if not name.startswith(origin.prefix)} if origin.prefix else {},
    )  # fmt: skip


def _arguments(node: DictConfig) -> dict[str, Any]:
    return {name: value for name, value in plain(node).items() if not name.startswith("_")}


def _node(node: DictConfig) -> dict[str, Any]:
    """Return a node for `rosenblatt.saved.model.SavedModel`: with its ``_target_``, or without where it is null."""
    return {name: value for name, value in plain(node).items() if name != "_target_" or value is not None}


def save_model(
    run: RunFolder,
    config: DictConfig,
    saved: SavedModel,
    rows: bytes | None,
    metrics: Mapping[str, Any],
    digests: Mapping[str, Any],
) -> None:
    """Write ``model/``, all that others need, and the rows that it was measured on."""
    if rows is not None and saved.rows is not None:
        write_whole(run.path / f"{saved.rows['split']}.parquet", rows)
    try:
        _check(saved)
        write(saved, run.model, card(saved, metrics, digests, flat(plain(config))))
    except (RuntimeError, TypeError, ValueError) as error:  # of weights or sizes of a new kind: figures are worth more
        log.warning("No model/ is written: %s", first_line(error) or type(error).__name__)


def _check(saved: SavedModel) -> None:
    """Raise an error for what has no place in a model folder, before anything is written."""
    odd = [name for name, one in saved.state.items() if not isinstance(one, Tensor)]
    if odd:
        raise TypeError(f"{odd[0]!r} in the state of {type(saved.model).__name__} is no tensor")
    json.dumps([saved.sizes, saved.origin.arguments, saved.loss, saved.metrics], allow_nan=False)


EXAMPLES = {
    "PointEncoder": '{"x1": [3.0], "x2": [2.0]}',
    "TableEncoder": "frame_with_the_same_columns",
    "TextEncoder": '["a text", "another one"]',
}
NO_MATTER = ("trainer.", "logger.", "checkpoint.", "data.cache", "resume")  # settings that make no other model


def card(saved: SavedModel, metrics: Mapping[str, Any], data: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Return the card, Markdown."""
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
    if "rows_refit" in metrics:
        limits.append(f"It was trained anew on train and validation together, {metrics['rows_refit']:,} rows.")
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
