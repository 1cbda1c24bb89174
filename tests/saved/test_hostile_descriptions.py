"""A model.json from a stranger, with sizes and digests that are right for it: what it says is believed no further."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perceptron.models import MLP, Perceptron
from rosenblatt.errors import UserError
from rosenblatt.saved import folder as model_folder
from rosenblatt.saved.folder import write
from rosenblatt.saved.known import path_of
from rosenblatt.saved.refusal import ModelRefused
from saved_models import CODES, KINDS, correct, new_rows, points, read, rows, texts, write_json

Place = tuple[str | int, ...]
MODELS = {
    "words": lambda: texts("multilabel"),
    "table": lambda: rows("multiclass", MLP),
    "points": lambda: points("binary"),
    "numbers": lambda: points("regression"),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """A folder of each kind, to be changed in model.json only."""
    parent = tmp_path_factory.mktemp("models")
    for kind, make in MODELS.items():
        write(make(), parent / kind, "card")
    return {kind: parent / kind for kind in MODELS}


@pytest.fixture(scope="module")
def contents(folders) -> dict[str, dict[str, Any]]:
    return {kind: json.loads((folder / "model.json").read_text()) for kind, folder in folders.items()}


def places(content: Any, at: Place = ()) -> Iterator[Place]:
    """All places in JSON, but what vouches for it and what is kept for people; of many words the first and the last."""
    yield at
    inner = list(content.items() if isinstance(content, dict) else enumerate(content) if type(content) is list else ())
    alike = isinstance(content, list) and all(isinstance(one, str) for one in content)
    for key, one in [*inner[:2], *inner[2:][-1:]] if alike else inner:
        if (*at, key) not in [("files",), ("sha256",), ("rosenblatt",)]:
            yield from places(one, (*at, key))


def changed(content: dict[str, Any], place: Place, value: Any) -> Any:
    if not place:
        return value
    content = copy.deepcopy(content)
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return content


def refused(folder: Path, kind: str, content: Any) -> bool:
    """Assert that it is refused, or else taken at its word in all that it says, and of use; return which."""
    if isinstance(content, dict):
        write_json(folder, content)
    else:
        (folder / "model.json").write_text(json.dumps(content))
    try:
        found = read(folder)
    except ModelRefused as refusal:
        message = str(refusal)
    else:
        write(found, folder.parent / "again", "card")
        again = json.loads((folder.parent / "again" / "model.json").read_text())
        for key in set(again) - {"files", "sha256", "rosenblatt"}:
            assert again[key] == content[key]
        for frame in (new_rows("points" if kind == "numbers" else kind), []):
            with suppress(UserError):  # a column has another name now
                found.predict(frame)
        return False
    assert message.startswith(str(folder))
    assert message.isprintable()
    return True


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


huge = pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")
BAD = [
    None, True, False, "", "x", "nan", "inf", "../x", "\ud800", "\x1b[2J", -1, 0, 1.5, -0.5, 10**15, 10**30, 10**400,
    float("nan"), float("inf"), float("-inf"), 1e308, [], [1], ["x", "x"], [[]], {}, {"x": 1},
    {"_target_": "os.system"}, deep(300),
]  # fmt: skip


@huge
@pytest.mark.parametrize("number", range(len(BAD)))
@pytest.mark.parametrize("kind", ["words", "table", "numbers"])
def test_a_wrong_value_anywhere_is_refused_or_does_no_harm(folders, contents, kind, number):
    found = [
        refused(folders[kind], kind, changed(contents[kind], place, BAD[number])) for place in places(contents[kind])
    ]
    assert found[0]
    assert sum(found) > len(found) / 2


NAMES_AND_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["MLP", "words"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@huge
@pytest.mark.parametrize("kind", MODELS)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_value_anywhere_is_refused_or_does_no_harm(folders, contents, kind, data):
    place = data.draw(st.sampled_from(list(places(contents[kind]))))
    refused(folders[kind], kind, changed(contents[kind], place, data.draw(NAMES_AND_VALUES)))


FREE = ("loss", "sizes")  # of which each may be there or not
ADDED = ("separator", "broken_rows")  # since the first models of this format


@pytest.mark.parametrize("kind", MODELS)
def test_a_key_that_is_missing_is_refused(folders, contents, kind):
    for place in places(contents[kind]):
        if place and isinstance(place[-1], str) and place[:2] != ("model", "arguments") and place[0] not in FREE:
            if place[-1] in ADDED:
                continue
            content = copy.deepcopy(contents[kind])
            inner = content
            for key in place[:-1]:
                inner = inner[key]
            del inner[place[-1]]
            assert refused(folders[kind], kind, content), place
    content = {key: one for key, one in contents[kind].items() if key != "files"}
    write_json(folders[kind], content)
    with pytest.raises(ModelRefused, match=r"model\.json: .*'files' is missing"):
        read(folders[kind])
    (folders[kind] / "model.json").write_text(json.dumps({key: contents[kind][key] for key in ("format", "files")}))
    with pytest.raises(ModelRefused, match=r"model\.json: .*'sha256' is missing"):
        read(folders[kind])


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(
    "facts", [None, [], "x", 1, {}, {"bytes": 5}, {"bytes": -1}, {"bytes": "9"}, {"bytes": 9.0}, {"bytes": 10**30}]
)
def test_sizes_of_files_that_are_none_are_refused(folders, contents, kind, facts):
    write_json(folders[kind], contents[kind] | {"files": contents[kind]["files"] | {"weights.safetensors": facts}})
    with pytest.raises(ModelRefused, match=r"weights\.safetensors"):
        read(folders[kind])


NAMES = [
    "os.system", "torch.nn.Linear", "perceptron.models", "perceptron.models.MLP.forward", "eval", "__import__",
    "\x1b[2J", "perceptron.models.MLP ", "PointEncoder", "builtins.exec", "../MLP",
]  # fmt: skip
ARGUMENTS = [
    {"_target_": "os.system", "command": "true"}, {"_target_": "os.system"}, {"hidden": {"_target_": "os.system"}},
    {"hidden": [{"_target_": "os.system", "command": "true"}]}, {"_args_": [1]}, {"_partial_": True},
    {"num_features": 3}, {"bags": True}, {"self": 1}, {"args": [1]}, {"kwargs": {}}, {"\x1b[2J": 1},
    {"activation": "Tanh"}, {"activation": "os.system"}, {"hidden": "5"}, {"hidden": [5.0]}, {"hidden": [0]},
]  # fmt: skip


@pytest.mark.parametrize("part", ["model", "encoder"])
def test_code_can_not_be_named(folders, contents, part):
    folder, content, key = folders["points"], contents["points"], {"model": "_target_", "encoder": "name"}[part]
    for name in NAMES:
        if (part, name) != ("encoder", "PointEncoder"):
            assert refused(folder, "points", content | {part: content[part] | {key: name}}), name
            with pytest.raises(
                ModelRefused, match=r"model\.json: .* that is known here.*rosenblatt\.load\(run, classes=\["
            ):
                read(folder)
    for arguments in ARGUMENTS:
        name = {"model": path_of(MLP), "encoder": "PointEncoder"}[part]
        more = {} if part == "model" or "num_features" in arguments else {"num_features": 2}
        facts = content[part] | {key: name, "arguments": arguments | more}
        assert refused(folder, "points", content | {part: facts}), arguments
    assert refused(folder, "points", content | {"encoder": content["encoder"] | {"name": path_of(Perceptron)}})


def test_a_class_that_is_known_in_one_role_is_not_in_another(folders, contents):
    """A find is asked for the role; a data module of the project is no model."""
    asked = []

    def find(role, name):
        asked.append((role, name))
        return Perceptron if role == "module" else None

    facts = contents["points"]["model"] | {"_target_": "plain.Conv"}
    write_json(folders["points"], contents["points"] | {"model": facts})
    with pytest.raises(ModelRefused, match=r"'plain\.Conv' is no model that is known here.*classes=\[Conv\]"):
        model_folder.read(folders["points"], [find])
    assert asked == [("model", "plain.Conv")]


TEXTS = {
    "too deep": "[" * 100_000,
    "too deep inside": '{"format": 1, "model": ' + '{"name":' * 50_000,
    "empty": "",
    "no object": "[1]",
    "half": '{"format": 1,',
    "NaN": '{"format": NaN}',
    "two": "{} {}",
}


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_no_json_is_refused(folders, text):
    (folders["points"] / "model.json").write_text(TEXTS[text])
    with pytest.raises(ModelRefused, match=r"model\.json: the model is refused: "):
        read(folders["points"])
    (folders["points"] / "model.json").write_bytes(b'{"format": 1, "task": "\xff"}')
    with pytest.raises(ModelRefused, match=r"model\.json: the model is refused: it is damaged, or of another kind\."):
        read(folders["points"])


def test_what_the_encoder_gives_must_be_what_the_model_takes(tmp_path):
    for kind in ("table of bags", "table", "words", "points"):
        write(KINDS[kind]("multiclass"), tmp_path / kind, "card")
        write(KINDS["points" if kind != "points" else "table"]("multiclass"), tmp_path / "other", "card")
        encoder = json.loads((tmp_path / "other" / "model.json").read_text())["encoder"]
        correct(tmp_path / kind, encoder=encoder)
        with pytest.raises(ModelRefused, match=r"features; model\.json wants"):
            read(tmp_path / kind)
    assert CODES > 1024
