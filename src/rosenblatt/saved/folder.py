"""The model folder: written whole, and read as what a stranger may have sent.

``model.json`` says what the model is, ``weights.safetensors`` and ``vocabulary.parquet`` what it has learnt, and
``README.md`` is for people; rows that it was measured on lie beside the folder. Nothing in it is pickled, and nothing
that it names is imported: classes are looked up among those that are known (`rosenblatt.saved.known`), and file names
are fixed. All that is read is checked before it is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rosenblatt.arguments import ANY, check_arguments, parameters_of
from rosenblatt.data.encoder import Encoder
from rosenblatt.data.features import Bags
from rosenblatt.data.files import read_frame
from rosenblatt.errors import listed
from rosenblatt.run.folder import shown_path
from rosenblatt.run.whole import force, sha256, usual_rights
from rosenblatt.saved.description import described, read_description
from rosenblatt.saved.known import Find, installed, look_up
from rosenblatt.saved.model import SavedModel
from rosenblatt.saved.place import JSON
from rosenblatt.saved.refusal import check_content, check_file, mapping, refusing
from rosenblatt.text.encoder import TextEncoder

WEIGHTS, VOCABULARY, CARD = "weights.safetensors", "vocabulary.parquet", "README.md"
MAX_JSON = 1 << 26  # bytes; half a million categories take a tenth of that
OTHER_PRECISIONS = ("64-true", "16-true", "bf16-true")  # in which all weights were
ROWS_PER_BYTE = 8  # of a vocabulary, at most: ours have a quarter, and a file that unfolds to more fills the memory


def write(saved: SavedModel, folder: Path, card: str) -> None:
    """Write a model folder and its card: under another name, forced to disk, then given its own, in place of one."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    for path in (temporary, old):  # of a process that was killed, and had the same number
        shutil.rmtree(path, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        save_file(_plain(saved), temporary / WEIGHTS)
        os.chmod(temporary / WEIGHTS, usual_rights())  # as any file: the library lets nobody else read it
        vocabulary = None if saved.encoder is None else saved.encoder.vocabulary()
        if vocabulary is not None:
            vocabulary.write_parquet(temporary / VOCABULARY, compression="zstd", compression_level=1)
        files = {path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in temporary.iterdir()}
        (temporary / JSON).write_text(described(saved, files), encoding="utf-8")
        (temporary / CARD).write_text(card, encoding="utf-8")
        for path in [*temporary.iterdir(), temporary]:
            force(path)
        if folder.exists():
            os.replace(folder, old)
        try:
            os.replace(temporary, folder)
        except BaseException:
            if old.exists():
                os.replace(old, folder)
            raise
        force(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _plain(saved: SavedModel) -> dict[str, Tensor]:
    """Return weights as they are kept: each by itself, and in 32 bits where training had another precision for all."""
    kept: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in saved.state.items():
        tensor = tensor.detach().cpu().contiguous()
        if tensor.is_floating_point() and saved.precision in OTHER_PRECISIONS:
            tensor = tensor.float()
        place = tensor.untyped_storage().data_ptr()
        kept[name] = tensor.clone() if place in seen else tensor  # two layers may share their weights
        seen.add(place)
    return kept


def read(folder: Path, finds: Sequence[Find] = (installed,)) -> SavedModel:
    """Return what `write` has written.

    Args:
        folder: of the model.
        finds: know classes that it may be made of, see `rosenblatt.saved.known.look_up`.

    Raises:
        ModelRefused: anything in the folder is not what `write` writes; the message says what, and nothing of it has
            been run.
    """
    with refusing(folder / JSON):
        check_file(folder / JSON, MAX_JSON)
        saved, maker, said = read_description((folder / JSON).read_text(encoding="utf-8"), finds)
        files = mapping(said["files"])
        if not {WEIGHTS} <= set(files) <= {WEIGHTS, VOCABULARY}:
            raise ValueError(f"expected files to be {WEIGHTS} and {VOCABULARY}; it names {listed(files)}")
    for name, facts in files.items():
        with refusing(folder / name):
            check_content(folder / name, facts)
    saved.model, saved.rest = _model(folder, saved, maker, said["rest"], finds)
    if saved.encoder is not None:
        _teach(saved.encoder, folder, saved, said["encoder"], files.get(VOCABULARY))
    return saved


def _model(
    folder: Path, saved: SavedModel, maker: Any, rest: list[str], finds: Sequence[Find]
) -> tuple[nn.Module, dict[str, Tensor]]:
    """Return the model with its weights, and the ``rest``, which are not its own."""
    origin = saved.origin

    def make() -> nn.Module:
        given = built(origin.arguments, origin.role, finds)
        model = maker(**given, **_offered(maker, saved, finds))
        if not isinstance(model, nn.Module):
            raise TypeError(f"{origin.target} makes no torch.nn.Module")
        return model

    with refusing(folder / JSON):
        try:
            with torch.device("meta"):  # no memory, whatever the sizes are; the weights vouch for them
                model = make()
        except (NotImplementedError, RuntimeError) as error:
            if "meta" not in str(error):
                raise
            model = make()  # of a class of one's own, which looks at numbers while it is made
    with refusing(folder / WEIGHTS):
        weights, others = _weights(folder / WEIGHTS, model, origin.prefix, rest)
        if _is_empty(model):
            model.load_state_dict(weights, assign=True)
            if not _is_empty(model):
                return model.eval(), others
            model = make()  # with what is not saved, such as a buffer that is not persistent
        model.load_state_dict(weights)
    return model.eval(), others


def built(value: Any, role: str, finds: Sequence[Find]) -> Any:
    """Return arguments with the objects that stand in them made: each ``_target_`` is one that is known in the role.

    Raises:
        ValueError: one that is not known, or that only Hydra could make.
    """
    if isinstance(value, list):
        return [built(one, role, finds) for one in value]
    if not isinstance(value, dict):
        return value
    inner = {name: built(one, role, finds) for name, one in value.items()}
    if "_target_" not in value:
        return inner
    maker = look_up(role, inner.pop("_target_"), finds)
    placed, is_partial = inner.pop("_args_", []), inner.pop("_partial_", False)
    if others := [name for name in inner if name.startswith("_")]:
        raise ValueError(f"{role}: {listed(others)} are arguments of Hydra, which is not asked here")
    if type(placed) is not list or type(is_partial) is not bool:
        raise ValueError(f"{role}: _args_ is no list, or _partial_ neither true nor false")
    check_arguments(role, maker, inner)
    return partial(maker, *placed, **inner) if is_partial else maker(*placed, **inner)


def _offered(maker: Any, saved: SavedModel, finds: Sequence[Find]) -> dict[str, Any]:
    """Return what training gave to the class beside its YAML: what its constructor names, and YAML does not say."""
    task, role, arguments = saved.task, saved.origin.role, saved.origin.arguments
    every: dict[str, Any] = {**saved.sizes, **({} if task is None else {"num_outputs": task.num_outputs})}
    if role == "module":  # nothing of this is used to predict
        every |= {"task": task, "optimizer": partial(torch.optim.SGD, lr=0.0), "scheduler": None, "monitor": "val/loss"}
    names = [name for name, one in (parameters_of(maker) or {}).items() if one.kind not in ANY]
    if "loss" in names and role == "module" and task is not None:
        own = "_target_" not in saved.loss
        every["loss"] = task.loss(**saved.loss) if own else task.seen_by(built(saved.loss, "loss", finds))
    plain = {name: one for name, one in arguments.items() if not _has_target(one)}
    sizes = {name: one for name, one in every.items() if name in names and name not in arguments}
    check_arguments(role, maker, plain | {name: sizes[name] for name in sizes if name in saved.sizes})
    return sizes


def _has_target(value: Any) -> bool:
    if isinstance(value, dict):
        return "_target_" in value or any(map(_has_target, value.values()))
    return isinstance(value, list) and any(map(_has_target, value))


def _is_empty(model: nn.Module) -> bool:
    """Return whether any tensor of a model has no numbers, also those that it merely holds on to."""
    held = (one for part in model.modules() for one in vars(part).values() if isinstance(one, Tensor))
    return any(one.is_meta for one in chain(model.parameters(), model.buffers(), held))


def _weights(path: Path, model: nn.Module, prefix: str, rest: list[str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the tensors of a file: those of the model, all of them and finite, and the others that are told of."""
    expected = {f"{prefix}{name}": (tuple(one.shape), one.dtype) for name, one in model.state_dict().items()}
    numbers = {f"{prefix}{name}" for name, _ in model.named_parameters()}  # a buffer may hold a mask of infinities
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        if names != {*expected, *rest} or not expected.keys().isdisjoint(rest):
            raise ValueError(f"expected the weights {listed([*expected, *rest])}; it has {listed(sorted(names))}")
        tensors = {}
        for name, (shape, dtype) in expected.items():
            slices = file.get_slice(name)
            if tuple(slices.get_shape()) != shape:
                raise ValueError(f"{name} has the shape {slices.get_shape()}; model.json wants {list(shape)}")
            tensor = file.get_tensor(name)
            if tensor.dtype != dtype:
                raise ValueError(f"{name} holds {tensor.dtype}; expected {dtype}")
            if name in numbers and not tensor.isfinite().all():
                raise ValueError(f"{name} holds what is no number (NaN or infinity)")
            tensors[name.removeprefix(prefix)] = tensor
        return tensors, {name: file.get_tensor(name) for name in rest}


def _teach(
    encoder: Encoder, folder: Path, saved: SavedModel, said: dict[str, Any], file: dict[str, Any] | None
) -> None:
    """Have an encoder learn what is said of it, and what is in the ``file`` of its vocabulary."""
    vocabulary = None
    with refusing(folder / (JSON if file is None else VOCABULARY)):
        if file is not None:
            num_rows = pl.scan_parquet(folder / VOCABULARY, glob=False).select(pl.len()).collect().item()
            if num_rows > ROWS_PER_BYTE * file["bytes"]:
                raise ValueError(f"it says that it has {num_rows:,} rows, which can't be in so few bytes")
            vocabulary = pl.read_parquet(folder / VOCABULARY, glob=False)
        encoder.learn(mapping(said["learnt"]), vocabulary)
        wanted = saved.sizes.get("num_features", encoder.num_features)
        if encoder.num_features != wanted:
            raise ValueError(f"there are {encoder.num_features:,} features; model.json wants {wanted:,}")
    with refusing(folder / JSON):
        if json.dumps(encoder.facts()) != json.dumps(said["learnt"]):
            raise ValueError("encoder.learnt is not what an encoder learns")
        _try(encoder, saved)


def _try(encoder: Encoder, saved: SavedModel) -> None:
    """Raise an error unless the encoder gives what the model takes: it is tried on no row."""
    if isinstance(encoder, TextEncoder) and not saved.columns.text:
        raise ValueError("columns.text names no column")
    columns = encoder.column_of
    names = saved.columns.text if columns is None else columns.unique()
    try:
        features = encoder.encode(pl.DataFrame(schema={str(name): pl.String for name in names}), saved.columns, "rows")
    except Exception:  # a class of one's own may want other columns
        return
    bags = saved.sizes.get("bags", isinstance(features, Bags))
    if isinstance(features, Bags) != bags:
        raise ValueError(f"bags is {bags}, and not so of what the encoder gives")


class OwnRows(NamedTuple):
    """Rows of the last split of a run, and the file that they are from."""

    split: str
    where: str
    frame: pl.DataFrame


def own_rows(folder: Path, saved: SavedModel) -> OwnRows | None:
    """Return the rows that a model was measured on, which lie beside its folder; ``None`` where they are not there.

    Raises:
        ModelRefused: others lie in their place.
    """
    if saved.rows is None:
        return None
    split = saved.rows["split"]
    path = folder.absolute().parent / f"{split}.parquet"
    if not path.exists():
        return None
    with refusing(path):
        check_content(path, saved.rows)
    return OwnRows(split, shown_path(path), read_frame(str(path)))


def facts_of(split: str, content: bytes) -> dict[str, Any]:
    """Return what `rosenblatt.saved.model.SavedModel` knows of a file with rows."""
    return {"split": split, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
