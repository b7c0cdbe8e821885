# The virtual environment of the Makefile that includes this: made with uv where it is installed, with
# pip elsewhere. Both install the same versions and check the same hashes.

SHELL := /bin/bash
VENV := .venv
# What switches a setting on, as in LOWER=1.
ON := 1 y yes Yes YES true True TRUE on
RUN := $(VENV)/bin/python
UV := $(shell command -v uv)
TORCH_FROM := $(if $(TORCH_INDEX),--index-url "$(TORCH_INDEX)")
ifeq ($(shell uname -s),Linux)
CUDA := . torch may bring CUDA along, 4.7 GB on disk in all. Without it 1 GB: make $(MAKECMDGOALS) TORCH_INDEX=URL, \
  with the URL that pytorch.org shows under Get Started for Linux, Pip, CPU
endif

# Asked before pip is, which would say of another version only that it finds no packages.
FITS = { $(1) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))' 2>/dev/null || { \
  echo "error: this needs Python 3.10 to 3.14, and $(1) is $$(command -v "$(1)" >/dev/null && $(1) -V 2>&1 || echo missing): $(2) with PYTHON=python3.12, or install uv, which brings one" >&2; exit 2; }; }
# A Python that is gone leaves a link to nothing behind.
$(shell test -x $(RUN) || rm -f $(VENV)/*.done)

ifdef UV
INSTALLER := uv
# uv takes a Python that fits, and brings one where there is none.
CREATE = $(UV) venv --quiet --seed --python "$(or $(PYTHON),>=3.10,<3.15)" $(VENV)
INSTALL := $(UV) pip install --python $(RUN)
# Where pip finds wheels on this machine; uv does not read pip's settings.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
else
INSTALLER := pip
PYTHON ?= python3
CREATE = $(call FITS,$(PYTHON),name another one) && $(PYTHON) -m venv --clear $(VENV)
# No progress bar into a pipe or a file.
INSTALL = $(RUN) -m pip install --disable-pip-version-check $$(test -t 1 || echo --progress-bar off)
endif

$(VENV)/grade.done: requirements.txt requirements-torch.txt
	@test -x $(RUN) || { $(CREATE); }
	@$(call FITS,$(RUN),run \`make clean\` and name another one)
	@echo "Setting up .venv with $(INSTALLER), once: 1 to 10 minutes, by your network$(if $(TORCH_INDEX),,$(CUDA))"
	@$(INSTALL) -r requirements.txt
	@$(INSTALL) $(TORCH_FROM) -r requirements-torch.txt
	@touch $@

# make takes any setting without a word, so that task=1.3 would grade everything.
$(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(if $(shell grep -lE '[$$].?$(name)\b' $(MAKEFILE_LIST)),,\
  $(error there is no setting $(name): names are in capitals, as in TASK=1.3, and "make help" shows them))))
# What is typed is taken as it stands, and commands find it in their environment: no shell reads it.
$(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(eval override $(name) := $$(value $(name)))$(eval export $(name))))
