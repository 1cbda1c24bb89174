"""Words of the command line reach a setting as they were typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from rosenblatt.cli.words import flags_and_settings, of_sweepers, quoted, with_earlier
from rosenblatt.errors import UserError

TEXTS = [
    "costs ${y} dollars", "[a,b]", "it's, you know", "back\\slash", "end\\", "\\${y}", "\\\\${y}", "null", "", "${",
    "'a' and 'b'", "a=b", "two\nlines", "$${y}", "\\'", "${oc.env:HOME}", "~{x: 1}",
]  # fmt: skip


def received(folder: Path, word: str) -> Any:
    (folder / "predict.yaml").write_text("text: null\nrun: null\ny: 5\n")
    with initialize_config_dir(str(folder), version_base="1.3"):
        config = compose("predict", [quoted(word, "predict")])
        return config.run if word.startswith("run=") else config.text


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_a_text(tmp_path: Path, text: str) -> None:
    assert received(tmp_path, f"text={text}") == text


@settings(max_examples=30, deadline=None)
@given(st.text(st.sampled_from("ab $\\{}'\"[],=~"), max_size=8))
def test_any_signs_in_a_text_arrive(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    assert received(tmp_path_factory.getbasetemp(), f"text=x{text}") == f"x{text}"


def test_quotes_around_a_text_are_for_hydra_and_a_list_is_a_text_too(tmp_path: Path) -> None:
    assert received(tmp_path, 'text="a lovely film"') == "a lovely film"
    assert received(tmp_path, 'text=["one, two","three"]') == '["one, two","three"]'


@pytest.mark.parametrize("path", ["logs/a,b=c", "logs/it's", "x y", "a [1] (b) ${y}", "~x{y}"])
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


def test_a_file_of_training_that_is_there_is_taken_as_it_is_and_a_sweep_stays_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.yaml").write_text("data: {train: null, val: null}\nlr: 1\n")
    for name in ("a,b=(1) [x].csv", "it's.csv"):
        Path(name).write_text("")
        with initialize_config_dir(str(tmp_path), version_base="1.3"):
            assert compose("train", [quoted(f"data.train={name}", "train")]).data.train == name
    Path("a${x}.csv").write_text("")
    with pytest.raises(UserError, match=r"data.train=a\$\{x\}.csv: .* another setting.* Rename it"):
        quoted("data.train=a${x}.csv", "train")
    assert quoted("data.train=${x}.csv", "train") == "data.train=${x}.csv"
    assert quoted("data.train=https://x.y/z?a=b(1)", "train") == "data.train='https://x.y/z?a=b(1)'"
    assert quoted("hydra.run.dir=run,1=[a]", "train") == "hydra.run.dir='run,1=[a]'"
    for word in (
        "hydra.run.dir=x/${now:%Y}",
        "data.train=a.csv,b.csv",
        "data.train=a.csv",
        "lr=0.1,0.01",
        "data.labels=[0,1]",
    ):
        assert quoted(word, "train") == word


def test_settings_may_stand_between_flags() -> None:
    words = ["lr=1", "--config-dir", "conf", "seed=2", "-m", "--cfg=job"]
    with pytest.raises(UserError, match="do not go together"):
        flags_and_settings(words)
    assert flags_and_settings(words[:-1]) == (["--config-dir", "conf", "-m"], ["lr=1", "seed=2"])
    assert flags_and_settings(["--info", "lr=1"]) == (["--info", "all"], ["lr=1"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["hydra.sweeper.params.lr=0.1,0.01"], ["lr=0.1,0.01"]),
        (["lr=1,2", "hydra.sweeper.params.lr=3,4", "hydra.sweeper.params.seed=3,4"], ["lr=1,2", "seed=3,4"]),
        (["+hydra.sweeper.params.lr='1,2'", "hydra.sweeper.params=null"], ["lr=1,2", "hydra.sweeper.params=null"]),
    ],
)  # fmt: skip
def test_what_varies_by_hydras_own_name_is_as_typed_and_what_is_typed_wins(
    words: list[str], expected: list[str]
) -> None:
    assert of_sweepers(words) == expected


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("data.label_column=Gekündigt", "Gekündigt"),
        ("data.text_column=[Titel,Größe in m]", ["Titel", "Größe in m"]),
        ("sweep.name=größe 2", "größe 2"),
        ("data.separator=;", ";"),
        ("data.label_separator=|", "|"),
    ],
)
def test_letters_of_all_languages_and_lone_separators_need_no_quotes(tmp_path: Path, word: str, value: Any) -> None:
    key = word.partition("=")[0]
    (tmp_path / "train.yaml").write_text(OmegaConf.to_yaml(OmegaConf.from_dotlist([f"{key}=1"])))
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        assert OmegaConf.select(compose("train", [quoted(word, "train")]), key) == value
