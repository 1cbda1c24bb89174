"""The model folder: written whole, and read as what a stranger may have sent.

``model.json`` says what the model is, ``weights.safetensors`` and ``vocabulary.parquet`` what it has learnt, and
``README.md`` is for people. Nothing in it is pickled, and nothing names code or files: classes are looked up in
`rosenblatt.saved.registry`, and file names are fixed. All that is read is checked before it is used.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import polars as pl
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rosenblatt.data.encoder import Encoder
from rosenblatt.data.features import Bags
from rosenblatt.errors import UserError, listed, nearest
from rosenblatt.run.whole import force, usual_rights
from rosenblatt.saved.description import Description, Part, described, read_description
from rosenblatt.saved.model import SavedModel
from rosenblatt.saved.refusal import check_content, check_file, refusing, sha256
from rosenblatt.text.encoder import TextEncoder

JSON, WEIGHTS, VOCABULARY, CARD = "model.json", "weights.safetensors", "vocabulary.parquet", "README.md"
MAX_JSON = 1 << 26  # bytes; half a million categories take a tenth of that
ROWS_PER_BYTE = 8  # of a vocabulary, at most: ours have a quarter, and a file that unfolds to more fills the memory


def write(saved: SavedModel, folder: Path, card: str) -> None:
    """Write a model folder: under another name, forced to disk, and then given its own.

    Args:
        saved: the model, of a class that `rosenblatt.saved.registry` knows.
        folder: one that is there already is replaced.
        card: content of its ``README.md``.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    for path in (temporary, old):  # of a process that was killed, and had the same number
        shutil.rmtree(path, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        weights = {name: _plain(one) for name, one in saved.model.state_dict().items()}
        save_file(weights, temporary / WEIGHTS)
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


def _plain(tensor: Tensor) -> Tensor:
    """Return a weight as it is kept: numbers in 32 bits, whatever the precision of training was."""
    tensor = tensor.detach().cpu().contiguous()
    return tensor.float() if tensor.is_floating_point() else tensor


def find(run: str | os.PathLike[str]) -> Path:
    """Return the model folder of a run, or the one that is given itself.

    Raises:
        UserError: there is none.
    """
    path = Path(os.path.expanduser(run))
    if (path / JSON).exists():
        return path if path.name not in ("", "..") else path.resolve()
    if (path / "model").is_dir():
        with refusing(path / "model"):
            if (path / "model").is_symlink():
                raise ValueError("it is a link, which leads out of the run")
        return path / "model"
    if (path / "config.yaml").exists():
        raise UserError(
            f"run={run}: this run has no model yet, since training has not ended. Go on: python train.py resume={run}"
        )
    runs = [str(found.parent) for found in Path("logs/runs").glob("*/model")]
    hint = nearest(str(run), runs) or (f" The newest is {max(runs, key=os.path.getmtime)!r}." if runs else "")
    raise UserError(f"run={run}: expected the folder of a run, or its model/; there is none.{hint}")


def run_of(folder: Path) -> Path:
    """Return the run that a model folder is of, or the folder itself where it stands alone."""
    return folder.parent if folder.name == "model" else folder


def read(folder: Path) -> SavedModel:
    """Return what `write` has written.

    Raises:
        ModelRefused: anything in the folder is not what `write` writes; the message says what, and nothing of it has
            been run.
    """
    with refusing(folder / JSON):
        check_file(folder / JSON, MAX_JSON)
        found = read_description((folder / JSON).read_text(encoding="utf-8"))
        if not {WEIGHTS} <= set(found.files) <= {WEIGHTS, VOCABULARY}:
            raise ValueError(f"expected files to be {WEIGHTS} and {VOCABULARY}; it names {listed(found.files)}")
    for name, facts in found.files.items():
        with refusing(folder / name):
            check_content(folder / name, facts)
    model = _model(folder, found)
    encoder = None if found.encoder is None else _encoder(folder, found, found.encoder)
    return SavedModel(
        model, found.spec, encoder, found.columns, found.model.arguments, found.threshold, found.temperature,
        found.loss, found.batch_size, found.precision, found.rows,
    )  # fmt: skip


def _model(folder: Path, found: Description) -> nn.Module:
    spec, (maker, arguments, _) = found.spec, found.model
    sizes = {"num_features": spec.num_features, "num_outputs": spec.num_outputs, "bags": spec.bags}
    with refusing(folder / JSON), torch.device("meta"):  # no memory, whatever the sizes are; the weights vouch for them
        model: nn.Module = maker(**sizes, **arguments)
    with refusing(folder / WEIGHTS):
        weights = _weights(folder / WEIGHTS, model)
        model.load_state_dict(weights, assign=True)
        if any(buffer.is_meta for buffer in model.buffers()):  # of a class of one's own: not saved, but made anew
            model = maker(**sizes, **arguments)
            model.load_state_dict(weights)
    return model.eval()


def _weights(path: Path, model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of a file that are the ones of the model, all of them, and finite."""
    expected = {name: (tuple(one.shape), one.dtype) for name, one in model.state_dict().items()}
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        if names != set(expected):
            raise ValueError(f"expected the weights {listed(expected)}; it has {listed(sorted(names))}")
        tensors = {}
        for name, (shape, dtype) in expected.items():
            found = file.get_slice(name)
            if tuple(found.get_shape()) != shape:
                raise ValueError(f"{name} has the shape {found.get_shape()}; model.json wants {list(shape)}")
            tensors[name] = file.get_tensor(name)
            if tensors[name].dtype != dtype:
                raise ValueError(f"{name} holds {tensors[name].dtype}; expected {dtype}")
            if not tensors[name].isfinite().all():
                raise ValueError(f"{name} holds what is no number (NaN or infinity)")
    return tensors


def _encoder(folder: Path, found: Description, part: Part) -> Encoder:
    with refusing(folder / JSON):
        encoder: Encoder = part.maker(**part.arguments)
        if json.dumps(encoder.settings) != json.dumps(part.arguments):
            raise ValueError("encoder.arguments are not all that an encoder is made with")
    vocabulary = None
    with refusing(folder / (VOCABULARY if VOCABULARY in found.files else JSON)):
        if VOCABULARY in found.files:
            num_rows = pl.scan_parquet(folder / VOCABULARY, glob=False).select(pl.len()).collect().item()
            if num_rows > ROWS_PER_BYTE * found.files[VOCABULARY]["bytes"]:
                raise ValueError(f"it says that it has {num_rows:,} rows, which can't be in so few bytes")
            vocabulary = pl.read_parquet(folder / VOCABULARY, glob=False)
        encoder.learn(part.learnt, vocabulary)
        if encoder.num_features != found.spec.num_features:
            raise ValueError(
                f"there are {encoder.num_features:,} features; model.json wants {found.spec.num_features:,}"
            )
    with refusing(folder / JSON):
        if json.dumps(encoder.facts()) != json.dumps(part.learnt):
            raise ValueError("encoder.learnt is not what an encoder learns")
        _try(encoder, found)
    return encoder


def _try(encoder: Encoder, found: Description) -> None:
    """Raise an error unless the encoder gives what the model takes: it is tried on no row."""
    if isinstance(encoder, TextEncoder) and not found.columns.text:
        raise ValueError("columns.text names no column")
    columns = encoder.column_of
    names = found.columns.text if columns is None else columns.unique()
    try:
        features = encoder.encode(pl.DataFrame(schema={str(name): pl.String for name in names}), found.columns, "rows")
    except Exception:  # a class of one's own may want other columns
        return
    if isinstance(features, Bags) != found.spec.bags:
        raise ValueError(f"bags is {found.spec.bags}, and not so of what the encoder gives")
