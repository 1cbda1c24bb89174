"""Words of the command line reach a setting as they were typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st

from rosenblatt.cli.words import quoted, with_earlier
from rosenblatt.errors import UserError

TEXTS = [
    "costs ${y} dollars", "[a,b]", "it's, you know", "back\\slash", "end\\", "\\${y}", "\\\\${y}", "null", "", "${",
    "'a' and 'b'", "a=b", "two\nlines", "$${y}", "\\'", "${oc.env:HOME}", "~{x: 1}",
]  # fmt: skip


def received(folder: Path, word: str) -> Any:
    (folder / "predict.yaml").write_text("text: null\nrun: null\ny: 5\n")
    with initialize_config_dir(str(folder), version_base="1.3"):
        config = compose("predict", [quoted(word)])
        return config.run if word.startswith("run=") else config.text


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_a_text(tmp_path: Path, text: str) -> None:
    assert received(tmp_path, f"text={text}") == text


@settings(max_examples=30, deadline=None)
@given(st.text(st.sampled_from("ab $\\{}'\"[],=~"), max_size=8))
def test_any_signs_in_a_text_arrive(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    assert received(tmp_path_factory.getbasetemp(), f"text=x{text}") == f"x{text}"


def test_quotes_around_a_text_and_lists_of_quoted_texts_are_for_hydra(tmp_path: Path) -> None:
    assert received(tmp_path, 'text="a lovely film"') == "a lovely film"
    assert received(tmp_path, 'text=["one, two","three"]') == ["one, two", "three"]


@pytest.mark.parametrize("path", ["logs/a,b=c", "logs/it's", "x y"])
def test_a_path_is_taken_as_it_is(tmp_path: Path, path: str) -> None:
    assert received(tmp_path, f"run={path}") == path
    assert received(tmp_path, "run=null") is None


def test_a_link_in_a_run_is_refused_but_where_a_logger_has_its_own(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "wandb" / "offline-run-1").mkdir(parents=True)
    (run / "overrides.yaml").write_text("- lr=0.1\n")
    (run / "wandb" / "latest-run").symlink_to("offline-run-1")
    (run / "wandb" / "offline-run-1" / "debug.log").symlink_to(tmp_path / "core.log")
    assert with_earlier([f"resume={run}"])[0] == "lr=0.1"
    for name in ("checkpoints", "wandb-of-mine"):
        (run / name).symlink_to(tmp_path, target_is_directory=True)
        with pytest.raises(UserError, match=rf"{name}: it is a link, and a run has none"):
            with_earlier([f"resume={run}"])
        (run / name).unlink()
