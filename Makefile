# make help      what there is
# Each target sets up .venv by itself; pip runs again only when the pins change.
ARGS ?= optimizer=adam lr=0.001
ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN := .venv/Scripts
else
PYTHON ?= python3
BIN := .venv/bin
endif
PINS := pyproject.toml constraints.txt
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help train test lint format clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

train: .venv/ready-to-train  ## train; make train ARGS="lr=0.01 trainer.max_epochs=10" passes settings
	$(BIN)/python train.py $(ARGS)

test: .venv/ready-to-test lint  ## lint, types, tests
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

lint: .venv/ready-to-test  ## ruff and mypy
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format: .venv/ready-to-test  ## rewrite the code in the house style
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

clean:  ## remove .venv, site and caches (runs in logs/ stay)
	rm -rf .venv site .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/ready-to-train: $(PINS)
	@$(PYTHON) -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))" || \
		(echo "$(PYTHON) is not Python 3.10 to 3.13; name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1)
	@echo "setting up .venv (once; a minute or two) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) --editable .
	@touch $@

.venv/ready-to-test: $(PINS) | .venv/ready-to-train
	@$(PIP) --editable ".[test]"
	@touch $@

# <template>
.PHONY: soak coverage docs

soak: .venv/ready-to-test  ## the long tests: many kills, many samplers
	$(BIN)/python -m pytest -m soak --numprocesses auto --maxprocesses 4 --dist worksteal
	$(BIN)/python scripts/crash_test.py
	$(BIN)/python scripts/sweep_crash_test.py

coverage: .venv/ready-to-test  ## the tests, and which lines they run; for scripts/mutation_test.py
	@mkdir -p logs
	$(BIN)/python -m pytest -vv --numprocesses auto --maxprocesses 4 --dist worksteal --durations 0 --cov src --cov-context test | tee logs/tests.txt

docs: .venv/ready-to-docs  ## the site: README.md, docs/ and the reference of the code, in site/
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -c docs . site
	cp site/README.html site/index.html

.venv/ready-to-docs: $(PINS) | .venv/ready-to-train
	@$(BIN)/python -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		(echo "the generator of the site wants Python 3.11 or later: make clean, make PYTHON=python3.12 docs"; exit 1)
	@$(PIP) --editable ".[docs]"
	@touch $@
# </template>
