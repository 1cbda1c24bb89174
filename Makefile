# make help      what there is
# Each target sets up .venv by itself; pip runs again only when the pins change.
PYTHON ?= python3
ARGS ?= optimizer=adam lr=0.001
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
PINS := pyproject.toml constraints.txt
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help train test lint format clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

train: .venv/ready-to-train  ## train the toy perceptron; make train ARGS="data=xor model=mlp" passes overrides
	$(BIN)/python train.py $(ARGS)

test: .venv/ready-to-test lint  ## lint, types, tests
	$(BIN)/python -m pytest

lint: .venv/ready-to-test  ## ruff and mypy
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format: .venv/ready-to-test  ## rewrite the code in the house style
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

clean:  ## remove .venv and caches (runs in logs/ stay)
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/ready-to-train: $(PINS)
	@echo "setting up .venv (once; a minute or two) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) --editable .
	@touch $@

.venv/ready-to-test: $(PINS) | .venv/ready-to-train
	@$(PIP) --editable ".[test]"
	@touch $@
