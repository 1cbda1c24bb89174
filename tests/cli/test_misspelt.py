"""A letter lost, doubled or swapped in any key or choice: refused, and the right word is named."""

from __future__ import annotations

import functools
import random
import sys
from collections.abc import Iterator

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, flag_override

from conftest import ROOT
from rosenblatt.cli.build import checked_node, named_nodes
from rosenblatt.cli.messages import explained
from rosenblatt.cli.project import choices, enter, groups
from rosenblatt.cli.schema import PARTS, SCHEMAS, checked, meant, opened
from rosenblatt.cli.values import flat

CHOSEN = ["data=text", "data.train=x.csv", "model=mlp", "optimizer=sgd", "scheduler=plateau", "sweep=optuna"]
CHOSEN += ["callbacks=[timer,lr_monitor]", "logger=[tensorboard,csv]"]


def misspelt(word: str, rng: random.Random) -> str:
    """One letter lost, doubled, or swapped with the next."""
    place = rng.randrange(len(word) - 1)
    return rng.choice(
        [
            word[:place] + word[place + 1 :],
            word[: place + 1] + word[place:],
            word[:place] + word[place + 1] + word[place] + word[place + 2 :],
        ]
    )


@functools.cache
def composed(program: str, *typed: str) -> tuple[DictConfig, DictConfig]:
    """The settings, and Hydra's own."""
    config = compose(program, [*typed], return_hydra_config=True)
    settings = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return settings, OmegaConf.masked_copy(config, "hydra")


def refusal(program: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> str | None:
    """The message for a command line; ``None``: it is taken."""
    try:
        typed = [opened(meant(word, program), program) for word in words]
        monkeypatch.setattr(sys, "argv", ["train.py", *typed])
        is_added = typed[-1].startswith("++") and typed[-1].endswith("=3")  # by Hydra, to what it has composed
        settings, of_hydra = composed(program, *(typed[:-1] if is_added else typed))
        with flag_override(of_hydra.hydra.overrides, "readonly", False):
            of_hydra.hydra.overrides.task = typed
        HydraConfig.instance().cfg = of_hydra  # type: ignore[assignment]
        settings = settings.copy()
        if is_added:
            OmegaConf.update(settings, typed[-1][2:-2], 3, force_add=True)
        settings = checked(settings, program)
        for part in PARTS if program == "train" else ():
            if part in ("callbacks", "logger"):
                named_nodes(part, settings[part])
            elif "_target_" in (settings[part] or {}):
                checked_node(part, settings[part])
    except Exception as error:
        return explained(error, program) or f"not explained: {error!r}"
    return None


@pytest.fixture(autouse=True)
def _project() -> Iterator[None]:
    enter(ROOT / "train.py")
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        yield
    HydraConfig.instance().cfg = None


@pytest.mark.parametrize("program", SCHEMAS)
def test_in_a_key(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = CHOSEN if program == "train" else ["run=x", *(["text=a"] if program == "predict" else [])]
    assert refusal(program, chosen, monkeypatch) is None
    keys = [*SCHEMAS[program], *flat(OmegaConf.to_container(compose(program, chosen), resolve=False))]
    keys = [key for key in dict.fromkeys(keys) if "_target_" not in key and "_partial_" not in key]
    assert len(keys) > {"train": 60}.get(program, 4)
    tops, rng, found = {key.partition(".")[0] for key in keys} | {*groups()}, random.Random(0), []
    for key in keys:
        parts = key.split(".")
        places = [number for number, part in enumerate(parts) if len(part) > 1]
        place = rng.choice(places)
        right, wrong = parts[place], misspelt(parts[place], rng)
        typo = ".".join([*parts[:place], wrong, *parts[place + 1 :]])
        if typo in keys or wrong == right or wrong in tops:
            continue
        message = refusal(program, [*chosen, f"{typo}=3"], monkeypatch)
        if message is None or right not in message.removeprefix(typo) or "not explained" in message:
            found.append(f"{typo}: {message}")
    assert not found, "\n".join(found)


def test_in_a_group_or_its_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, found = random.Random(1), []
    for group in groups():
        wrong = misspelt(group, rng)
        for right, word in [(group, f"{wrong}={choices(group)[0]}")] * (wrong != group) + [
            (choice, f"{group}={typo}")
            for choice in choices(group)
            if (typo := misspelt(choice, rng)) not in choices(group)
        ]:
            message = refusal("train", [word], monkeypatch)
            if message is None or right not in message.removeprefix(word):
                found.append(f"{word}: {message}")
    assert not found, "\n".join(found)
