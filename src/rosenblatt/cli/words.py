"""Words of the command line, as Hydra wants them; and, to go on with a run, those that it was started with."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.types import Quote, QuotedString

from rosenblatt import __version__
from rosenblatt.cli.values import read_yaml
from rosenblatt.errors import UserError, listed, nearest
from rosenblatt.run.folder import RunFolder

LITERAL = ("text", "run", "input", "output")  # whose values are taken as they stand, whatever signs are in them
QUOTED = re.compile(r"(['\"])((?:\\.|(?!\1).)*)\1", re.S)
PARAMS = "hydra.sweeper.params."  # where other sweepers of Hydra's have what varies

typed: list[str] = []  # arguments of this call, which may name any code, as those of a folder may not


def flags_and_settings(words: list[str]) -> tuple[list[str], list[str]]:
    """Return flags, with their values, and settings, which argparse wants in one row.

    Raises:
        UserError: a flag that there is not, or not together with another; one without the value that it takes.
    """
    parser = get_args_parser()
    known = {name: action for action in parser._actions for name in action.option_strings}
    del known["--experimental-rerun"]  # it would run what a pickle says
    flags, settings, rest = [], [], [*words]
    while rest:
        word = rest.pop(0)
        name, sign, value = word.partition("=")
        if not word.startswith("-"):
            settings.append(word)
            continue
        if name not in known:
            raise UserError(f"{name}: no such flag.{nearest(name, known)} --help shows settings, --hydra-help flags.")
        flags.append(word)
        choices, takes, may_lack = known[name].choices, known[name].nargs != 0, known[name].nargs == "?"
        if takes and not sign and rest and not (may_lack and "=" in rest[0]):  # as in --cfg job
            flags.append(value := rest.pop(0))
        elif may_lack and not sign:
            flags.append(value := "all")
        if bool(sign or value) != takes or (choices and value not in choices):
            expected = f"one of {listed(choices)}" if choices else "a value" if takes else "no value"
            raise UserError(f"{name}: expected {expected}; got {value!r}.")
    asked = parser.parse_args(flags)
    if (asked.package or asked.resolve) and not (asked.cfg or asked.help):
        raise UserError(f"{' '.join(flags)}: --package and --resolve go with --cfg job, which shows settings.")
    if asked.run + asked.multirun + (asked.cfg is not None) + (asked.info is not None) + asked.shell_completion > 1:
        raise UserError(f"{' '.join(flags)}: these do not go together. Take one of them.")
    return flags, settings


def quoted(word: str, program: str) -> str:
    """Put values of ``text=``, ``run=`` and their like into quotes, in which commas and brackets mean nothing.

    So are those of paths and addresses that are there, in training.
    """
    key, sign, value = word.partition("=")
    if program == "train":
        is_place = key.startswith("data.") and (os.path.exists(value) or re.match(r"\w+://[^,]*$", value))
        if is_place and "${" in value:
            raise UserError(f"{word}: ${{...}} stands for another setting, and can't be a part of a name. Rename it.")
        is_place = is_place or (key in ("hydra.run.dir", "hydra.sweep.dir") and "${" not in value)
        is_place = is_place and re.search(r"[^\w./ -]", value) and not QUOTED.fullmatch(value)
        is_place = is_place or (key in ("data.separator", "data.label_separator") and value in tuple(";,|"))
    else:
        is_place = key in (*LITERAL, "data.test") and (value != "null" or key == "text")
        is_place = is_place or (key in ("separator", "data.separator") and value in tuple(";,|"))
    if sign and is_place:
        return f"{key}={in_quotes(bare(value))}"
    if word.isascii() or "'" in value or '"' in value:
        return word
    # Letters that Hydra's grammar has not: words with them are put into quotes.
    return (
        key + sign + re.sub(r"[^\[\]{},:()]*[^\x00-\x7f][^\[\]{},:()]*", lambda one: in_quotes(one[0].strip()), value)
    )


def of_sweepers(words: list[str]) -> list[str]:
    """Return words with ``hydra.sweeper.params.lr=0.1,0.01`` as ``lr=0.1,0.01``, where that is not typed besides."""
    keys = [word.lstrip("+").partition("=")[0] for word in words]
    found = []
    for key, word in zip(keys, words, strict=True):
        if not key.startswith(PARAMS):
            found.append(word)
        elif key.removeprefix(PARAMS) not in keys:
            found.append(f"{key.removeprefix(PARAMS)}={bare(word.partition('=')[2])}")
    return found


def bare(value: str) -> str:
    """Return a value without the quotes around it, which somebody has put there for Hydra."""
    quotes = QUOTED.fullmatch(value)
    return value if quotes is None else re.sub(rf"\\(?={quotes[1]})", "", quotes[2])


def in_quotes(value: object) -> str:
    """Return a value so that Hydra takes it as it is, and OmegaConf looks for no other setting in it."""
    text = re.sub(r"(\\*)\$\{", lambda found: f"{found[1]}{found[1]}\\${{", str(value))
    return QuotedString(text, Quote.single).with_quotes()


def with_earlier(words: list[str]) -> list[str]:
    """Return the arguments of ``resume=RUN ...``: those that the run was started with, those of now, and its folder.

    The settings are composed anew from ``configs/``, never taken from ``config.yaml`` in the folder: what a setting
    named ``_target_`` says is called, and a folder can come from anybody. (What they name in the end is checked once
    they are composed: `rosenblatt.commands.resume.open_run`.)
    """
    typed[:] = words
    found = [word for word in words if word.startswith("resume=")]
    value = bare(found[-1].removeprefix("resume=")) if found else ""
    if value in ("", "null"):
        return words
    if {"-m", "--multirun", "hydra.mode=MULTIRUN"} & {*words, *sys.argv}:
        raise UserError("resume=... goes on with one run; a sweep (-m) is another thing. Leave one of them out.")
    if any(word.startswith("hydra.run.dir=") for word in words):
        raise UserError("resume=... goes on in the folder of that run. Leave hydra.run.dir=... out.")
    folder = Path(os.path.expanduser(value))
    if not (folder / "overrides.yaml").is_file():
        runs = [str(path.parent) for path in Path("logs/runs").glob("*/overrides.yaml")]
        hint = nearest(value, runs) or (f" The newest is {max(runs, key=os.path.getmtime)!r}." if runs else "")
        raise UserError(f"resume={value}: expected the folder of a run; it holds no overrides.yaml.{hint}")
    others = [word for word in words if word not in found]
    return [
        *earlier_words(folder, f"resume={value}"),
        *others,
        f"resume={in_quotes(folder)}",
        f"hydra.run.dir={in_quotes(folder)}",
    ]


def earlier_words(folder: Path, of: str) -> list[str]:
    """Return the arguments that a run was started with, once they are known to be settings and nothing else.

    Raises:
        UserError: it is of another version, has a link in it, or arguments that name code; it begins with ``of``.
    """
    begun = (RunFolder(folder).read_json("environment.json") or {"rosenblatt": __version__}).get("rosenblatt", "0.1")
    if begun.split(".")[:2] != __version__.split(".")[:2]:
        raise UserError(
            f"{of}: it was begun by version {begun}, and this is {__version__}, which goes on with its own runs alone. "
            "Go on with the older one, or start a new run. (A finished one evaluates and predicts rows of files here.)"
        )
    links = [path for path in folder.rglob("*") if path.is_symlink()]
    links = [path for path in links if folder / "wandb" not in path.parents]  # there they are that logger's own
    if links:  # what is written, cut or removed there would be somewhere else
        raise UserError(f"{links[0]}: it is a link, and a run has none. Put the file itself there, or take it out.")
    path, expected = folder / "overrides.yaml", "a list of settings, such as - lr=0.1"
    words: list[str] = read_yaml(path, list, expected)
    if not all(isinstance(word, str) for word in words):
        raise UserError(f"{path}: expected {expected}")
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
