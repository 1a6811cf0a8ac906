# make run    install, run the whole suite in its quick profile, say where the tables are
# make test   install, then format check, lint, types, import contracts and tests: what CI runs
# make unit   the fast tests alone
# ARGS="..."  is added to 'make run', for instance ARGS="--data-dir ~/data --profile paper"

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: run test unit format clean

run: $(VENV)/.installed
	$(BIN)/python -m bench run --all $(ARGS)

test: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2

unit: $(VENV)/.installed
	$(BIN)/pytest -n 2 -m "not slow"

format: $(VENV)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, found " + sys.version.split()[0] + "; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
