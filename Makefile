# Tollgate's commands. A newcomer needs two of them: `make run` and `make test`; each sets up what it needs.
# Everything that is installed lands in .venv and .tools, everything that is written in .local and .aws-sam.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help run test reset check check-format check-lint check-types check-template \
        build deploy invoke bench docs setup setup-dev lock format clean

PY        := .venv/bin/python
# The pins are complete, so pip has nothing to resolve and takes exactly what is written.
PIP_FLAGS := --quiet --quiet --disable-pip-version-check --no-input --no-deps --require-hashes
CODE      := functions layers/shared/python local tools bench
# Only folders that exist, so that a check never fails for a folder that is yet to come.
TYPED     = $(wildcard $(CODE))
WORKERS  ?= 2

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-24s %s\n", $$1, $$2}' Makefile

# ---------------------------------------------------------------- what a developer runs

run: setup ## Start everything on http://127.0.0.1:8080 (PORT=… moves it); Ctrl-C stops it
	@$(PY) -m local run

test: setup-dev ## Run the whole test suite
	@$(PY) -m pytest --numprocesses $(WORKERS) --dist loadgroup $(ARGS)

reset: .venv/run.stamp ## Forget all local data
	@$(PY) -m local reset

invoke: setup ## Invoke one function: F=<function> E=<event file>
	@test -n "$(F)" && test -n "$(E)" || { echo "usage: make invoke F=<function> E=<event file>" >&2; exit 2; }
	@$(PY) -m local invoke "$(F)" "$(E)"

bench: setup-dev build-host ## Measure, and write docs/benchmarks.md
	@$(PY) -m bench

docs: setup-dev ## Write the generated documents anew
	@$(PY) -m tools.openapi

.PHONY: coverage-of-operations
coverage-of-operations: setup-dev ## Print how many of the published payment operations there are (ARGS=--missing)
	@$(PY) -m tools.coverage_of_operations $(ARGS)

# ---------------------------------------------------------------- checks: what CI runs

check: check-format check-lint check-types check-template test ## Run every check, then the test suite

check-format: .venv/dev.stamp
	$(PY) -m ruff format --check .

check-lint: .venv/dev.stamp
	$(PY) -m ruff check .

check-types: .venv/dev.stamp
	$(PY) -m mypy $(TYPED)

# Both, because each accepts what the other refuses: the linter knows properties, the translator knows SAM's events.
check-template: .venv/dev.stamp .tools/sam.stamp
	.venv/bin/cfn-lint template.yaml
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-central-1 AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none \
	  .tools/sam/bin/sam validate --template-file template.yaml

format: .venv/dev.stamp ## Format the code and mend what ruff can mend
	$(PY) -m ruff check --fix-only --quiet .
	$(PY) -m ruff format .

# ---------------------------------------------------------------- build and deployment

build: .venv/dev.stamp ## Build the deployable artifact in .aws-sam/build
	@$(PY) -m tools.build aws

.PHONY: build-host
build-host: .venv/dev.stamp
	@$(PY) -m tools.build host

deploy: build .tools/sam.stamp ## Deploy to the AWS account at hand: ENV=sandbox or ENV=production
	SAM_CLI_TELEMETRY=0 .tools/sam/bin/sam deploy --config-env $(or $(ENV),sandbox)

# ---------------------------------------------------------------- set-up: quick when there is nothing to do

setup: .venv/run.stamp
	@$(PY) -m local setup

setup-dev: .venv/dev.stamp
	@$(PY) -m local setup

# The newest Python that can make environments; PYTHON=… names another one.
FIND_PYTHON = for candidate in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	  if $$candidate -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    found=$$candidate; break; fi; done; \
	if [ -z "$$found" ]; then \
	  echo "Tollgate needs Python 3.11 or newer with the venv module$(if $(PYTHON),; PYTHON=$(PYTHON) is not one,: install it or name one with PYTHON=…)" >&2; \
	  exit 1; fi

.venv/bin/python:
	@$(FIND_PYTHON); echo "Creating .venv with $$found"; $$found -m venv .venv

.venv/run.stamp: requirements/run.txt | .venv/bin/python
	@echo "Installing the packages of requirements/run.txt into .venv"
	@$(PY) -m pip install $(PIP_FLAGS) --requirement requirements/run.txt
	@touch $@

# The development list contains the list of `make run`, with the same pins.
.venv/dev.stamp: requirements/dev.txt requirements/run.txt | .venv/bin/python
	@echo "Installing the packages of requirements/dev.txt into .venv"
	@$(PY) -m pip install $(PIP_FLAGS) --requirement requirements/dev.txt
	@touch .venv/run.stamp $@

.tools/sam.stamp: requirements/sam.txt | .venv/bin/python
	@echo "Installing SAM CLI into .tools/sam"
	@rm -rf .tools/sam && $(PY) -m venv .tools/sam
	@.tools/sam/bin/python -m pip install $(PIP_FLAGS) --requirement requirements/sam.txt
	@touch $@

# ---------------------------------------------------------------- upkeep

lock: .venv/bin/python ## Pin the packages of every .in file anew (UPGRADE=1 takes newer versions)
	@$(PY) -m tools.build.lock $(if $(UPGRADE),--upgrade)

clean: ## Remove environments, tools and artifacts; local data stays
	rm -rf .venv .tools .aws-sam .build
