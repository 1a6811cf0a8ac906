# make run    install, run the whole suite in its quick profile, end with a leaderboard
# make test   install, then format check, lint, types, import contracts and tests: what CI runs
# make unit   the fast tests alone
# make docs   build the documentation, docs/_build/html/index.html
# ARGS="..."  is added to 'make run', for instance ARGS="--data-dir ~/data --profile laptop"

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

# What is installed is noted in two stamps. The tools of development bring all that a run needs.
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev

.PHONY: run test unit docs format clean

run: $(RUN)
	$(BIN)/python -m bench run --all $(ARGS)

test: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2

unit: $(DEV)
	$(BIN)/pytest -n 2 -m "not slow"

docs: $(DEV)
	$(BIN)/sphinx-build --fail-on-warning --quiet --builder html docs docs/_build/html
	@echo docs/_build/html/index.html

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, found " + sys.version.split()[0] + "; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUN): pyproject.toml constraints.txt | $(VENV)/.made
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[vision,llm,tsfm,tracking]'
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(VENV)/.made
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev]'
	@touch $(RUN) $@

clean:
	rm -rf $(VENV) build docs/_build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
