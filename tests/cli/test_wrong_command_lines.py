"""Wrong command lines: each is refused with one message, which has the wrong word, the right one and the remedy."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from forked import Ended, Forks, real

# A command line (train.py's, where no other program is named), and what the message has to say. Neither torch nor
# Lightning is imported for these, of which each data module is made, so that nothing can have been read.
QUICK: list[tuple[str, Sequence[str]]] = [
    # groups, choices
    ("optimizr=adam", ["optimizr", "'optimizer'", "--cfg job"]),
    ("optimizer=adm", ["optimizer=adm", "'adam'", "adagrad, adam, adam_ntk, adamw, lazy_adam, rowwise_adagrad, sgd"]),
    ("model=perceptorn", ["model=perceptorn", "'perceptron'"]),
    ("data=csv", ["data=csv", "There are table, text, toy, xor"]),
    ("scheduler=plataeu", ["plataeu", "'plateau'"]),
    ("callbacks=[timr]", ["timr", "'timer'"]),
    ("'logger=[tensorboard,cvs]'", ["logger=cvs", "'csv'"]),
    ("experiment=book_tpy", ["book_tpy", "'book_toy'"]),
    ("+experiment=book_tpy", ["book_tpy", "'book_toy'"]),
    ("trainer=defualt", ["'default'"]),
    ("threshold=0.7", ["threshold=0.7", "threshold.value=0.7"]),
    ("scheduler=null", ["scheduler=null", "scheduler=none"]),
    ("logger=false", ["logger=false", "logger=none"]),
    ("scheduler=None", ["scheduler=None", "'none'"]),
    ("'model=[mlp,perceptron]'", ["one model is chosen, and not several"]),
    ("hydra/launcher=joblb", ["joblb", "'joblib'"]),
    ("hydra/sweeper=optuna", ["hydra/sweeper=optuna", "-m sweep=optuna"]),
    ("-m hydra/sweeper=ax lr=1,2", ["hydra/sweeper=ax", "-m sweep=optuna"]),
    ("sweep=grids", ["'grid'"]),
    # keys
    ("lrr=1", ["lrr", "'lr'"]),
    ("+lrr=1", ["lrr", "'lr'"]),
    ("+lr=1", ["+lr", "Leave the + out: lr="]),
    ("early_stoping.patience=3", ["early_stoping", "'early_stopping'"]),
    ("early_stopping.patienc=3", ["early_stopping.patienc", "'early_stopping.patience'"]),
    ("figures.every_n_epoch=1", ["'figures.every_n_epochs'"]),
    ("loss.label_smothing=0.1", ["'loss.label_smoothing'"]),
    ("checkpoint.every_n_step=3", ["'checkpoint.every_n_steps'"]),
    ("dta.batch_size=3", ["dta.batch_size", "'data'"]),
    ("hydra.foo=1", ["hydra.foo", "--cfg hydra"]),
    ("~early_stopping", ["~early_stopping", "early_stopping.patience=null"]),
    ("~scheduler", ["~scheduler", "scheduler=none"]),
    ("~logger", ["~logger", "logger=none"]),
    ("~callbacks=timer", ["callbacks=none"]),
    ("~optimizer", ["~optimizer", "adagrad, adam, adam_ntk, adamw, lazy_adam, rowwise_adagrad, sgd"]),
    ("~early_stopping.patience", ["early_stopping.patience=null"]),
    ("~loger", ["~loger", "'logger'"]),
    ("trainer.logger=false", ["trainer.logger", "logger=none"]),
    ("trainer.callbacks=[]", ["trainer.callbacks", "callbacks=timer"]),
    # values, types, ranges
    ("lr=abc", ["lr: expected a number above 0", "'abc'", "lr=0.001"]),
    ("lr=-1", ["lr", "above 0", "-1"]),
    ("lr=", ["lr", "above 0", "''"]),
    ("seed=99999999999999", ["seed", "from 0 to 4294967295", "99999999999999"]),
    ("seed=1.5", ["seed", "a whole number", "1.5"]),
    ("task=regresion", ["'regresion'", "'regression'"]),
    ("threads=0", ["threads", "at least 1"]),
    ("early_stopping.patience=None", ["early_stopping.patience=None", "early_stopping.patience=null"]),
    ("early_stopping.patience=nil", ["'nil'", "'null'"]),
    ("early_stopping.mode=mx", ["'mx'", "'max'"]),
    ("data=text data.train=None", ["data.train=None", "data.train=null"]),
    ("loss.label_smoothing=1", ["loss.label_smoothing", "from 0 to below 1"]),
    ("trainer.accelerator=gpuu", ["'gpuu'", "'gpu'"]),
    ("trainer.max_epochs=x", ["trainer.max_epochs", "a whole number", "'x'"]),
    ("trainer.max_time=xx", ["trainer.max_time", "00:12:00:00", "'xx'"]),
    ("trainer.val_check_interval=7.5", ["trainer.val_check_interval", "0.0 to 1.0", "7.5"]),
    ("trainer.limit_train_batches=-1", ["trainer.limit_train_batches", "0.0 to 1.0", "-1"]),
    ("trainer.profiler=simpel", ["'simpel'", "'simple'"]),
    ("trainer.gradient_clip_algorithm=nrom", ["'norm'"]),
    ("trainer.accumulate_grad_batches=0", ["at least 1; got 0"]),
    ("callbacks=timer callbacks.timer.duration=1h", ["callbacks.timer.duration", "00:12:00:00", "'1h'"]),
    ("callbacks=timer callbacks.timer.interval=stp", ["'stp'", "'step'"]),
    ("callbacks=lr_monitor logger=none", ["callbacks.lr_monitor", "logger=tensorboard"]),
    # words
    ("lr", ["lr", "KEY=VALUE"]),
    ("=3", ["KEY=VALUE", "nothing before the ="]),
    ("'lr=[1,2'", ["lr=[1,2", "quotes"]),
    ('"lr=\'abc"', ["lr='abc", "quotes"]),
    ("'data.train=a(1).csv'", ["data.train=a(1).csv", "quotes"]),
    ("'lr=${nope}'", ["lr=${nope}", "no setting 'nope'"]),
    ("'lr=${sed}'", ["no setting 'sed'", "'seed'"]),
    ("'lr=${lr}'", ["lr=${lr}", "leads to no value"]),
    # several values
    ("lr=0.1,0.01", ["-m 'lr=0.1,0.01'"]),
    ("optimizer=adam,sgd", ["-m 'optimizer=adam,sgd'"]),
    ("data=text data.label_column=a,b", ["-m", "'data.label_column=[a,b]'"]),
    ("logger=tensorboard,csv", ["'logger=[tensorboard,csv]'"]),
    ("'lr=interval(0.1,1)'", ["-m 'lr=interval(0.1,1)'"]),
    ("-m 'lr=loguniform(1e-3,1e-1)'", ["loguniform", "'lr=tag(log,interval(1e-3,1e-1))'"]),
    ("-m 'model.dropout=uniform(0,1)'", ["uniform", "'model.dropout=interval(0,1)'"]),
    ("-m 'seed=randint(0,9)'", ["randint", "'seed=int(interval(0,9))'"]),
    ("-m 'lr=intervall(0.1,1)'", ["intervall", "'interval'"]),
    ("-m 'lr=choice()'", ["lr=choice()", "choice(a,b)"]),
    ("-m hydra.sweeper.n_trials=20 lr=1,2", ["n_trials", "sweep.trials"]),
    ("-m hydra.sweeper.sampler.seed=1 lr=1,2", ["hydra.sweeper.sampler", "sweep.sampler"]),
    ("-m hydra/sweeper/sampler=tpe lr=1,2", ["sweep.sampler"]),
    ("hydra.sweeper.params.lr=0.1,0.01", ["-m 'lr=0.1,0.01'"]),
    ("-m hydra.sweeper.params=3", ["hydra.sweeper.params=3", "0.1,0.01"]),
    ("-m lr=0.1", ["nothing varies", "lr=0.1,0.01"]),
    ("-m lrr=0.1,0.2", ["lrr", "'lr'"]),
    ("-m optimizer=adam,sdg", ["sdg", "'sgd'"]),
    ("-m sweep=optuna 'lr=tag(lgo,interval(0.1,1))'", ["'lgo'", "'log'"]),
    ("-m sweep=optuna 'lr=interval(1,1)'", ["from a number to a larger one"]),
    ("-m 'lr=interval(0.1,1)'", ["lr=0.1,0.01", "sweep=optuna"]),
    ("-m lr=1,2 sweep.objective=test/acc", ["sweep.objective=test/acc", "val/acc"]),
    ("-m lr=1,2 sweep.trials=3", ["sweep.trials", "sweep=optuna"]),
    ("-m lr=1,2 sweep.seed=3", ["sweep.seed", "'sweep.seeds'"]),
    # flags, Hydra's own
    ("--hlep", ["--hlep", "'--help'"]),
    ("-x", ["-x", "--help"]),
    ("--cfg jobb", ["'jobb'", "'job'"]),
    ("--package optimizer", ["--package", "--cfg job"]),
    ("--config-dir=nowhere", ["nowhere", "--config-dir", "folder"]),
    ("--config-name=trian", ["--config-name", "train"]),
    ("hydra.mode=MULTIRUNN", ["MULTIRUNN", "MULTIRUN"]),
    ("hydra.run.dir=taken", ["taken", "hydra.run.dir"]),
    ("hydra.job_logging.root.level=FOO", ["hydra.job_logging"]),
    ("--config-dir=conf experiment=broken", ["broken.yaml, line 2", "KEY: VALUE"]),
    ("--config-dir=conf experiment=lost", ["nope"]),
    ("--config-dir=conf experiment=twice", ["optimizer", "override /optimizer"]),
    ("--config-dir=conf experiment=elsewhere", ["data=txt", "'text'"]),
    ("-m --config-dir=conf experiment=tuned lr=1,2", ["hydra.sweeper.n_trials", "sweep.trials"]),
    # going on, other programs
    ("resume=logs/runs/frist", ["logs/runs/frist", "'logs/runs/first'"]),
    ("-m resume=logs/runs/first", ["resume", "-m"]),
    ("resume=logs/runs/first hydra.run.dir=x", ["hydra.run.dir", "Leave"]),
    ("resume=logs/runs/first lr=x", ["lr", "'x'", "above 0"]),
    ("evaluate", ["run is not set", "run=..."]),
    ("evaluate run=nowhere", ["run=nowhere", "folder of a run"]),
    ("evaluate run=logs/runs/first", ["no model", "train.log", "train anew"]),
    ("evaluate run=x data.tst=y", ["data.tst", "'data.test'"]),
    ("evaluate run=x accelerator=gpuu", ["'gpuu'", "'gpu'"]),
    ("evaluate run=x mistakes=-1", ["mistakes", "at least 0"]),
    ("evaluate run=x mistakes=1,2", ["mistakes=1,2", "one value"]),
    ("predict rnu=x text=a", ["rnu", "'run'"]),
    ("predict run=nowhere text=a", ["run=nowhere"]),
    ("predict run=x", ["input=FILE", "text="]),
    ("predict run=x text=a input=b", ["one of them"]),
    ("predict run=x text=a output=b.csv", ["output=FILE goes with input=FILE"]),
    ("predict run=x text=a explain=-1", ["explain", "at least 0"]),
    ("predict run=x text=a probabilities=yess", ["probabilities", "true or false", "'yess'"]),
    ("predict -m run=x text=a", ["-m", "train.py"]),
    ("export run=x format=onx", ["'onx'", "'onnx'"]),
    ("export run=x formt=onnx", ["formt", "'format'"]),
    ("export run=None", ["run=None"]),
]
# These need a class of Lightning's, torch's or the user's; the file that they name is not there, and is not missed.
OF_CLASSES: list[tuple[str, Sequence[str]]] = [
    ("data.batchsize=3", ["data.batchsize", "'batch_size'"]),
    ("data.seperator=x", ["data.seperator", "data."]),
    ("model=mlp 'model.hiden=[3]'", ["model.hiden", "'hidden'"]),
    ("'model.hidden=[3]'", ["model.hidden", "model=mlp has it"]),
    ("model=mlp model.hidden=64", ["model.hidden", "a list of whole numbers", "64"]),
    ("trainer.max_epoch=3", ["trainer.max_epoch", "'max_epochs'"]),
    ("trainer.strategy=dpp", ["trainer", "strategy='dpp'"]),
    ("trainer.plugins=foo", ["trainer", "plugins='foo'"]),
    ("trainer.devices=999 trainer.accelerator=cpu", ["trainer.devices=999", "cores"]),
    ("optimizer=sgd optimizer.moment=3", ["optimizer.moment", "'momentum'"]),
    ("optimizer.damping=-1", ["optimizer.damping=-1"]),
    ("optimizer=adam optimizer.weight_decay=-1", ["optimizer.weight_decay=-1"]),
    ("optimizer._target_=torch.optim.Adan", ["Adan", "'torch.optim.Adam'"]),
    ("optimizer._target_=trch.optim.Adam", ["trch", "'torch'"]),
    ("data._target_=rosenblatt.text.data.TextDta", ["TextDta", "'rosenblatt.text.data.TextData'"]),
    ("scheduler=plateau scheduler.factr=3", ["scheduler.factr", "'factor'"]),
    ("scheduler=plateau scheduler.factor=3", ["scheduler.factor=3"]),
    ("callbacks=timer callbacks.timer.intervall=step", ["intervall", "'interval'"]),
    ("logger=csv logger.csv.save_dr=x", ["save_dr", "'save_dir'"]),
    ("threshold.valu=0.3", ["threshold.valu", "'value'"]),
]
RAW = re.compile(
    r"Traceback|full_key|object_type|Error merging|in struct|Interpolation key|usage:|https?://|UserWarning|"
    r"Config search path|requires --multirun|Ambiguous|Available names|Misconfig|Invalid |not supported"
)
FILES = {
    "taken": "",
    "logs/runs/first/overrides.yaml": "- lr=0.1\n",
    "logs/runs/first/config.yaml": "lr: 0.1\n",
    "conf/experiment/broken.yaml": "lr: [1,\nfoo: : 2\n",
    "conf/experiment/lost.yaml": "# @package _global_\nlr: ${nope}\n",
    "conf/experiment/twice.yaml": "# @package _global_\ndefaults:\n  - /optimizer: sgd\n",
    "conf/experiment/elsewhere.yaml": "# @package _global_\ndefaults:\n  - override /data: txt\n",
    "conf/experiment/tuned.yaml": "# @package _global_\nhydra:\n  sweeper:\n    n_trials: 5\n",
}


def in_order(lines: Iterable[str], folder: Path, warm: bool) -> list[Ended]:
    found = []
    with Forks(warm) as forks:
        for line in lines:
            found.append(forks.run(*command(line), folder))
    return found


def command(line: str) -> tuple[str, list[str]]:
    words = shlex.split(line)
    program = words.pop(0) if words[0] in ("evaluate", "predict", "export") else None
    return f"scripts/{program}.py" if program else "train.py", words


def complaints(line: str, says: Sequence[str], done: Ended) -> list[str]:
    """What is wrong with an answer."""
    message = done.err.strip()
    lines = [part for one in message.splitlines() for part in textwrap.wrap(one, 100)]
    found = [f"it lacks {one!r}" for one in says if one not in message]
    found += [f"raw: {one[0]!r}" for one in [RAW.search(message)] if one]
    found += ["status 0"] if done.status == 0 else []
    found += ["no message, or several"] if not message.startswith("error: ") or message.count("error: ") != 1 else []
    found += [f"{len(lines)} lines"] if len(lines) > 4 else []
    return [f"{line}: {one}; {message[:400] or done.out[-200:]}" for one in found]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def test_what_is_wrong_is_told_before_torch_is_imported_and_anything_is_read(folder: Path, tmp_path_factory) -> None:
    other = tmp_path_factory.mktemp("other")
    for name, content in FILES.items():
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text(content)
    lines = [line for line, _ in QUICK]
    middle = len(lines) // 2
    with ThreadPoolExecutor(2) as pool:
        halves = pool.map(in_order, (lines[:middle], lines[middle:]), (folder, other), (False, False))
    answers = [done for half in halves for done in half]
    found = [
        f"{line}: imported {done.imported}" for (line, _), done in zip(QUICK, answers, strict=True) if done.imported
    ]
    for (line, says), done in zip(QUICK, answers, strict=True):
        found += complaints(line, says, done)
    assert not found, "\n".join(found)
    assert not [*folder.rglob("metrics.json"), *other.rglob("metrics.json")]


def test_what_a_class_does_not_take_is_told_before_data_are_read(folder: Path) -> None:
    lines = [f"data=text data.train=missing.csv figures=none {line}" for line, _ in OF_CLASSES]
    found = []
    for (line, says), done in zip(OF_CLASSES, in_order(lines, folder, warm=True), strict=True):
        found += complaints(line, says, done)
        found += [f"{line}: data were read: {done.err}"] if "missing.csv" in done.err else []
    assert not found, "\n".join(found)


def test_a_process_of_its_own_says_the_same(folder: Path) -> None:
    lines = ["optimizer=adm", "predict run=nowhere text=a", "--hlep"]
    for line, forked in zip(lines, in_order(lines, folder, warm=False), strict=True):
        done = real(*command(line), folder)
        assert (done.status, done.err) == (forked.status, forked.err)
