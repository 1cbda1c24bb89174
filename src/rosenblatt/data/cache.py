"""Encoded data on disk: what a run, or a job of a sweep, has encoded, the next one reads back.

An entry is one safetensors file, named by a digest of the content of the data files and of all settings that decide
what becomes of it, and read as the operating system reads a memory-mapped file: at once, and only what is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rosenblatt.run.whole import sha256, usual_rights

log = logging.getLogger(__name__)

FORMAT = 4  # of an entry
MAX_BYTES = 4 * 2**30  # of all entries but the newest; the ones that were longest not used go first
ENTRIES = "[0-9a-f]" * 32 + ".safetensors"  # no other file in the folder is ours to remove
PARTS = "encoded-*.part"
Result = TypeVar("Result")
DAY = 24 * 60 * 60  # seconds after which a part belongs to a process that was killed


class Cache:
    """Entries in a folder, each written whole or not at all: tensors by name, and facts, as JSON takes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Return where an entry is kept."""
        return self.folder / f"{key}.safetensors"

    def read(self, key: str, restored: Callable[[dict[str, Tensor], dict[str, Any]], Result]) -> Result | None:
        """Return what ``restored`` makes of an entry, or ``None`` where there is none, or none that can be read."""
        path = self.path(key)
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
                if file.metadata()["sum"] != _sum_of(tensors):
                    raise ValueError("its checksum is wrong")
                facts = json.loads(file.metadata()["facts"])
            log.info("The encoded data are read from %s.", path)
            found = restored(tensors, facts)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            log.warning("%s: not a whole cache entry (%r); the data are encoded again.", path, error)
            return None
        with contextlib.suppress(OSError):  # a cache that may only be read is a cache too
            os.utime(path)  # in use: not the next one to go
        return found

    def write(self, key: str, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Keep an entry; a disk that is full, or may not be written, costs a warning, not the run."""
        temporary = self.folder / f"encoded-{uuid.uuid4().hex}.part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}  # else it refuses them
            save_file(tensors, temporary, {"facts": json.dumps(facts), "sum": _sum_of(tensors)})
            os.chmod(temporary, usual_rights())  # as any file: the library lets nobody else read it
            os.replace(temporary, self.path(key))
            self._forget(key)
        except (OSError, SafetensorError) as error:
            log.warning("%s: the encoded data can't be kept (%s); data.cache=null does not try.", self.folder, error)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()

    def _forget(self, key: str) -> None:
        """Remove the entries that were longest not used, down to `MAX_BYTES`, and old parts; never that of ``key``."""
        found = []
        for path in self.folder.glob(ENTRIES):
            with contextlib.suppress(FileNotFoundError):  # another job has just removed it
                found.append((path.stat().st_mtime, path.stat().st_size, path))
        total = 0
        for _, size, path in sorted(found, reverse=True):
            total += size
            if total > MAX_BYTES and path != self.path(key):
                with contextlib.suppress(OSError):  # on Windows, one that another job reads stays
                    path.unlink()
        for path in self.folder.glob(PARTS):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > DAY:
                    path.unlink()


def _sum_of(tensors: dict[str, Tensor]) -> str:
    """Return a checksum of what tensors hold; against damage, not against malice."""
    total = 0
    for name in sorted(tensors):
        content = tensors[name].flatten().numpy().view(np.uint8)
        words = content[: len(content) // 8 * 8].view(np.uint64)  # added up at the speed of memory, modulo 2 ** 64
        total = (31 * total + int(words.sum(dtype=np.uint64)) + zlib.crc32(content[8 * len(words) :].tobytes())) % 2**64
    return f"{total:016x}"


def key_of(paths: dict[str, str], settings: dict[str, Any]) -> str:
    """Return the digest that names an entry, of local files and all settings that decide what becomes of them.

    Raises:
        OSError: a path that is no file or folder on a disk (a pipe could be read only once), or can't be read.
    """
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # hashing gives the interpreter free
        contents = dict(zip(paths, threads.map(_digest, paths.values()), strict=True))
    # Whoever changes how data are read or encoded changes what the same settings mean.
    wings = [Path(__file__).parents[1] / name for name in ("data", "text", "table", "tasks")]
    code = [_digest(str(file)) for wing in wings for file in sorted(wing.glob("*.py"))]
    text = json.dumps([FORMAT, pl.__version__, code, contents, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _digest(path: str) -> str:
    """Return the digest of a file, or of all files in the folders of a folder, with their names."""
    root = Path(os.path.expanduser(path))
    if not root.is_dir() and not root.is_file():
        raise FileNotFoundError(path)
    files = sorted(file for file in root.glob("*/*") if file.is_file()) if root.is_dir() else [root]
    contents = [f"{file.relative_to(root)}\0{sha256(file)}" for file in files]
    suffixes = "".join(root.suffixes[-2:])  # the name decides the format: .tsv.gz
    return hashlib.sha256("\0".join([suffixes, *contents]).encode()).hexdigest()


@contextlib.contextmanager
def recorded(name: str) -> Iterator[list[tuple[int, str]]]:
    """Collect what this thread logs to a logger and those below it, as (level, message), to tell it again later."""
    messages: list[tuple[int, str]] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append((record.levelno, record.getMessage()))  # type: ignore[method-assign]
    thread = threading.get_ident()  # rows may be read while another one begins the run
    handler.addFilter(lambda record: record.thread == thread)
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
