# Every target makes its own virtual environment, .venv, where it is missing or out of date.
# PYTHON chooses the interpreter it is made from: make test PYTHON=python3.13
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := setup.py pyproject.toml $(wildcard fastconv/cpu/*.pyx fastconv/cpu/*.pxi fastconv/cpu/csrc/*)

# What to measure: make bench ARGS="--layers resnet --threads 1"; -h lists it all.
ARGS ?=

.PHONY: demo test test-all sanitize lint bench clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp for each set of extras: installed again when metadata or compiled sources change.
$(VENV)/.demo: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[demo]"
	touch $@

$(VENV)/.test: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[test]"
	touch $@

$(VENV)/.bench: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	touch $@

demo: $(VENV)/.demo
	$(BIN)/fastconv demo

test: $(VENV)/.test
	$(BIN)/python -m pytest -m "not slow"

test-all: $(VENV)/.test
	$(BIN)/python -m pytest

sanitize: $(VENV)/.test
	$(BIN)/python -m pytest -rs tests/csrc

# cython-lint looks for pycodestyle on the PATH.
lint: export PATH := $(CURDIR)/$(BIN):$(PATH)
lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/cython-lint fastconv/cpu

bench: $(VENV)/.bench
	$(BIN)/python -m asv_bench $(ARGS)

clean:
	rm -rf build dist *.egg-info fastconv/cpu/*.so .pytest_cache .mypy_cache .ruff_cache
