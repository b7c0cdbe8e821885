# `make help` lists the targets. The first one that needs it creates .venv with pinned versions.
# Where make is missing: python -m venv .venv, pip install -r requirements.txt, then
# python -m autograder grade (see README.md).

SHELL := /bin/bash
PYTHON ?= python3
SUBMISSION ?= starter
SEED ?= 641
PROFILE ?= standard
PROBLEM ?= 1 2
VENV := .venv
RUN := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help grade test lint datasets train starter references bench clean

help:  ## Show this list
	@echo "usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/grade.done: requirements.txt
	@echo "Creating .venv with the pinned packages of requirements.txt (minutes, the first time)"
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/test.done: $(VENV)/grade.done requirements-dev.txt
	@echo "Adding what the tests need (requirements-dev.txt)"
	@$(RUN) -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@

grade: $(VENV)/grade.done  ## Grade SUBMISSION=starter, all of it or TASK=1.3; TIER=all adds hidden inputs
	@$(RUN) -m autograder grade "$(SUBMISSION)" $(if $(TASK),--only $(TASK)) $(if $(TIER),--tier $(TIER))

test: $(VENV)/test.done  ## Run the kit's tests
	@$(RUN) -m pytest $(ARGS)

lint: $(VENV)/test.done  ## Check the style of all code
	@$(RUN) -m ruff check .

datasets: $(VENV)/grade.done  ## Draw the data: SEED=641 PROFILE=standard|classic
	@$(RUN) -m datasets generate --seed $(SEED) --profile $(PROFILE) $(if $(FORCE),--force)

train: $(VENV)/grade.done  ## Train the reference: PROBLEM=1 or 2 or both; resumes after an interruption
	@test -f datasets/manifest.json || $(RUN) -m datasets generate
	@for problem in $(PROBLEM); do $(RUN) solution/problem$$problem/train.py $(ARGS) || exit; done

starter: $(VENV)/grade.done  ## Generate starter/ from solution/
	@$(RUN) -m autograder starter

references: $(VENV)/grade.done  ## Run the solution and store what the checks compare with
	@$(RUN) -m autograder references --seed $(SEED) --profile $(PROFILE)

bench: $(VENV)/test.done  ## Measure speed as ratios within one run
	@$(RUN) -m tests.bench

clean:  ## Remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
