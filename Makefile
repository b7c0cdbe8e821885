# `make help` lists the targets. The first one that needs it creates .venv with pinned versions: with
# uv where it is installed (seconds), with pip elsewhere (minutes). Where make is missing, README.md
# has the commands.

include venv.mk

export SUBMISSION ?= starter
PROBLEM ?= 1 2
DRAWN = $(if $(SEED),--seed $(SEED)) $(if $(PROFILE),--profile $(PROFILE))
PYTEST := OMP_NUM_THREADS=1 $(RUN) -m pytest
SIDE_BY_SIDE := -n 2 --dist loadgroup --no-loadscope-reorder
LONG := hostile or platform or browser or proof or slow
LOCK = $(or $(UV),$(error make lock needs uv)) pip compile --quiet pyproject.toml --universal \
  --python-version 3.10 --generate-hashes --no-annotate --no-emit-package torch --custom-compile-command "make lock"

.DEFAULT_GOAL := $(if $(TASK),grade,help)
.PHONY: help grade watch zip test test-long test-all lint types lock datasets train starter references prove audit handout report notebooks browser \
	autograder.zip release dry-run new-term correction classroom bench clean

help:  ## Show this list
	@echo "usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z.-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/test.done: $(VENV)/grade.done requirements-dev.txt
	@echo "Adding with $(INSTALLER) what the tests need (requirements-dev.txt)"
	@$(INSTALL) -r requirements-dev.txt
	@touch $@

grade: $(VENV)/grade.done  ## Grade SUBMISSION=starter, all of it or TASK=1.3; HTML=report.html adds a page; TIER=all
	@$(RUN) -m autograder grade "$$SUBMISSION" $(if $(TASK),--only $(TASK)) $(if $(TIER),--tier $(TIER)) $(if $(HTML),--html "$$HTML")

watch: $(VENV)/grade.done  ## Grade again what a save can have changed, until Ctrl-C: TASK=1.3, HTML=report.html
	@$(RUN) -m autograder watch "$$SUBMISSION" $(if $(TASK),--only $(TASK)) $(if $(HTML),--html "$$HTML")

zip: $(VENV)/grade.done  ## Build submission.zip of SUBMISSION=starter, and say what it lacks
	@$(RUN) -m autograder zip "$$SUBMISSION"

test: $(VENV)/test.done  ## Run the kit's tests in minutes, or those of ARGS="-m hostile"
	@$(PYTEST) $(if $(ARGS),$(ARGS),$(SIDE_BY_SIDE) -m "not ($(LONG))")
	@$(if $(ARGS),,echo 'Left out: $(LONG). "make test-all" runs them as well, make test ARGS="-m hostile" some of them.')

test-long: $(VENV)/test.done  ## Run the long ones without the proof, as CI does
	@$(PYTEST) $(SIDE_BY_SIDE) -m "($(LONG)) and not proof"

test-all: test test-long  ## Run all of them
	@$(PYTEST) $(SIDE_BY_SIDE) -m proof

lint: $(VENV)/test.done  ## Check the style of all code
	@$(RUN) -m ruff check .

types: $(VENV)/test.done  ## Check the types of all code; strictly in autograder/engine
	@$(RUN) -m mypy

lock:  ## Write the newest fitting versions of pyproject.toml down: UPGRADE=1, or keep what is there
	@$(LOCK) $(if $(filter $(ON),$(UPGRADE)),--upgrade) -o requirements.txt
	@$(LOCK) $(if $(filter $(ON),$(UPGRADE)),--upgrade) --extra test -c requirements.txt -o requirements-dev.txt

datasets: $(VENV)/grade.done  ## Draw the data of the term, or SEED=641 PROFILE=standard|classic
	@$(RUN) -m datasets generate $(DRAWN) $(if $(filter $(ON),$(FORCE)),--force)

train: $(VENV)/grade.done  ## Train the reference: PROBLEM=1 or 2 or both; resumes after an interruption
	@test -f datasets/manifest.json || $(RUN) -m datasets generate
	$(if $(filter-out 1 2,$(PROBLEM)),$(error PROBLEM is 1 or 2, not $(PROBLEM)))
	@for problem in $(PROBLEM); do $(RUN) solution/problem$$problem/train.py $(ARGS) || exit; done

starter: $(VENV)/grade.done  ## Generate starter/ from solution/
	@$(RUN) -m autograder starter

references: $(VENV)/grade.done  ## Run the solution and store what the checks compare with; YES=1: new answers are right
	@$(RUN) -m autograder references $(DRAWN) $(if $(filter $(ON),$(YES)),--yes)

prove: $(VENV)/test.done  ## Show that the checks are right, or SAMPLE=10: with every tenth try
	@$(RUN) -m autograder prove $(if $(SAMPLE),--sample $(SAMPLE))

audit: $(VENV)/test.done  ## Look for what no check asks, with 10,000 random inputs of each function: ARGS="--functions nms --case"
	@$(RUN) -m autograder audit $(ARGS)

handout: $(VENV)/test.done  ## Build build/handout: one HTML page, and a PDF where there is a Chromium
	@$(RUN) -m handout build

report: $(VENV)/test.done  ## Build handout/report: the reference study as HTML and PDF
	@OMP_NUM_THREADS=1 $(RUN) -m handout report

notebooks: $(VENV)/test.done  ## Build handout/problem*.ipynb from handout/notebooks
	@$(RUN) -m handout notebooks

browser:  ## Install Chromium for PDFs and for tests of pages, where it is missing (Debian, Ubuntu)
	@command -v chromium chromium-browser google-chrome >/dev/null || { apt-get update -q && \
	  apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core fonts-liberation; }

autograder.zip: $(VENV)/grade.done  ## Build the upload: HIDDEN_SEED=... LEADERBOARD=1 TORCH_INDEX=...
	@$(RUN) -m autograder package --out $@ $(if $(HIDDEN_SEED),--hidden-seed $(HIDDEN_SEED)) \
	  $(if $(filter $(ON),$(LEADERBOARD)),--leaderboard) $(if $(TORCH_INDEX),--torch-index "$$TORCH_INDEX")

release: $(VENV)/test.done  ## Build homework1.zip, what students download
	@$(RUN) -m autograder release

dry-run: $(VENV)/test.done  ## Rehearse Gradescope: SUBMISSION=solution ZIP=newest BASE=ubuntu-22.04 ARGS=--functional
	@$(RUN) -m autograder dry-run "$$SUBMISSION" $(if $(ZIP),--zip "$$ZIP") $(if $(BASE),--base $(BASE)) $(ARGS)

new-term: $(VENV)/test.done  ## All of a new term: SEED=... KEEP_WEIGHTS=1 HIDDEN_SEED=... PROOF=sample|none LEADERBOARD=1 TORCH_INDEX=...
	@$(RUN) -m autograder new-term $(DRAWN) $(if $(filter $(ON),$(KEEP_WEIGHTS)),--keep-weights) $(ARGS) \
	  $(if $(HIDDEN_SEED),--hidden-seed $(HIDDEN_SEED)) $(if $(PROOF),--proof $(PROOF)) \
	  $(if $(filter $(ON),$(LEADERBOARD)),--leaderboard) $(if $(TORCH_INDEX),--torch-index "$$TORCH_INDEX")

correction: $(VENV)/test.done  ## Mend a term: SEED=... DIR=export.zip GRADES=build/grades NOTE="..." LOWER=1
	@test -n "$$DIR" -a -n "$$SEED" -a -n "$$NOTE" || { echo 'name the term, the submissions and what changes: make correction SEED=2027 DIR=export.zip NOTE="..."'; exit 2; }
	@$(RUN) -m autograder correction "$$DIR" --seed "$$SEED" --grades "$${GRADES:-build/grades}" \
	  --note "$$NOTE" $(if $(filter $(ON),$(LOWER)),--lower)

classroom: $(VENV)/test.done  ## Grade a class: DIR=export.zip OUT=build/grades ROSTER=... OVERRIDES=... JOBS=2 TIER=all TASK=1.3 COMPARE=...
	@test -n "$$DIR" || { echo "name the submissions: make classroom DIR=export.zip"; exit 2; }
	@$(RUN) -m autograder classroom "$$DIR" --out "$${OUT:-build/grades}" \
	  $(if $(JOBS),--jobs $(JOBS)) $(if $(TIER),--tier $(TIER)) $(if $(TASK),--only $(TASK)) \
	  $(if $(COMPARE),--compare "$$COMPARE") \
	  $(if $(ROSTER),--roster "$$ROSTER") $(if $(OVERRIDES),--overrides "$$OVERRIDES") $(ARGS)

bench: $(VENV)/test.done  ## Measure speed as ratios within one run
	@$(RUN) -m tests.bench

clean:  ## Remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
