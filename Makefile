# The whole set-up in two words: `make demo` or `make test`. Both make .venv/ first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1
export HF_HUB_OFFLINE = 1
unexport PYTHONDONTWRITEBYTECODE  # tests start many processes, each of which would compile everything

.PHONY: help setup demo test test-all test-oldest bench-engine bench-data bench-evaluation bench-generation learn check format docs clean

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: $(VENV)/.installed  ## make .venv/ with everything, torch pinned by constraints.txt

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gradtruce needs Python 3.11 or newer, found " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[rrg,dev]"
	touch $@

demo: setup      ## phantom data, two trainings, one honest comparison: runs/demo/report.html
	$(BIN)/gradtruce demo

test: setup      ## the tests, some 7 minutes on 2 cores
	$(BIN)/python -m pytest -n 2 --dist loadscope

test-all: setup  ## the slow tests too
	$(BIN)/python -m pytest -n 2 --dist loadscope -m "not gpu"

test-oldest:     ## the engine's tests on the oldest torch it supports; pip brings that release
	$(PYTHON) -m venv $(VENV)/oldest
	$(VENV)/oldest/bin/python -m pip install --quiet "torch==2.6.*" "numpy<3" jaxtyping beartype \
		hypothesis pytest pytest-randomly pytest-timeout scipy scikit-learn
	PYTHONPATH=src $(VENV)/oldest/bin/python -m pytest -o filterwarnings= \
		-k "not fsdp and not hsdp and not sharded" tests/gradients tests/balance tests/laws/test_balancers.py src/gradtruce/gradients src/gradtruce/balance

bench-engine: setup  ## the engine beside its peers: benchmarks/results/engine.md; about 12 minutes alone
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[bench]"
	$(BIN)/python -m benchmarks.engine

bench-data: setup  ## preparing, opening and loading data: benchmarks/results/data.md
	$(BIN)/python -m benchmarks.data

bench-evaluation: setup  ## what evaluating 3,858 reports costs: benchmarks/results/evaluation.md
	$(BIN)/python -m benchmarks.evaluation --write benchmarks/results/evaluation.md

bench-generation: setup  ## training and generation of R2Gen: benchmarks/results/generation.md
	$(BIN)/python -m benchmarks.generation

learn: setup     ## train every method, some 20 minutes: benchmarks/results/learning.md; ANNOTATION=… adds real text, METHODS="…" trains those alone
	$(BIN)/python -m benchmarks.learning $(if $(METHODS),--methods $(METHODS) --add) $(if $(ANNOTATION),--annotation $(ANNOTATION)) $(if $(REPORTS),--reports $(REPORTS))

check: setup     ## format, lint, types, layers, spelling, dead code, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell src tests docs benchmarks examples *.md
	$(BIN)/vulture
	$(BIN)/sphinx-build -W -q -b html docs docs/_build/html

format: setup    ## rewrite the code as the formatter has it
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .

docs: setup      ## docs/_build/html/index.html, its tables made anew from the classes
	$(BIN)/python docs/tables.py
	$(BIN)/sphinx-build -W -b html docs docs/_build/html

clean:           ## remove what the other targets made, but not runs/
	rm -rf $(VENV) docs/_build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
