"""A process that draws: it reads drawings from its standard input, and writes files to its standard output.

For each socket that it is given by number it makes a copy of itself, which does the same there. Drawings come as
pickles from the process that has started this one, and from nobody else. It ends with its input, as its copies do, so
that none outlives that process by more than a picture.
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
from typing import IO, Any

import numpy as np

from rosenblatt.figures.boundary import Boundary
from rosenblatt.figures.curves import LearningCurves, Line
from rosenblatt.figures.style import Drawing, Drawn, draw

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
    places = [socket.socket(fileno=int(word)) for word in sys.argv[1:]]
    copies = []
    for place in places:
        copy = os.fork()
        if copy == 0:  # it, which has all that loaded, too
            both: Any = place.makefile("rwb")
            for end in (*places, requests, answers):  # of others: whoever waits at one is to see that its process ended
                end.close()
            _serve(both, both)
            return
        copies.append(copy)
    for place in places:
        place.close()
    _serve(requests, answers)
    for copy in copies:
        os.waitpid(copy, 0)


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    while True:
        try:
            request: Any = pickle.load(requests)
        except EOFError:
            return
        try:
            found: Drawn | str = draw(*request)
        except Exception as error:
            found = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else 'no message'}"
        pickle.dump(found, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


if __name__ == "__main__":
    main()
