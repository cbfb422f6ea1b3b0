# Every target works alone on a fresh machine with python3 (3.11 or newer) and make.

PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 2
CALLS ?= 20000
SOURCES := jno tests benchmarks docs examples

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-all test-keys test-latest test-lowest mutate fuzz lint bench docs dist clean

help:
	@echo "make demo      solve a first problem"
	@echo "make test      lint, type check and fast tests"
	@echo "make test-fast FILES=tests/test_fn.py   only these tests"
	@echo "make test-all  lint and all tests, compiled with XLA's optimiser"
	@echo "make test-keys  whole demos once more with other random keys (hours)"
	@echo "make test-latest, make test-lowest   fast tests with the newest and the oldest allowed packages"
	@echo "make mutate ROOMS=training   which breaks of the code no test notices (without ROOMS: all)"
	@echo "make fuzz CALLS=500    call the public functions with wrong arguments"
	@echo "make bench     benchmark table"
	@echo "make docs      documentation in site/"
	@echo "make dist      sdist and wheel in dist/, checked"
	@echo "make clean     remove .venv and everything generated"

# one stamp per set of dependencies: .venv/.installed-core, -dev, -docs, -bench
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jNO needs Python 3.11 or newer; choose one with: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv

.venv/.installed-core: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e . -c constraints.txt
	@touch $@

.venv/.installed-%: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[$*]' -c constraints.txt
	@touch $@

demo: .venv/.installed-core
	$(BIN)/jno demo

lint: .venv/.installed-dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow" --durations=10

test-fast: .venv/.installed-dev
	$(BIN)/python -m pytest -m "not slow" $(FILES)

test-all: lint .venv/.installed-docs
	$(BIN)/python -m pytest -n $(JOBS) -m "not more_keys" --durations=10 --optimized

test-keys: .venv/.installed-dev
	$(BIN)/python -m pytest -n $(JOBS) -m more_keys --durations=10 --optimized

# without the pinned versions of constraints.txt
test-latest:
	$(PYTHON) -m venv .venv-latest
	.venv-latest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager -e '.[dev]'
	.venv-latest/bin/python -m pytest -n $(JOBS) -m "not slow"

# packages of that age warn about each other
test-lowest:
	$(PYTHON) -m venv --clear .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct -e '.[dev]'
	.venv-lowest/bin/python -m pytest -n $(JOBS) -m "not slow" -W ignore::DeprecationWarning -W ignore::FutureWarning

mutate: .venv/.installed-dev
	JOBS=$(JOBS) $(BIN)/python tests/mutate.py $(ROOMS)

# 20,000 calls take a quarter of an hour; their table says what is not refused
fuzz: .venv/.installed-dev
	cd tests && ../$(BIN)/python -m fuzz --calls $(CALLS) --workers $(JOBS)

bench: .venv/.installed-bench
	$(BIN)/python -m benchmarks

docs: .venv/.installed-docs
	$(BIN)/mkdocs build --strict

dist: .venv/.installed-dist
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*

clean:
	rm -rf .venv .venv-latest .venv-lowest site build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find jno tests -name __pycache__ -type d -prune -exec rm -rf {} +
