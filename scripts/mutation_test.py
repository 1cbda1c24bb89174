"""Change the engine in small ways, one at a time, and see whether a test notices.

    make coverage                                           which test runs which line, and how long it takes
    python scripts/mutation_test.py --sample 300 --seed 0   tasks, splits, checkpoints, sweeps
    python scripts/mutation_test.py --tests 200             those that survived, with more of the tests that run them

Mutants are written into a copy of the checkout, so that other processes see them, too. Texts for people, type hints,
decorators and assertions are not changed. ``logs/mutants.json`` has what was found; who is killed there is not tried
again. The exit status is 1 where fewer than 85 % are killed. Not for Windows.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from coverage import CoverageData

ROOT = Path(__file__).parents[1]
SCOPE = (
    "tasks/*", "data/labelled_files", "data/in_memory", "data/batches", "data/contract", "loop/checkpoints",
    "loop/replay", "loop/random_state", "commands/resume", "commands/space", "commands/sweep", "sweeps/*",
)  # fmt: skip
HEAVY = (
    "lightning.pytorch", "optuna", "polars", "matplotlib.figure", "sklearn.metrics", "pandas", "hypothesis",
    "hydra._internal.hydra",
)  # fmt: skip
SWAPS = {
    "Lt": "LtE GtE", "LtE": "Lt Gt", "Gt": "GtE LtE", "GtE": "Gt Lt", "Eq": "NotEq", "NotEq": "Eq", "Is": "IsNot",
    "IsNot": "Is", "In": "NotIn", "NotIn": "In", "And": "Or", "Or": "And", "Add": "Sub", "Sub": "Add", "Mult": "Div",
    "Div": "Mult", "FloorDiv": "Mult", "Mod": "Mult", "Pow": "Mult", "BitAnd": "BitOr", "BitOr": "BitAnd",
    "USub": "UAdd",
}  # fmt: skip


def places(node: Any, lines: range) -> Iterator[tuple[Any, range]]:
    """Yield the nodes that may be changed, with the lines whose tests are to notice; none: all of the file."""
    is_said = isinstance(node, ast.Call) and re.search(r"\b(debug|info|warning|print|warn)$", ast.unparse(node.func))
    if is_said or isinstance(node, ast.JoinedStr | ast.Assert):
        return
    if isinstance(node, ast.stmt) and lines:  # of a compound statement, its head
        last = node.body[0].lineno - 1 if hasattr(node, "body") else node.end_lineno or 0
        lines = range(node.lineno, max(node.lineno, last) + 1)
    if lines or not isinstance(node, ast.Assign):  # what a module names is a type, as a rule
        yield node, lines
    if isinstance(node, ast.FunctionDef):  # defaults of arguments are noticed where the function is called
        lines = range(node.body[0].lineno, (node.end_lineno or 0) + 1)
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and name not in ("annotation", "returns", "decorator_list", "exc"):
                yield from places(child, lines)


def changes(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield attributes of a node, each with another value."""
    several = getattr(node, "ops", None)
    for number, op in enumerate(several or [getattr(node, "op", None)]):
        for name in SWAPS.get(type(op).__name__, "").split():
            other = getattr(ast, name)()
            yield ("ops", [*several[:number], other, *several[number + 1 :]]) if several else ("op", other)
    match node:
        case ast.UnaryOp(op=ast.Not()):
            yield "operand", ast.UnaryOp(ast.Not(), node.operand)
        case ast.If() | ast.IfExp() if not isinstance(node.test, ast.UnaryOp | ast.Compare | ast.Constant):
            yield "test", ast.UnaryOp(ast.Not(), node.test)
        case ast.Constant(value=bool() | int() | float() as value):
            yield "value", not value if isinstance(value, bool) else value + 1
        case ast.Return(value=ast.expr() as value) | ast.Assign(value=value) if ast.unparse(value) != "None":
            yield "value", ast.Constant(None)
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.Delete():
            yield "__class__", ast.Pass
        case ast.Continue() | ast.Break():
            yield "__class__", ast.Break if isinstance(node, ast.Continue) else ast.Continue


def mutants_of(file: Path) -> Iterator[tuple[str, range, ast.Module]]:
    """Yield place and change in words, the lines whose tests are to notice, and the code: changed until the next."""
    tree = ast.parse(file.read_bytes())
    for node, lines in list(places(tree, range(0))):
        for attribute, value in changes(node):
            old, before = ast.unparse(node), getattr(node, attribute)
            setattr(node, attribute, value)
            change = f"{old.splitlines()[0]} -> {ast.unparse(node).splitlines()[0]}"
            yield f"{node.lineno}:{node.col_offset} {change}", lines, tree
            setattr(node, attribute, before)


class Tests:
    """The tests that ``make coverage`` has run."""

    def __init__(self) -> None:
        self.data = CoverageData(str(ROOT / ".coverage"))
        self.data.read()
        self.seconds: Counter[str] = Counter()
        for took, test in re.findall(r"(?m)^([\d.]+)s \w+ +(\S.*)$", (ROOT / "logs/tests.txt").read_text()):
            self.seconds[test] += float(took)  # type: ignore[assignment]

    def of(self, file: Path, lines: range, most: int) -> list[str]:
        """Return tests that run one of the lines, in 40 s: first those of the file, quick ones before slow ones."""
        by_line = self.data.contexts_by_lineno(str(file))
        tests = {context.rpartition("|")[0] for line in lines or by_line for context in by_line.get(line, [])} - {""}
        own, wing = f"/test_{file.stem}.py", f"/{file.parent.name}/"
        chosen = sorted(tests, key=lambda test: (own not in test, wing not in test, self.seconds[test]))[:most]
        totals = itertools.accumulate(self.seconds[test] for test in chosen)
        return [test for test, total in zip(chosen, totals, strict=True) if total <= 40] or chosen[:1]

    def trial(self, copy: Path, tests: list[str], *options: str) -> tuple[int, list[str]]:
        """Run tests in a process of their own; return pytest's exit status and what failed."""
        told, failed = copy / "failed.json", list[str]()
        if (child := os.fork()) == 0:
            os.setsid()
            signal.alarm(20 + int(3 * sum(self.seconds[test] for test in tests)))
            os.chdir(copy)
            for number in range(3):
                os.dup2(os.open(os.devnull, os.O_RDWR), number)
            sys.path[:0] = [str(copy / "src"), str(copy / "scripts")]
            os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])

            class Notes:
                @staticmethod
                def pytest_runtest_logreport(report: Any) -> None:
                    if report.failed:
                        failed.append(report.nodeid)

                pytest_collectreport = pytest_runtest_logreport

            options = ("-W", "ignore:Module already imported", "-p", "no:cacheprovider", "-p", "no:xdist", *options)
            status = 100
            try:
                status = pytest.main([*options, *tests], plugins=[Notes()])
                told.write_text(json.dumps(failed))
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # all that it has started
        return status, json.loads(told.read_text()) if 0 <= status < 100 else []


def main() -> None:
    """Change, test, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, number, what in (("sample", 300, "mutants"), ("seed", 0, "of the sample"), ("tests", 30, "for a mutant")):
        parser.add_argument(f"--{name}", type=int, default=number, help=what)
    arguments = parser.parse_args()
    src, results = ROOT / "src/rosenblatt", ROOT / "logs/mutants.json"
    files = [file for part in SCOPE for file in sorted(src.glob(f"{part}.py"))]
    every = [(file, change) for file in files for change, _, _ in mutants_of(file)]
    sample = random.Random(arguments.seed).sample(every, min(arguments.sample, len(every)))
    results.parent.mkdir(exist_ok=True)
    found: dict[str, str] = json.loads(results.read_text()) if results.exists() else {}
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in HEAVY:
        importlib.import_module(name)  # once; the engine itself is imported anew for each mutant
    with tempfile.TemporaryDirectory() as name:
        copy, known = Path(name) / "copy", Tests()
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "logs", "__pycache__"))
        mutants = ((file, *mutant) for file in files for mutant in mutants_of(file))
        for number, (file, change, lines, tree) in enumerate(mutants):
            told, path = f"{file.relative_to(src)}:{change}", copy / file.relative_to(ROOT)
            if (file, change) not in sample or found.get(told, "survived") != "survived":
                continue
            tests = known.of(file, lines, arguments.tests)
            path.write_text(ast.unparse(tree), encoding="utf-8")
            os.utime(path, (number, number))  # so that Python takes no compiled file of another for it
            status, failed = known.trial(copy, tests, "-x") if tests else (0, [])
            found[told] = "survived" if status == 0 else failed[0] if failed else f"status {status}"
            print(f"{told}: {found[told]} ({len(tests)} tests)", flush=True)
            shutil.copy2(file, path)
            results.write_text(json.dumps(found, indent=1))
        killers = sorted({one for one in found.values() if one.startswith("tests")})
        print("fail without a mutant, too:", *known.trial(copy, killers)[1])
    names = {f"{file.relative_to(src)}:{change}": file.parent.name for file, change in sample}
    total, killed = Counter(names.values()), Counter(names[told] for told in names if found[told] != "survived")
    print(*[f"{wing}: {killed[wing]} of {total[wing]}" for wing in total], sep="\n")
    print(f"{killed.total()} of {total.total()} are killed, of {len(every):,} that there are")
    sys.exit(killed.total() < 0.85 * total.total())


if __name__ == "__main__":
    main()
