# One-line wrappers around `foldwise`; `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
FOLDWISE := $(BIN)/foldwise
KILLS ?= 200
INPUTS ?= 1000
PAIRS ?= 100
FULL ?= 50
WITHIN = $(if $(TIME),--time-limit $(TIME))
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help setup test test-lowest soak check format mlflow runs titanic otto digits submit-titanic tune-titanic
.PHONY: docs lock diabetes names examples rotten-tomatoes tune-digits house-prices spaceship-titanic

help: ## list the targets; make otto TIME=600 for the best that fits in 600 s
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

titanic: setup ## Titanic, from the files to a checked submission
	@$(FOLDWISE) run titanic $(WITHIN)

otto: setup ## Otto, the same
	@$(FOLDWISE) run otto $(WITHIN)

digits: setup ## Kaggle's digits (MNIST), the same
	@$(FOLDWISE) run digit-recognizer $(WITHIN)

diabetes: setup ## diabetes, scored on a fifth of the patients that is held back
	@$(FOLDWISE) run diabetes $(WITHIN)

names: setup ## surnames and their countries, scored on the course's test file or a sample
	@$(FOLDWISE) run names $(WITHIN)

examples: setup ## the course's first steps, each a short script with a figure
	@$(BIN)/python examples

rotten-tomatoes: setup ## Rotten Tomatoes, the same: GRU, LSTM and two bags of words
	@$(FOLDWISE) run rotten-tomatoes $(WITHIN)

house-prices: setup ## House Prices, the same: what a house was sold for
	@$(FOLDWISE) run house-prices $(WITHIN)

spaceship-titanic: setup ## Spaceship Titanic, the same: text ids, True or False
	@$(FOLDWISE) run spaceship-titanic $(WITHIN)

submit-titanic: setup ## send the newest Titanic run to Kaggle, once, and write its score down
	@$(FOLDWISE) submit titanic

tune-titanic: setup ## search Titanic's settings; make tune-otto and so on for the others
	@$(FOLDWISE) tune titanic --trials-at-once 10 $(WITHIN)

tune-digits: tune-digit-recognizer

tune-%: setup
	@$(FOLDWISE) tune $* $(WITHIN)

runs: setup ## every run with its scores
	@$(FOLDWISE) runs

mlflow: setup ## the MLflow page, with every run, score and figure
	@$(FOLDWISE) mlflow

test: setup ## the whole test suite, with coverage
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --cov --cov-report=term:skip-covered

LOWEST = tests/features tests/submissions tests/models/estimators tests/pipelines/stages tests/pipelines/prediction tests/pipelines/competitions

test-lowest: setup ## the core's tests with the versions of constraints-lowest.txt, where they can be had
	@$(BIN)/python -m venv .venv-lowest
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > $$(.venv-lowest/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/zz-venv.pth
	@if .venv-lowest/bin/python -m pip install --quiet --no-deps --requirement constraints-lowest.txt; then \
	  OMP_NUM_THREADS=1 PYTHONPATH=. .venv-lowest/bin/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile $(LOWEST); \
	else echo "the versions of constraints-lowest.txt cannot be had here: not tested"; fi

soak: setup ## kills, full disks, mutated inputs and commands side by side, for up to an hour
	@$(BIN)/python tests/soak --kills $(KILLS) --inputs $(INPUTS) --pairs $(PAIRS) --full $(FULL) $(if $(SEED),--seed $(SEED))

docs: setup ## the documentation as a site, on http://127.0.0.1:8000
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

check: setup ## format, lint, types, who may import whom, and the site's links
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

format: setup ## put the code into its form
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: ## write uv.lock again, with the versions of constraints.txt; needs uv
	@uv lock $$(sed -n 's/^\([^#].*==.*\)/--upgrade-package \1/p' constraints.txt)

setup: .venv/installed ## make .venv and install what is pinned in constraints.txt

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Foldwise needs Python 3.11 or newer, found $$($(PYTHON) --version); type: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@echo "setting up .venv (once; a minute or two)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,samples,dev]'
	@touch .venv/installed
