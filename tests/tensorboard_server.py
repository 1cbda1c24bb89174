"""TensorBoard itself, for the tests that ask it what it shows."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def served(folder: Path, *arguments: str) -> Iterator[Callable[..., Any]]:
    """Start a server in a folder; yield what asks it for a path, again and again until an answer is as wanted."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", *arguments, "--port", str(port)],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def ask(path: str, is_wanted: Callable[[Any], Any] = lambda answer: True) -> Any:
        deadline = time.monotonic() + 60
        while True:
            found = None
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/data/{path}", timeout=20) as page:
                    found = json.load(page)
            except (OSError, ValueError):  # not up yet, or half an answer
                assert server.poll() is None
            if found is not None and is_wanted(found):
                return found
            assert time.monotonic() < deadline, (path, found)
            time.sleep(0.2)

    try:
        yield ask
    finally:
        server.terminate()
        server.wait(timeout=30)
