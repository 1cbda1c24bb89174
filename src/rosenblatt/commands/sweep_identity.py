"""Whether a folder is of the sweep that is asked for: started with the same words, files and data."""

from __future__ import annotations

import hashlib
import re
import uuid
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from rosenblatt.cli.project import config_folder
from rosenblatt.cli.space import Words, is_space
from rosenblatt.cli.values import differences, flat
from rosenblatt.commands.sweep_settings import Settings
from rosenblatt.errors import UserError
from rosenblatt.sweeps.dimensions import Choices, Dimension, plain_key
from rosenblatt.sweeps.folder import SweepFolder

MAY_CHANGE = ("sweep.trials", "sweep.max_failures", "sweep.retry_failed", "sweep.name")  # from one start to the next
LONGEST = 4096  # characters of a path


def same_sweep(folder: SweepFolder, words: Words, settings: Settings) -> tuple[Words, str]:
    """See to it that the folder is of this sweep, and of no other.

    Returns:
        The words, with what varies in the order in which it was started: trials are numbered by it; and the identity
        of the folder.

    Raises:
        UserError: a sweep of that name was started with other settings, files or data; a run is there.
    """
    now = [_masked(word) for word in words.fixed if word.partition("=")[0] not in MAY_CHANGE and not is_space(word)]
    varies = [f"{one.key}={_shown(one)}" for one in words.dimensions]
    before = folder.read()
    has_begun = any(folder.path.glob("*/config.yaml"))
    if before is None:
        if any(folder.path.glob("*/job.json")) or (folder.path / "config.yaml").exists():
            raise UserError(f"{folder.path}: something else is there. Take another sweep.name.")
        before = {}
    lines, data = [], _digests(words)
    if before:
        then = [*before["fixed"], *before["varies"]]
        lines += differences(_by_key(then), _by_key([*now, *varies]), missing="given")
        lines += _changed_files(folder.path / "configs", now)
        lines += [f"the file {path} has changed" for path, one in before["data"].items() if data.get(path, one) != one]
    if not before or (lines and not has_begun):  # nothing was spent on what it was
        identity = uuid.uuid4().hex
        content = {"id": identity, "method": settings.method, "fixed": now, "varies": varies, "seeds": settings.seeds}
        folder.start({**content, "objectives": settings.objectives, "data": data}, config_folder())
        return words, identity
    if lines:
        told = "; ".join(lines[:5]) + (f"; and {len(lines) - 5} more" if len(lines) > 5 else "")
        raise UserError(
            f"sweep.name={folder.path.name}: this sweep was started with other settings: {told}. Go on with what it "
            "was, or take another sweep.name."
        )
    order = [word.partition("=")[0] for word in before["varies"]]
    return words._replace(dimensions=sorted(words.dimensions, key=lambda one: order.index(one.key))), str(before["id"])


def _by_key(words: list[str]) -> dict[str, str]:
    return {key: value for key, _, value in (word.partition("=") for word in words)}


def _digests(words: Words) -> dict[str, str]:
    """Return a digest of each local file that the words name as data."""
    typed = [word.partition("=") for word in words.fixed if plain_key(word).startswith("data.")]
    named = [value for _, _, value in typed]
    named += [value for one in words.dimensions if isinstance(one, Choices) for value in one.values]
    paths = [Path(value.strip("'\"")).expanduser() for value in named if len(value) < LONGEST]
    return {str(path): _digest(path) for path in paths if path.is_file()}


def _digest(path: Path) -> str:
    found = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 22):
            found.update(chunk)
    return found.hexdigest()


def _shown(dimension: Dimension) -> str:
    if isinstance(dimension, Choices):
        return "|".join(dimension.values)
    low, high, step, log, whole = dimension[1:]
    kind = "log " * log + "int " * whole
    return f"{kind}{low:g} to {high:g}" + ("" if step is None else f" by {step:g}")


def _masked(word: str) -> str:
    """Return a word without the password of a database."""
    return re.sub(r"(sweep\.storage=.*//[^:/@]*):[^@]*@", r"\1:...@", word)


def _changed_files(copy: Path, words: list[str]) -> list[str]:
    """Return what has changed in ``configs/`` since the sweep was started, as lines.

    Files that are new are no change: no job was started with them. Nor are those of other commands, and experiments
    that the sweep does not name.
    """
    lines = []
    for path in sorted(copy.rglob("*.yaml")):
        name = path.relative_to(copy)
        is_used = name.parts[0] == "train.yaml" if len(name.parts) == 1 else name.parts[0] != "hydra"
        if not is_used or (name.parts[0] == "experiment" and not any(name.stem in word for word in words)):
            continue
        try:
            then, now = (flat(_unresolved(one)) for one in (path, config_folder() / name))
        except Exception as error:  # of the operating system, of YAML, of OmegaConf
            lines.append(f"configs/{name} can't be compared ({str(error).splitlines()[0]})")
            continue
        old, new = ({f"{key} in configs/{name}": one for key, one in every.items()} for every in (then, now))
        lines += differences(old, new, missing="there")
    return lines


def _unresolved(path: Path) -> Any:
    return OmegaConf.to_container(OmegaConf.load(path), resolve=False)
