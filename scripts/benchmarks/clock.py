"""Run one command and print, as a line of JSON, what it used:

    python clock.py OUTPUT LIMIT yes|no COMMAND ...

OUTPUT gets what the command prints, LIMIT are the seconds that it may take, and yes lets it print on a terminal.

A program of its own that imports little: for Linux, the peak memory of a process is never below that of the process
that started it (exec keeps the high-water mark), and one that has just made a corpus had gigabytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

ROWS, COLUMNS = 40, 120  # of the terminal


def clock(command: list[str], output: str, limit: float, terminal: bool) -> dict[str, Any]:
    """Run a command to its end, or to its limit.

    Args:
        command: program and arguments.
        output: file that gets what it prints, standard error included.
        limit: seconds after which it is killed, with all that it has started.
        terminal: whether it prints on a terminal, so that bars are drawn.

    Returns:
        ``status`` as subprocess gives it, ``timed_out``, ``wall`` and ``cpu`` (user and system, those of its own
        children included) in seconds, ``memory`` (peak of the largest process) in bytes.
    """
    if sys.platform == "win32":
        raise NotImplementedError("os.wait4 and terminals of one's own are there on Linux and macOS only.")
    with open(output, "wb") as sink:
        source, reader = -1, None
        if terminal:
            source, target = _terminal()
            streams: dict[str, Any] = {"stdin": target, "stdout": target, "stderr": target}
        else:
            streams = {"stdin": subprocess.DEVNULL, "stdout": sink, "stderr": subprocess.STDOUT}
        start = time.perf_counter()
        # A session of its own, so that a kill reaches its children too.
        process = subprocess.Popen(command, start_new_session=True, **streams)
        if terminal:
            os.close(target)  # else reading would never end
            reader = threading.Thread(target=_copy, args=(source, sink))
            reader.start()
        timed_out = threading.Event()
        timer = threading.Timer(limit, _time_out, (timed_out, process.pid))
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
        except BaseException:  # Ctrl-C: the session of its own has kept it from the command
            _kill(process.pid)
            raise
        finally:
            timer.cancel()
            if reader is not None:
                reader.join()
                os.close(source)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "status": process.returncode,
        "timed_out": timed_out.is_set(),
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),  # bytes there, KiB elsewhere
    }


def _terminal() -> tuple[int, int]:
    """Return the two ends of a new terminal: what is to be read, and what a program prints on."""
    if sys.platform == "win32":
        raise NotImplementedError
    import fcntl
    import pty
    import struct
    import termios

    source, target = pty.openpty()
    fcntl.ioctl(target, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    return source, target


def _copy(source: int, sink: Any) -> None:
    """Copy until the terminal is closed, which Linux reports as an error."""
    with contextlib.suppress(OSError):
        while chunk := os.read(source, 65536):
            sink.write(chunk)


def _time_out(timed_out: threading.Event, pid: int) -> None:
    timed_out.set()
    _kill(pid)


def _kill(pid: int) -> None:
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    print(json.dumps(clock(sys.argv[4:], sys.argv[1], float(sys.argv[2]), sys.argv[3] == "yes")))
