# GNU make 3.81 (the one on macOS) is enough. `make` alone lists what there is.
#
# Settings, for instance `make lab PYTHON=python3.12 LAB_FLAGS=--no-browser`:
#   PYTHON        the interpreter to make the environment with; default: the first suitable one
#   VENV          where the environment lies; default: .venv
#   GAN_PROFILE   smoke, quick or full, for `make run`; default: quick
#   NOTEBOOKS     the lessons for `make run`; default: all of them
#   LAB_FLAGS     further options for JupyterLab;  PYTEST_FLAGS: for pytest
#   GENERATOR     for `make playground`: a .keras file, or the name of one that ships
#   SUBMISSIONS   for `make grade`: a folder of returned notebooks;  ASSIGNMENT: only this one;
#                 GRADE_FLAGS: further options for tools/grade.py
#   URL           for `make address`: where the repository is to be had; BRANCH: main, or a tag
#   DISTRIBUTED_FLAGS   for `make run-distributed`: "--workers 3", or a program and its arguments

VENV ?= .venv
PYTHON ?=
GAN_PROFILE ?= quick
NOTEBOOKS ?=
LAB_FLAGS ?=
GENERATOR ?=
CLASSROOM ?= .venv-classroom
SITE ?= .venv-site
SUBMISSIONS ?=
ASSIGNMENT ?=
GRADE_FLAGS ?=
DISTRIBUTED_FLAGS ?=
URL ?=
BRANCH ?= main
PYTEST_FLAGS ?=
BENCH_FLAGS ?=

PY := $(VENV)/bin/python
TOGETHER := -n logical --maxprocesses 4 --dist loadfile
FIRST := notebooks/01_gan_basics_mnist.ipynb
MAKE_ENV := PYTHON="$(PYTHON)" sh tools/make_env.sh
LEARNER := -r requirements.txt
DEVELOPER := -r requirements.txt -r requirements-dev.txt

# These files say that the packages are in (rules at the end).
HAVE_LEARNER := $(VENV)/.have-requirements
HAVE_DEVELOPER := $(VENV)/.have-requirements-dev
HAVE_CLASSROOM := $(CLASSROOM)/.have-requirements-classroom
HAVE_SITE := $(SITE)/.have-requirements-site
HAVE_ONNX := $(VENV)/.have-onnx

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help env lab run playground assignments handout grade run-distributed site test lint format address colab audit bench test-lowest test-newest in-env pins clean clean-all void

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

assignments: $(HAVE_CLASSROOM) ## Make the students' versions of the assignments (assignments/release)
	@echo "==> making assignments without their answers"
	$(CLASSROOM)/bin/python tools/assignments.py $(ASSIGNMENT)

grade: $(HAVE_LEARNER) $(HAVE_CLASSROOM) ## Grade returned notebooks: make grade SUBMISSIONS=folder
	@test -n "$(SUBMISSIONS)" || { echo "Which ones? make grade SUBMISSIONS=folder"; exit 2; }
	@echo "==> grading; points and feedback pages in build/grading"
	$(CLASSROOM)/bin/python tools/grade.py "$(SUBMISSIONS)" --python $(PY) \
	    $(if $(ASSIGNMENT),--assignment $(ASSIGNMENT)) $(GRADE_FLAGS)

site: $(HAVE_SITE) ## Build the lessons as a website, with search and all pages, in build/site
	@echo "==> building the site"
	$(SITE)/bin/python tools/build_site.py

handout: ## A zip of what is committed, for students: all of it but the assignments' answers
	mkdir -p build
	git archive --prefix=gan-notebooks/ -o build/gan-notebooks.zip HEAD -- . \
	    ':(exclude)assignments/source' ':(exclude)assignments/wrong'
	@echo "==> build/gan-notebooks.zip is for students"

test: lint $(HAVE_CLASSROOM) ## Everything that has to pass: style, types, tests, and the lessons in the smoke profile
	@echo "==> tests: pytest"
	CLASSROOM=$(CLASSROOM) $(PY) -m pytest $(TOGETHER) $(PYTEST_FLAGS)
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

address: $(HAVE_LEARNER) ## Write the public address (URL=https://…) into lessons and README
	$(PY) tools/address.py $(if $(URL),$(URL) --branch $(BRANCH))

colab: $(HAVE_LEARNER) ## Run the lessons in an environment like Colab's, profile smoke
	@echo "==> running the lessons as Google Colab would"
	$(PY) tools/like_colab.py $(NOTEBOOKS)

audit: $(HAVE_DEVELOPER) ## Ask for known weaknesses of the packages, where advisories can be reached
	@echo "==> known weaknesses: pip-audit"
	$(PY) tools/audit.py

bench: $(HAVE_LEARNER) ## Run all benchmarks, and write docs/benchmarks.md (about an hour and a half)
	@echo "==> benchmarks; results in build/benchmarks and docs/benchmarks.md"
	$(PY) tools/bench.py $(BENCH_FLAGS)

test-lowest: ## Test with the oldest versions that are promised, in a throw-away environment
	@GAN_PYTHONS="3.10 3.11 3.12" $(MAKE) --no-print-directory in-env SET=lowest

test-newest: ## Test with the newest versions that were tried, in a throw-away environment
	@$(MAKE) --no-print-directory in-env SET=newest

# One throw-away environment in build/env-SET with constraints/SET.txt; kept if a test fails.
in-env:
	@rm -rf build/env-$(SET)
	@mkdir -p build
	@$(MAKE_ENV) build/env-$(SET) $(DEVELOPER) -c constraints/$(SET).txt
	@echo "==> testing with constraints/$(SET).txt"
	build/env-$(SET)/bin/python -m pytest $(TOGETHER) $(PYTEST_FLAGS)
	GAN_RUNS=build/$(SET)/runs build/env-$(SET)/bin/python tools/run_lessons.py \
	    --profile smoke --jobs 2 --out build/$(SET)
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

clean: ## Remove what the targets above made, but not the environment, your runs nor build/grading
	@echo "==> removing build/ (grades are kept), the students' versions and caches"
	if [ -d build ]; then find build -mindepth 1 -maxdepth 1 ! -name grading -exec rm -rf {} +; fi
	rm -rf assignments/release .pytest_cache .mypy_cache .ruff_cache
	find . -name '.venv*' -prune -o -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) \
	    -prune -exec rm -rf {} +

clean-all: clean ## The same, and the environments
	@echo "==> removing $(VENV), $(CLASSROOM) and $(SITE)"
	rm -rf $(VENV) $(CLASSROOM) $(SITE)

$(HAVE_LEARNER): requirements.txt tools/make_env.sh
	@$(MAKE_ENV) $(VENV) $(LEARNER)
	@touch $@

$(HAVE_DEVELOPER): requirements.txt requirements-dev.txt tools/make_env.sh
	@$(MAKE_ENV) $(VENV) $(DEVELOPER)
	@touch $(HAVE_LEARNER) $@

# What a teacher needs, and what builds the site: beside the learner's environment, never in it.
$(HAVE_CLASSROOM): $(HAVE_LEARNER) requirements-classroom.txt tools/make_env.sh
	@$(MAKE_ENV) $(CLASSROOM) -r requirements-classroom.txt
	@touch $@

$(HAVE_SITE): $(HAVE_LEARNER) requirements-site.txt tools/make_env.sh
	@$(MAKE_ENV) $(SITE) -r requirements-site.txt
	@touch $@

# What a generator needs to become ONNX, out of the optional requirements.
$(HAVE_ONNX): $(HAVE_LEARNER) requirements-extras.txt
	@echo "==> installing what writes ONNX"
	@grep -E '^(tf2)?onnx' requirements-extras.txt | xargs $(PY) -m pip install --quiet
	@touch $@

# The files are void when the environment's Python no longer runs: moved, or removed by an upgrade.
ifneq ($(shell $(PY) -c "print('runs')" 2>/dev/null),runs)
$(HAVE_LEARNER) $(HAVE_DEVELOPER): void
endif
