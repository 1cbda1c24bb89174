"""The script that changes the engine in small ways."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = '''
Numbers = list[int]


def sign(x: int = 3, *, strict: bool = True) -> int | None:
    """Return 1 or -1."""
    if not strict and x < 0:
        raise ValueError(f"{x + 1} is below {0}")
    log.info("%s", x + 1)
    for one in range(x):
        continue
    return x * (
        -2.5
    )
'''
FUNCTION, LAST = range(6, 15), range(12, 15)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_code_is_changed_but_no_text_and_no_type(tmp_path):
    from mutation_test import mutants_of

    file = tmp_path / "sign.py"
    file.write_text(CODE)
    assert [(told, lines) for told, lines, _ in mutants_of(file)] == [
        ("5:39 True -> False", FUNCTION),
        ("5:18 3 -> 4", FUNCTION),
        ("7:4 if not strict and x < 0: -> if not (not strict and x < 0):", range(7, 8)),
        ("7:7 not strict and x < 0 -> not strict or x < 0", range(7, 8)),
        ("7:7 not strict -> not not strict", range(7, 8)),
        ("7:22 x < 0 -> x <= 0", range(7, 8)),
        ("7:22 x < 0 -> x >= 0", range(7, 8)),
        ("7:26 0 -> 1", range(7, 8)),
        ("8:8 raise ValueError(f'{x + 1} is below {0}') -> pass", range(8, 9)),
        ("9:4 log.info('%s', x + 1) -> pass", range(9, 10)),
        ("11:8 continue -> break", range(11, 12)),
        ("12:4 return x * -2.5 -> return None", LAST),
        ("12:11 x * -2.5 -> x / -2.5", LAST),
        ("13:8 -2.5 -> +2.5", LAST),
        ("13:9 2.5 -> 3.5", LAST),
    ]


@pytest.mark.soak
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_mutants_that_no_test_notices_are_told(tmp_path):
    files = {
        "src/rosenblatt/__init__.py": "",
        "src/rosenblatt/tasks/__init__.py": "",
        "src/rosenblatt/tasks/sign.py": "def sign(x):\n    return 1 if x > 0 else -1\n",
        "tests/tasks/test_sign.py": "from rosenblatt.tasks.sign import sign\n\n\n"
        "def test_signs():\n    assert [sign(3), sign(-3)] == [1, -1]\n",
        "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = 'src'\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    for name in ("logs", "scripts"):
        (tmp_path / name).mkdir()
    shutil.copy(ROOT / "scripts" / "mutation_test.py", tmp_path / "scripts")

    def run(*words):
        return subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True)

    covered = run("-m", "pytest", "-vv", "--durations", "0", "--cov", "src", "--cov-context", "test")
    (tmp_path / "logs/tests.txt").write_text(covered.stdout)
    done = run("scripts/mutation_test.py")
    assert done.returncode == 1, done.stderr
    killer = "tests/tasks/test_sign.py::test_signs"
    assert json.loads((tmp_path / "logs/mutants.json").read_text()) == {
        "tasks/sign.py:2:4 return 1 if x > 0 else -1 -> return None": killer,
        "tasks/sign.py:2:11 1 -> 2": killer,
        "tasks/sign.py:2:16 x > 0 -> x >= 0": "survived",
        "tasks/sign.py:2:16 x > 0 -> x <= 0": killer,
        "tasks/sign.py:2:20 0 -> 1": "survived",
        "tasks/sign.py:2:27 -1 -> +1": killer,
        "tasks/sign.py:2:28 1 -> 2": killer,
    }
    assert done.stdout.endswith("too:\ntasks: 5 of 7\n5 of 7 are killed, of 7 that there are\n")
