# Few verbs, each one line; `make` lists them. All paths are relative, so a folder with spaces works.
# Needed beforehand: Python 3.10 or newer and make (and git, which `make grade` hands in with).

PYTHON ?= python3 python python3.13 python3.12 python3.11 python3.10
MODERN := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))
RUN := .venv/bin/python -m
# Passed on: `make grade CLASS="--unsandboxed"`, `make test TESTS="-k matmul"`.
CLASS ?=
TESTS ?=

.PHONY: help grade test check starters template leaderboard image image-test bench doctor clean

help: ## List these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

grade: template ## Grade a sample class with the hidden tests and build its leaderboard
	@$(RUN) tests.sample_class build/template build/class
	@AUTOGRADER_KEY_FILE=build/submitter.key \
	 $(RUN) autograder class build/class --out build/grades $(CLASS)
	@$(RUN) autograder leaderboard build/grades/ledger --out build/leaderboard

test: .venv/installed ## Run every test
	@$(RUN) pytest -n auto --dist loadfile $(TESTS)

check: .venv/installed ## Run what CI runs: format, lint, starters, then every test and the proofs
	@$(RUN) black --check --quiet . || { echo "make check: run .venv/bin/black ."; exit 1; }
	@$(RUN) ruff check --quiet .
	@$(RUN) autograder starters --check
	@$(MAKE) --no-print-directory test

starters: .venv/installed ## Write the starters again from the reference
	@$(RUN) autograder starters

template: .venv/installed ## Export the student repository to build/template
	@rm -rf build/template
	@$(RUN) autograder template build/template

leaderboard: .venv/installed ## Build the leaderboard of the last `make grade` again
	@$(RUN) autograder leaderboard build/grades/ledger --out build/leaderboard

image: ## Build the grader's image with docker, podman or buildah, whichever answers
	@autograder/image/build.sh

image-test: .venv/installed ## Build the image for real and attack it inside (Debian's podman, root)
	@$(RUN) pytest tests/image $(TESTS)

bench: .venv/installed ## Measure the course against its targets; also build/bench.json
	@$(RUN) tests.bench

doctor: .venv/installed ## Say what isolation this machine can prove, and what is missing
	@$(RUN) autograder doctor

clean: ## Remove what was built; the virtual environment stays
	@rm -rf build milestones/out .pytest_cache .ruff_cache .hypothesis *.egg-info
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.venv/installed: pyproject.toml requirements.lock
	@for python in $(PYTHON); do \
	   "$$python" -c '$(MODERN)' 2>/dev/null && { "$$python" -m venv .venv; exit; }; done; \
	 echo "make: no Python 3.10 or newer with venv among: $(PYTHON)"; \
	 echo "      install one (Debian: apt install python3 python3-venv) or say make PYTHON=/its/path"; \
	 exit 1
	@echo "Installing the pinned dependencies into .venv (a minute, once)"
	@$(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(RUN) pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch .venv/installed
