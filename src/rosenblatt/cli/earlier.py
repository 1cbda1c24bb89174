"""Going on with a run that was cut off, in its folder and with what it was started with."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from rosenblatt import __version__
from rosenblatt.cli.words import bare, in_quotes
from rosenblatt.errors import UserError, nearest
from rosenblatt.run.folder import RunFolder

typed: list[str] = []  # arguments of this call, which may name any code, as those of a folder may not


def with_earlier(words: list[str]) -> list[str]:
    """Return the arguments of ``resume=RUN ...``: those that the run was started with, those of now, and its folder.

    The settings are composed anew from ``configs/``, never taken from ``config.yaml`` in the folder: what a setting
    named ``_target_`` says is called, and a folder can come from anybody. (What they name in the end is checked once
    they are composed: `rosenblatt.commands.resume.open_run`.)

    Args:
        words: of the command line.

    Raises:
        UserError: no run there, one of another version, a link in it, or arguments in it that name code.
    """
    typed[:] = words
    found = [word for word in words if word.startswith("resume=")]
    value = bare(found[-1].removeprefix("resume=")) if found else ""
    if value in ("", "null"):
        return words
    if {"-m", "--multirun"} & set(words):
        raise UserError("resume=... goes on with one run; a sweep (-m) is another thing. Leave one of them out.")
    if any(word.startswith("hydra.run.dir=") for word in words):
        raise UserError("resume=... goes on in the folder of that run. Leave hydra.run.dir=... out.")
    folder = Path(os.path.expanduser(value))
    if not (folder / "overrides.yaml").is_file():
        runs = [str(path.parent) for path in Path("logs/runs").glob("*/overrides.yaml")]
        hint = nearest(value, runs) or (f" The newest is {max(runs, key=os.path.getmtime)!r}." if runs else "")
        raise UserError(f"resume={value}: expected the folder of a run; it holds no overrides.yaml.{hint}")
    begun = (RunFolder(folder).read_json("environment.json") or {"rosenblatt": __version__}).get("rosenblatt", "0.1")
    if begun.split(".")[:2] != __version__.split(".")[:2]:
        raise UserError(
            f"resume={value}: it was begun by version {begun}, and this is {__version__}, which goes on with its own "
            "runs alone. Go on with the older one, or start a new run. (A finished one evaluates and predicts here.)"
        )
    links = [path for path in folder.rglob("*") if path.is_symlink()]
    if links:  # what is written, cut or removed there would be somewhere else
        raise UserError(f"{links[0]}: it is a link, and a run has none. Put the file itself there, or take it out.")
    earlier = _overrides(folder / "overrides.yaml")
    others = [word for word in words if word not in found]
    return [*earlier, *others, f"resume={in_quotes(folder)}", f"hydra.run.dir={in_quotes(folder)}"]


def _overrides(path: Path) -> list[str]:
    try:
        words: Any = OmegaConf.to_container(OmegaConf.create(path.read_text(encoding="utf-8")), resolve=False)
    except Exception as error:  # of the operating system, of YAML, of OmegaConf
        raise UserError(f"{path}: it can't be read: {str(error).splitlines()[0]}") from None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UserError(f"{path}: expected a list of settings, such as - lr=0.1")
    for word in words:
        key, _, value = word.partition("=")
        is_setting = re.fullmatch(r"[+~]{0,2}\w+([./@]\w+)*", key) and "hydra" not in re.split(r"\W+", key)
        # The choice of a group is the name of a file: data=../../logs/runs/somebody/evil would be composed, too.
        is_path = "." not in key and not value.startswith("{") and re.search(r"[/\\]", value)
        if not is_setting or is_path or "_target_" in word or "${" in word:
            raise UserError(
                f"{path}: {word!r} could run other code than the settings of this project do. If the run is yours, "
                "take the line out, and give it on the command line."
            )
    return words
