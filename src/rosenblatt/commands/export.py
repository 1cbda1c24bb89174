"""Export a saved model for programs without this project: what ``python scripts/export.py`` does."""

from __future__ import annotations

import copy
import logging
import os
import warnings
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim

from rosenblatt.commands.classes import KNOWN
from rosenblatt.data.features import Bags, Features, rows_between
from rosenblatt.errors import UserError, first_line
from rosenblatt.run.whole import check_free, replace
from rosenblatt.saved.folder import own_rows, read
from rosenblatt.saved.model import SavedModel
from rosenblatt.saved.place import find, run_of
from rosenblatt.tasks.classification import Classification
from rosenblatt.tasks.task import Task
from rosenblatt.text.sparse import BagLinear

log = logging.getLogger(__name__)

MAX_ROWS = 1000  # that the exported model is compared on
Format: TypeAlias = Literal["onnx", "torch_export"]
SUFFIXES = {"onnx": ".onnx", "torch_export": ".pt2"}
TOLERANCE = 1e-5  # of probabilities, and of numbers in standard deviations
OPSET = 18


def export(settings: dict[str, Any]) -> Path:
    """Write the model in another format, and compare it with its source.

    Args:
        settings: those of ``configs/export.yaml``, checked.

    Returns:
        The file.

    Raises:
        UserError: no such model, no rows to compare on, or probabilities (or numbers, in standard deviations) that
            differ by more than 1e-5.
    """
    if settings["output"] is not None:
        check_free(Path(settings["output"]), settings["overwrite"])
    format = settings["format"]
    folder = find(settings["run"])
    saved = read(folder, KNOWN)
    if saved.encoder is None:
        raise UserError(
            f"run={folder}: an exported model is compared with its source on rows, and this one's data module has no "
            "encoder, which makes features of them (docs/bring_your_own.md)."
        )
    if settings["input"] is not None:
        where, frame = settings["input"], saved.columns.read(settings["input"])
    elif (own := own_rows(folder, saved)) is not None:
        where, frame = own.where, own.frame
    else:
        raise UserError(f"run={folder}: there are no rows beside this model to compare on. Give it some: input=FILE")
    features = saved.encode_frame(frame[:MAX_ROWS], where)

    path = Path(settings["output"] or run_of(folder) / "export" / f"model{SUFFIXES[format]}")
    warnings.simplefilter("ignore")  # of what exporters themselves do
    for name in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(name).setLevel(logging.ERROR)
    difference = write_exported(saved, path, format, features)
    num_rows = min(frame.height, MAX_ROWS)
    log.info("%s: the largest difference on %s rows of %s is %.1e.", path, f"{num_rows:,}", where, difference)
    return path


class PlainBagLinear(nn.Module):
    """`rosenblatt.text.sparse.BagLinear` in operations that every runtime has: stretches as differences of one sum.

    That sum goes over all pairs of a batch, so it is kept in 64 bits: in 32, later rows would lose their last digits.
    """

    def __init__(self, layer: BagLinear) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, bags: Bags) -> Tensor:
        """Map N bags to (N, num_outputs)."""
        terms = (self.weight[bags.ids] * bags.weights.unsqueeze(1)).double()  # (nnz, C)
        total = torch.cat([torch.zeros_like(self.bias).double().unsqueeze(0), terms.cumsum(0)])  # (nnz + 1, C)
        return (total[bags.offsets[1:]] - total[bags.offsets[:-1]]).float() + self.bias


class Exported(nn.Module):
    """Features to outputs, and what they mean."""

    def __init__(self, model: nn.Module, task: Task) -> None:
        super().__init__()
        self.model = copy.deepcopy(model)
        for name, module in list(self.model.named_modules()):
            if isinstance(module, BagLinear):
                parent, _, child = name.rpartition(".")
                setattr(self.model.get_submodule(parent), child, PlainBagLinear(module))
        self.task = task

    def forward(self, *features: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (N, num_outputs), divided by the temperature, and probabilities; or outputs and numbers."""
        outputs: Tensor = self.model(features[0] if len(features) == 1 else Bags(*features))
        return self.task.tempered(outputs), self.task.scores(outputs)


def names_of(task: Task) -> list[str]:
    """Return what the two results of an exported model are called."""
    return ["logits", "probabilities"] if isinstance(task, Classification) else ["outputs", "predictions"]


def write_exported(saved: SavedModel, path: Path, format: Format, features: Features) -> float:
    """Write a model for batches of any size, and return the largest difference to its source.

    Inputs are ``features`` (N, num_features) float32, or ``ids`` (nnz,) int64, ``weights`` (nnz,) float32 and
    ``offsets`` (N + 1,) int64. Outputs are ``logits`` and ``probabilities``, (N,) for binary and (N, num_outputs)
    otherwise; of numbers ``outputs`` (N, 1) and ``predictions`` (N,) float64, in the units of the label.

    Args:
        saved: the model.
        path: of the file; written whole.
        format: ``onnx`` or ``torch_export``.
        features: of real rows, to compare it on.

    Raises:
        UserError: packages are missing, it can't be exported, or its probabilities differ by more than `TOLERANCE`, or
            numbers by more than that share of their standard deviation; then there is no file, or still the one that
            there was.
    """
    module = Exported(saved.model, saved.known_task).eval()
    if isinstance(features, Bags):
        names = ["ids", "weights", "offsets"]
        example: tuple[Tensor, ...] = torch.tensor([0, 1, 0]), torch.ones(3), torch.tensor([0, 1, 3])
        pairs = Dim("pairs", min=0)
        shapes: Any = ({0: pairs}, {0: pairs}, {0: Dim("rows", min=0) + 1})
    else:
        names, example = ["features"], (torch.zeros(2, *features.shape[1:]),)
        shapes = ({0: Dim("rows", min=0)},)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp{path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        try:
            program = torch.export.export(
                module, example, dynamic_shapes=(shapes,), strict=False,
                prefer_deferred_runtime_asserts_over_guards=True,
            )  # fmt: skip
        except Exception as error:  # of a model of one's own; there are as many kinds as ways to write one
            raise UserError(f"This model can't be exported by torch.export: {first_line(error)}") from error
        if format == "torch_export":
            torch.export.save(program, temporary)
        else:
            _write_onnx(program, example, names, names_of(saved.known_task), temporary)
        difference = largest_difference(saved, temporary, format, features)
        if not difference <= TOLERANCE:
            raise UserError(
                f"{path}: its {names_of(saved.known_task)[1]} differ from those of the model by up to "
                f"{difference:.1e}, more than {TOLERANCE}, so it is not kept."
            )
        replace(temporary, path)
        return difference
    finally:
        temporary.unlink(missing_ok=True)


def _write_onnx(program: Any, example: tuple[Tensor, ...], names: list[str], results: list[str], path: Path) -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"format=onnx needs {error.name}. Try: pip install 'rosenblatt[onnx]'") from None
    torch.onnx.export(
        program, example, path, dynamo=True, input_names=names, output_names=results,
        opset_version=OPSET, external_data=False, verbose=False,
    )  # fmt: skip


def inputs_of(features: Features) -> tuple[Tensor, ...]:
    """Return features as an exported model takes them."""
    if isinstance(features, Bags):
        return features.ids.long(), features.weights, features.offsets
    return (features,)


def largest_difference(saved: SavedModel, path: Path, format: Format, features: Features) -> float:
    """Return by how much probabilities of an exported model differ from those of its source, at most; of numbers, which
    share of their standard deviation that is.

    It is run on no row, on one, and on all of them.
    """
    task = saved.known_task
    if format == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_inputs()]

        def run(*inputs: Tensor) -> np.ndarray[Any, Any]:
            found: Any = session.run(names_of(task)[1:], dict(zip(names, (one.numpy() for one in inputs), strict=True)))
            return np.asarray(found[0])
    else:
        program = torch.export.load(path).module()

        def run(*inputs: Tensor) -> np.ndarray[Any, Any]:
            return np.asarray(program(*inputs)[1].detach().numpy())

    num_rows = features.num_rows if isinstance(features, Bags) else len(features)
    largest = 0.0
    for size in sorted({0, min(1, num_rows), num_rows}):
        some = rows_between(features, 0, size)
        expected, found = saved.scores_of(some).numpy(), run(*inputs_of(some))
        if expected.shape != found.shape:
            raise UserError(f"{path}: of {size} rows it gives {names_of(task)[1]} {found.shape}, not {expected.shape}.")
        differences = np.where(np.isnan(expected) & np.isnan(found), 0, np.abs(expected - found) / task.scale)
        largest = max(largest, float(np.nan_to_num(differences, nan=np.inf).max(initial=0)))
    return largest
