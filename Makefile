# GNU make 3.81 (the one on macOS) is enough. `make` alone lists what there is.
#
# Settings, for instance `make lab PYTHON=python3.12 LAB_FLAGS=--no-browser`:
#   PYTHON        the interpreter to make the environment with; default: the first suitable one
#   VENV          where the environment lies; default: .venv
#   GAN_PROFILE   smoke, quick or full, for `make run`; default: quick
#   NOTEBOOKS     the lessons for `make run`; default: all of them
#   LAB_FLAGS     further options for JupyterLab;  PYTEST_FLAGS: for pytest
#   GENERATOR     for `make playground`: a .keras file, or the name of one that ships
#   DISTRIBUTED_FLAGS   for `make run-distributed`: "--workers 3", or a program and its arguments

VENV ?= .venv
PYTHON ?=
GAN_PROFILE ?= quick
NOTEBOOKS ?=
LAB_FLAGS ?=
GENERATOR ?=
DISTRIBUTED_FLAGS ?=
PYTEST_FLAGS ?=
QUALITY_FLAGS ?= --seconds 60 --out build/benchmarks/mnist_quality
SPEED_FLAGS ?=

PY := $(VENV)/bin/python
FIRST := notebooks/01_gan_basics_mnist.ipynb
MAKE_ENV := PYTHON="$(PYTHON)" sh tools/make_env.sh
LEARNER := -r requirements.txt
DEVELOPER := -r requirements.txt -r requirements-dev.txt

# These files say that the packages are in (rules at the end).
HAVE_LEARNER := $(VENV)/.have-requirements
HAVE_DEVELOPER := $(VENV)/.have-requirements-dev
HAVE_ONNX := $(VENV)/.have-onnx

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help env lab run playground run-distributed test lint format bench lowest newest in-env pins clean clean-all void

help: ## List these targets
	@echo "make lab and make run are all a learner needs:"
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

env: $(HAVE_LEARNER) ## Only make the environment (.venv), or bring it up to date
	@echo "==> the environment is in $(VENV)"

lab: $(HAVE_LEARNER) ## Make the environment if need be, and open JupyterLab on lesson 1
	@echo "==> opening JupyterLab on lesson 1; Ctrl-C here, twice, stops it"
	JUPYTER_PREFER_ENV_PATH=1 $(PY) -m jupyterlab --LabApp.default_url=/lab/tree/$(FIRST) \
	    $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_FLAGS)

run: $(HAVE_LEARNER) ## Run the lessons without a browser; results, tables and pages in build/
	@echo "==> running the lessons, profile $(GAN_PROFILE)"
	$(PY) tools/run_lessons.py --profile $(GAN_PROFILE) $(NOTEBOOKS)

playground: $(HAVE_ONNX) ## A page in the browser to play with a generator; needs npm once
	@echo "==> making the page in build/playground"
	$(PY) tools/playground_page.py $(GENERATOR)

run-distributed: $(HAVE_LEARNER) ## Try several machines on one: two processes train one model
	@echo "==> two workers on this machine, lesson 2, profile smoke; results in build/distributed"
	GAN_PROFILE=smoke $(PY) tools/run_distributed.py $(DISTRIBUTED_FLAGS)

test: lint ## Everything that has to pass: style, types, tests, and the lessons in the smoke profile
	@echo "==> tests: pytest"
	$(PY) -m pytest -n logical --maxprocesses 4 --dist loadfile $(PYTEST_FLAGS)
	@echo "==> lessons: the smoke profile, with a run folder of its own"
	GAN_RUNS=build/smoke/runs $(PY) tools/run_lessons.py --profile smoke --jobs 2 --out build/smoke

lint: $(HAVE_DEVELOPER) ## Style and types: ruff (notebooks too) and mypy
	@echo "==> style: ruff"
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	@echo "==> types: mypy"
	$(PY) -m mypy

format: $(HAVE_DEVELOPER) ## Let ruff lay out the code, and mend what it can
	@echo "==> laying out the code"
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(HAVE_LEARNER) ## Measure quality for the time and training speed (some ten minutes)
	@echo "==> quality for the time: benchmarks/mnist_quality.py"
	$(PY) benchmarks/mnist_quality.py $(QUALITY_FLAGS)
	@echo "==> training speed: benchmarks/training.py"
	$(PY) benchmarks/training.py $(SPEED_FLAGS)

lowest: ## Test with the oldest versions that are promised, in a throw-away environment
	@GAN_PYTHONS="3.10 3.11 3.12" $(MAKE) --no-print-directory in-env SET=lowest

newest: ## Test with the newest versions that were tried, in a throw-away environment
	@$(MAKE) --no-print-directory in-env SET=newest

# One throw-away environment in build/env-SET with constraints/SET.txt; kept if a test fails.
in-env:
	@rm -rf build/env-$(SET)
	@mkdir -p build
	@$(MAKE_ENV) build/env-$(SET) $(DEVELOPER) -c constraints/$(SET).txt
	@echo "==> testing with constraints/$(SET).txt"
	build/env-$(SET)/bin/python -m pytest $(PYTEST_FLAGS)
	GAN_RUNS=build/$(SET)/runs build/env-$(SET)/bin/python tools/run_lessons.py \
	    --profile smoke --out build/$(SET)
	@rm -rf build/env-$(SET)
	@echo "==> all passed with constraints/$(SET).txt"

pins: $(HAVE_DEVELOPER) ## Find anew the version sets in constraints/ (after a change of the ranges)
	@echo "==> resolving the lowest and the newest set"
	$(PY) -m uv pip compile --quiet --universal --python-version 3.10 --no-annotate --upgrade \
	    --custom-compile-command "make pins" --resolution lowest-direct \
	    requirements.txt requirements-dev.txt --output-file constraints/lowest.txt
	$(PY) -m uv pip compile --quiet --universal --python-version 3.10 --no-annotate --upgrade \
	    --custom-compile-command "make pins" \
	    requirements.txt requirements-dev.txt --output-file constraints/newest.txt

clean: ## Remove what the targets above made, but not the environment nor your runs
	@echo "==> removing build/ and caches"
	rm -rf build .pytest_cache .mypy_cache .ruff_cache
	find . -name .venv -prune -o -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) \
	    -prune -exec rm -rf {} +

clean-all: clean ## The same, and the environment
	@echo "==> removing $(VENV)"
	rm -rf $(VENV)

$(HAVE_LEARNER): requirements.txt tools/make_env.sh
	@$(MAKE_ENV) $(VENV) $(LEARNER)
	@touch $@

$(HAVE_DEVELOPER): requirements.txt requirements-dev.txt tools/make_env.sh
	@$(MAKE_ENV) $(VENV) $(DEVELOPER)
	@touch $(HAVE_LEARNER) $@

# What a generator needs to become ONNX, out of the optional requirements.
$(HAVE_ONNX): $(HAVE_LEARNER) requirements-extras.txt
	@echo "==> installing what writes ONNX"
	@grep -E '^(tf2)?onnx' requirements-extras.txt | xargs $(PY) -m pip install --quiet
	@touch $@

# The files are void when the environment's Python no longer runs: moved, or removed by an upgrade.
ifneq ($(shell $(PY) -c "print('runs')" 2>/dev/null),runs)
$(HAVE_LEARNER) $(HAVE_DEVELOPER): void
endif
