"""``model.json``: what a folder says of its model, each word of it checked before it is used."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from torch import nn

from rosenblatt import __version__
from rosenblatt.arguments import check_arguments, fits
from rosenblatt.data.columns import Columns
from rosenblatt.data.encoder import Encoder
from rosenblatt.data.source import is_utf8
from rosenblatt.errors import listed
from rosenblatt.saved.known import ENCODERS, Find, look_up, path_of
from rosenblatt.saved.model import Origin, SavedModel
from rosenblatt.saved.refusal import mapping, number, whole
from rosenblatt.tasks.classification import Classification
from rosenblatt.tasks.inference import task_from
from rosenblatt.tasks.task import Task

FORMAT = 2
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed", "64-true", "16-true", "bf16-true")  # of Lightning's Trainer
MAX_ARGUMENTS = 1 << 16  # characters of JSON; a million layers would take all memory before one weight is read


def described(saved: SavedModel, files: dict[str, Any]) -> str:
    """Return the content of ``model.json``; ``files`` has the ``bytes`` and ``sha256`` of each other file."""
    encoder, origin = saved.encoder, saved.origin
    content: dict[str, Any] = {
        "format": FORMAT,
        "rosenblatt": __version__,
        "task": None if saved.task is None else {"name": saved.task.name, **_said(saved.task)},
        "sizes": saved.sizes,
        "model": {
            "role": origin.role, "_target_": origin.target, "arguments": origin.arguments, "prefix": origin.prefix,
        },
        "rest": sorted(saved.rest),
        "encoder": None
        if encoder is None
        else {"name": _encoder_name(encoder), "arguments": encoder.settings, "learnt": encoder.facts()},
        "columns": {name: one for name, one in asdict(saved.columns).items() if name != "decimal" or one},
        "loss": saved.loss,
        "metrics": saved.metrics,
        "batch_size": saved.batch_size,
        "precision": saved.precision,
        "rows": saved.rows,
        "files": files,
    }  # fmt: skip
    return json.dumps(content | {"sha256": _digest(content)}, indent=1, ensure_ascii=False) + "\n"


def _encoder_name(encoder: object) -> str:
    kind = type(encoder)
    return kind.__name__ if ENCODERS.get(kind.__name__) is kind else path_of(kind)


def _said(task: Task) -> dict[str, Any]:
    """Return the facts of a task; JSON has no infinity, which is the radius that too few rows give."""
    return {key: "inf" if value == math.inf else value for key, value in task.facts().items()}


def _digest(content: dict[str, Any]) -> str:
    """Return the SHA-256 of all that is said, however it is laid out; NaN and halves of characters can't be said."""
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, allow_nan=False).encode()).hexdigest()


def read_description(text: str, finds: Sequence[Find]) -> tuple[SavedModel, Any, dict[str, Any]]:
    """Return what `described` has described.

    Args:
        text: content of ``model.json``.
        finds: see `rosenblatt.saved.known.look_up`.

    Returns:
        The model, as yet without layers, other weights, and what its encoder has learnt; the class of its layers; and
        all that is said, of which ``files`` and what an encoder has learnt are not checked yet.

    Raises:
        Exception: of any kind, where it is anything else.
    """
    content = mapping(json.loads(text))
    version = whole(content["format"])
    if version > FORMAT:
        raise ValueError(
            f"it has format {version}, of rosenblatt {str(content.get('rosenblatt'))[:20]}, and this version reads "
            f"up to {FORMAT}: install a newer one"
        )
    if content.pop("sha256") != _digest(content):
        raise ValueError("its checksum is not that of what it says: it is damaged, or was changed")
    if version == 1:
        content = _of_format_1(content)
    task = None if content["task"] is None else _task(mapping(content["task"]))
    facts = mapping(content["model"])
    if facts["role"] not in ("model", "module") or not isinstance(facts["prefix"], str):
        raise ValueError("role or prefix of the model is none")
    if (precision := content["precision"]) not in PRECISIONS:
        raise ValueError(f"expected precision to be one of {listed(PRECISIONS)}; it says {str(precision)[:50]!r}")
    maker = look_up(facts["role"], facts["_target_"], finds)
    target = facts["_target_"] if version > 1 else path_of(maker)
    saved = SavedModel(
        nn.Identity(), task, None, Origin(target, _arguments(facts), facts["role"], facts["prefix"]),
        sizes=_sizes(content["sizes"]),
        columns=_columns(content["columns"]),
        loss=_loss(content["loss"], task),
        metrics={name: _node(one) for name, one in mapping(content["metrics"]).items()},
        batch_size=whole(content["batch_size"]),
        precision=precision,
        rows=_rows(content["rows"]),
    )  # fmt: skip
    rest = content["rest"]
    if not fits(rest, list[str]) or len(set(rest)) < len(rest):
        raise ValueError("rest is no list of names")
    if content["encoder"] is not None:
        of_encoder = mapping(content["encoder"])
        kind, arguments = look_up("encoder", of_encoder["name"], finds), _arguments(of_encoder)
        check_arguments("encoder", kind, arguments)
        encoder: Encoder = kind(**arguments)
        if json.dumps(encoder.settings) != json.dumps(arguments):
            raise ValueError("encoder.arguments are not all that an encoder is made with")
        saved.encoder = encoder
    return saved, maker, content


def _of_format_1(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model.json of rosenblatt 0.1 says, as it is said now."""
    names = ("num_rows", "classes", "class_counts", "threshold", "temperature")
    model = mapping(content["model"])
    facts = {"role": "model", "_target_": model["name"], "arguments": model["arguments"], "prefix": ""}
    return {
        **content,
        "task": {"name": content["task"], **{name: content[name] for name in names}},
        "sizes": {"num_features": content["num_features"], "bags": content["bags"]},
        "model": facts,
        "rest": [],
        "metrics": {},
    }


def _arguments(facts: dict[str, Any]) -> dict[str, Any]:
    arguments = mapping(facts["arguments"])
    if any(name.startswith("_") for name in arguments):
        raise ValueError("arguments have names, and none of them begins with _")
    _check_length(arguments)
    return arguments


def _check_length(value: Any) -> None:
    if len(json.dumps(value)) > MAX_ARGUMENTS:
        raise ValueError(f"the arguments of a class have more than {MAX_ARGUMENTS:,} characters")


def _task(facts: dict[str, Any]) -> Task:
    """Return the task, once each of its facts is one."""
    facts = dict(facts)
    name = facts.pop("name")
    classes = facts["classes"]
    if not isinstance(name, str) or not fits(classes, list[str]):
        raise ValueError("the task has no name, or classes are no list of names")
    whole(facts["num_rows"], 0)
    if name == "regression":
        facts["mean"], facts["std"] = number(facts["mean"], -1e300, 1e300), number(facts["std"], 0, 1e300)
        whole(facts["num_validation"], 0)
        if facts["radius"] is not None:
            facts["radius"] = math.inf if facts["radius"] == "inf" else number(facts["radius"], 0, 1e300)
        if classes:
            raise ValueError("numbers have no classes")
    else:
        if len(set(classes)) < len(classes) or len(classes) < 2 or (name == "binary" and len(classes) > 2):
            raise ValueError(f"there are {len(classes)} classes, or one of them twice")
        counts, threshold = facts["class_counts"], facts["threshold"]
        if not isinstance(counts, list) or len(counts) not in (0, len(classes)):
            raise ValueError(f"class_counts are no list of {len(classes)} numbers")
        for count in counts:
            whole(count, 0)
        if isinstance(threshold, list) and name != "multilabel":
            raise ValueError(f"there are {len(threshold)} thresholds where there is one decision")
        for one in threshold if isinstance(threshold, list) else [threshold]:
            number(one, 0, 1)
        facts["temperature"] = number(facts["temperature"], 1e-6, 1e6)
    return task_from(name, facts)


def _sizes(value: Any) -> dict[str, Any]:
    sizes = mapping(value)
    if "num_features" in sizes:
        whole(sizes["num_features"])
    if not isinstance(sizes.get("bags", False), bool):
        raise ValueError("bags is neither true nor false")
    _check_length(sizes)
    return sizes


def _loss(value: Any, task: Task | None) -> dict[str, Any]:
    """Return the node of a loss: its ``_target_``, which is looked up where somebody measures, or the task's own."""
    loss = mapping(value)
    if "_target_" in loss:
        return _node(loss)
    if isinstance(task, Classification):
        check_arguments("loss", type(task.loss()), loss)
    if task is not None:
        task.loss(**loss)  # checks the values
    elif loss:
        raise ValueError("there is a loss where there is no task")
    return loss


def _node(value: Any) -> dict[str, Any]:
    node = mapping(value)
    if not isinstance(node["_target_"], str):
        raise ValueError("_target_ is no name")
    _check_length(node)
    return node


def _columns(facts: Any) -> Columns:
    facts, known = mapping(facts), [field.name for field in fields(Columns)]
    since = {"separator", "broken_rows", "decimal"}  # that models may lack
    if not set(known) - since <= set(facts) <= set(known):
        raise ValueError(f"expected columns to have {listed(known)}; there are {listed(facts)}")
    check_arguments("columns", Columns, facts)
    is_utf8(facts["encoding"])  # tells if there is no such encoding
    label = facts["label"]
    return Columns(
        **facts | {"text": tuple(facts["text"]), "label": tuple(label) if isinstance(label, list) else label}
    )


def _rows(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    facts = mapping(value)
    if set(facts) != {"split", "bytes", "sha256"} or facts["split"] not in ("val", "test", "train"):
        raise ValueError(f"expected rows to have a split, bytes and sha256; there are {listed(facts)}")
    return facts | {"bytes": whole(facts["bytes"])}
