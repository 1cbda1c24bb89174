"""A process that draws: it reads drawings from its standard input, and writes files to its standard output.

Of several drawings at once copies of it draw some each. Drawings come as pickles from the process that has started this
one, and from nobody else. It ends with its input, so that it does not outlive that process by more than a picture.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from rosenblatt.errors import first_line
from rosenblatt.run.cores import num_cores
from rosenblatt.show.figures.boundary import Boundary
from rosenblatt.show.figures.curves import LearningCurves, Line
from rosenblatt.show.figures.style import Drawing, Drawn, draw

Request: TypeAlias = tuple[Drawing, bool]  # what, and whether in both kinds of files
MAX_COPIES = 4 if sys.platform == "linux" else 1  # elsewhere a copy is not safe, or not to be had

_ONE, _FEW = np.zeros(1), np.linspace(0, 1, 9).reshape(3, 3)
SAMPLES: tuple[Drawing, ...] = (
    LearningCurves("a", [("loss", [Line("a", [0], [0])])], None),
    Boundary("a", ("a", "b"), ["a", "b"], np.zeros((1, 2)), _ONE, _ONE, (0, 1, 0, 1), _FEW, _FEW),
)


def main() -> None:
    """Draw until there is no more input."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    for sample in SAMPLES:
        draw(sample, with_svg=True)  # loads fonts and more, before anybody waits
    while True:
        try:
            asked: list[Request] = pickle.load(requests)
        except EOFError:
            return
        num_copies = min(MAX_COPIES, num_cores(), len(asked))
        for found in _drawn_by_copies(asked, num_copies) if num_copies > 1 else map(_drawn, asked):
            pickle.dump(found, answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()


def _drawn(request: Request) -> Drawn | str:
    try:
        return draw(*request)
    except Exception as error:
        return f"{type(error).__name__}: {first_line(error) or 'no message'}"


def _drawn_by_copies(asked: list[Request], num_copies: int) -> Iterator[Drawn | str]:
    """Yield pictures in order; each of some copies of this process draws its share of them, and ends."""
    copies = []
    for number in range(num_copies):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                with os.fdopen(writer, "wb") as file:
                    for request in asked[number::num_copies]:
                        pickle.dump(_drawn(request), file, pickle.HIGHEST_PROTOCOL)
                        file.flush()
            finally:
                os._exit(0)  # whatever happens, a copy does not go on as what it is a copy of
        os.close(writer)
        copies.append((pid, os.fdopen(reader, "rb")))
    for number in range(len(asked)):
        try:
            found: Drawn | str = pickle.load(copies[number % num_copies][1])
        except Exception as error:
            found = f"a copy of the process that draws has ended ({type(error).__name__})"
        yield found
    for pid, answers in copies:
        answers.close()
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
