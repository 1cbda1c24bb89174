"""``model.json``: what a folder says of its model, each word of it checked before it is used."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from typing import Any, NamedTuple

from rosenblatt import __version__
from rosenblatt.arguments import check_arguments
from rosenblatt.data.columns import Columns
from rosenblatt.data.features import DataSpec
from rosenblatt.data.source import is_utf8
from rosenblatt.errors import listed
from rosenblatt.saved.model import SavedModel
from rosenblatt.saved.refusal import mapping, number, whole
from rosenblatt.saved.registry import ENCODERS, MODELS
from rosenblatt.tasks.losses import ClassificationLoss

FORMAT = 1
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed", "64-true", "16-true", "bf16-true")  # of Lightning's Trainer
MAX_ARGUMENTS = 1 << 16  # characters of JSON; a million layers would take all memory before one weight is read


class Part(NamedTuple):
    """A class of `rosenblatt.saved.registry`, with what it is to be made of.

    Attributes:
        maker: the class.
        arguments: that its constructor takes, by name.
        learnt: for an encoder, what its ``facts`` returned.
    """

    maker: Any
    arguments: dict[str, Any]
    learnt: dict[str, Any]


class Description(NamedTuple):
    """A `rosenblatt.saved.model.SavedModel` without what is in other files; see there.

    Attributes:
        files: name of each other file to its ``bytes`` and ``sha256``, not checked yet.
    """

    spec: DataSpec
    model: Part
    encoder: Part | None
    columns: Columns
    threshold: float | list[float]
    temperature: float
    loss: dict[str, Any]
    batch_size: int
    precision: str
    rows: dict[str, Any] | None
    files: dict[str, Any]


def described(saved: SavedModel, files: dict[str, Any]) -> str:
    """Return the content of ``model.json``.

    Args:
        saved: the model.
        files: name of each other file to its ``bytes`` and ``sha256``.
    """
    encoder = saved.encoder
    content: dict[str, Any] = {
        "format": FORMAT,
        "rosenblatt": __version__,
        **asdict(saved.spec),
        "model": {"name": type(saved.model).__name__, "arguments": saved.model_arguments},
        "encoder": None
        if encoder is None
        else {"name": type(encoder).__name__, "arguments": encoder.settings, "learnt": encoder.facts()},
        "columns": asdict(saved.columns),
        "threshold": saved.threshold,
        "temperature": saved.temperature,
        "loss": saved.loss,
        "batch_size": saved.batch_size,
        "precision": saved.precision,
        "rows": saved.rows,
        "files": files,
    }
    return json.dumps(content | {"sha256": _digest(content)}, indent=1, ensure_ascii=False) + "\n"


def _digest(content: dict[str, Any]) -> str:
    """Return the SHA-256 of all that is said, however it is laid out; NaN and halves of characters can't be said."""
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, allow_nan=False).encode()).hexdigest()


def read_description(text: str) -> Description:
    """Return what `described` has described.

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
    spec = _spec(content)
    model = _part(content["model"], MODELS, "MODELS")
    check_arguments("model", model.maker, model.arguments)
    if len(json.dumps(model.arguments)) > MAX_ARGUMENTS:
        raise ValueError(f"the arguments of the model have more than {MAX_ARGUMENTS:,} characters")
    encoder = None
    if content["encoder"] is not None:
        encoder = _part(content["encoder"], ENCODERS, "ENCODERS")
        check_arguments("encoder", encoder.maker, encoder.arguments)
    loss = mapping(content["loss"])
    check_arguments("loss", ClassificationLoss, loss)
    ClassificationLoss(spec, **loss)  # checks the values
    return Description(
        spec=spec,
        model=model,
        encoder=encoder,
        columns=_columns(content["columns"]),
        threshold=_threshold(content["threshold"], spec),
        temperature=number(content["temperature"], 1e-6, 1e6),
        loss=loss,
        batch_size=whole(content["batch_size"]),
        precision=_precision(content["precision"]),
        rows=_rows(content["rows"]),
        files=mapping(content["files"]),
    )


def _part(facts: Any, registry: dict[str, Any], name: str) -> Part:
    facts = mapping(facts)
    if not isinstance(facts["name"], str) or facts["name"] not in registry:
        raise ValueError(
            f"{str(facts['name'])[:100]!r} is none of {listed(registry)}. If it is a class of this project, add it to "
            f"rosenblatt.saved.registry.{name}"
        )
    learnt = mapping(facts["learnt"]) if registry is ENCODERS else {}
    return Part(registry[facts["name"]], mapping(facts["arguments"]), learnt)


def _spec(content: dict[str, Any]) -> DataSpec:
    classes, counts, task = content["classes"], content["class_counts"], content["task"]
    if task not in ("binary", "multiclass", "multilabel") or not isinstance(content["bags"], bool):
        raise ValueError("task or bags is none")
    if not isinstance(classes, list) or not all(isinstance(one, str) for one in classes):
        raise ValueError("classes are no list of names")
    if len(set(classes)) < len(classes) or len(classes) < 2 or (task == "binary" and len(classes) > 2):
        raise ValueError(f"there are {len(classes)} classes, or one of them twice")
    if not isinstance(counts, list) or len(counts) != len(classes):
        raise ValueError(f"class_counts are no list of {len(classes)} numbers")
    return DataSpec(
        whole(content["num_features"]), content["bags"], task, tuple(classes),
        tuple(whole(count, 0) for count in counts), whole(content["num_rows"]),
    )  # fmt: skip


def _columns(facts: Any) -> Columns:
    facts, known = mapping(facts), [field.name for field in fields(Columns)]
    if set(facts) != set(known):
        raise ValueError(f"expected columns to have {listed(known)}; there are {listed(facts)}")
    if not isinstance(facts["text"], list):
        raise ValueError("columns.text is no list")
    check_arguments("columns", Columns, facts)
    is_utf8(facts["encoding"])  # tells if there is no such encoding
    return Columns(**facts | {"text": tuple(facts["text"])})


def _threshold(value: Any, spec: DataSpec) -> float | list[float]:
    if not isinstance(value, list):
        return number(value, 0, 1)
    if len(value) != spec.num_outputs:
        raise ValueError(f"there are {len(value)} thresholds for {spec.num_outputs} outputs")
    return [number(one, 0, 1) for one in value]


def _precision(value: Any) -> str:
    if value not in PRECISIONS:
        raise ValueError(f"expected precision to be one of {listed(PRECISIONS)}; it says {str(value)[:50]!r}")
    return str(value)


def _rows(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    facts = mapping(value)
    if set(facts) != {"split", "bytes", "sha256"} or facts["split"] not in ("val", "test", "train"):
        raise ValueError(f"expected rows to have a split, bytes and sha256; there are {listed(facts)}")
    return facts | {"bytes": whole(facts["bytes"])}
