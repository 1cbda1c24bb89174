"""What GitHub reads of this repository: workflows, forms, CITATION.cff; and where CONTRIBUTING.md leads people to."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

import rosenblatt
from conftest import ROOT

TARGETS = re.findall(r"^([./\w-]+):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = sorted([*(ROOT / ".github").rglob("*.yml"), ROOT / "CITATION.cff", ROOT / ".pre-commit-config.yaml"])
WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())
JOBS = [(path.name, name) for path in WORKFLOWS for name in yaml.safe_load(path.read_text())["jobs"]]


def made(text: str) -> list[str]:
    """What make is told to make, in a script or in the code of a page."""
    return re.findall(r"(?:^|`|&& )make ([./\w-]+)", text, flags=re.MULTILINE)


def typed(job: dict[str, Any]) -> str:
    """What the steps of a job run."""
    return "\n".join(step.get("run", "") for step in job["steps"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_each_file_is_a_mapping_in_yaml(path) -> None:
    assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)


@pytest.mark.parametrize(("file", "name"), JOBS)
def test_each_job_makes_what_the_makefile_has(file: str, name: str) -> None:
    workflow: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / file).read_text())
    job = workflow["jobs"][name]
    assert workflow[True]  # YAML's word for `on`: when it runs
    assert job["timeout-minutes"]
    assert job.get("needs", name) in workflow["jobs"]
    assert set(made(typed(job))) <= set(TARGETS)


def test_tests_soak_and_site_are_run_by_some_job() -> None:
    jobs = [job for path in WORKFLOWS for job in yaml.safe_load(path.read_text())["jobs"].values()]
    assert {"train", "test", "soak", "docs"} <= set(made("\n".join(map(typed, jobs))))


def test_contributing_names_targets_and_files_that_there_are() -> None:
    assert set(made(CONTRIBUTING)) <= set(TARGETS)
    paths = re.findall(r"`((?:src|tests|configs|docs|scripts)/[\w/.]+)`", CONTRIBUTING)
    assert len(paths) > 20
    assert [path for path in paths if "NAME" not in path and not (ROOT / path).exists()] == []
    assert len(CONTRIBUTING.splitlines()) < 150


def test_the_citation_has_the_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == rosenblatt.__version__
    assert citation["cff-version"] == "1.2.0"
