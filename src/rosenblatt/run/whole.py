"""Files that are there whole or not at all, and outlast a power cut; and their digests."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from rosenblatt.errors import UserError


def check_free(path: Path, overwrite: bool) -> None:
    """Raise a `UserError` where a file is to be written that is there already, unless it may be replaced."""
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists already; overwrite=true replaces it.")


def write_whole(path: Path, content: bytes, forced: bool = True) -> None:
    """Write a file under another name, force it to disk, and give it its name: it is there whole or not at all.

    What can be done without after a power cut, such as a figure, need not be ``forced``, which takes long.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
        if forced:
            replace(temporary, path)
        else:
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace(temporary: Path, path: Path) -> None:
    """Force a file to disk and give it its name, in place of what has it: one of the two outlasts a power cut."""
    force(temporary)
    os.replace(temporary, path)
    force(path.parent)


def sha256(path: Path) -> str:
    """Return the digest of what a file holds."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def usual_rights() -> int:
    """Return the rights of new files; the system tells the mask only when it is set."""
    mask = os.umask(0o022)
    os.umask(mask)
    return 0o666 & ~mask


def force(path: Path) -> None:
    """Force a file, or the names in a folder, to disk."""
    if os.name == "nt" and path.is_dir():  # Windows opens no folder
        return
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
