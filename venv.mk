# The virtual environment of the Makefile that includes this: made with uv where it is installed, with
# pip elsewhere. Both install the same versions and check the same hashes.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
UV := $(shell command -v uv)

ifdef UV
INSTALLER := uv
CREATE := $(UV) venv --quiet --seed --python $(PYTHON) $(VENV)
INSTALL := $(UV) pip install --python $(RUN)
# Where pip finds wheels on this machine; uv does not read pip's settings.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
else
INSTALLER := pip
CREATE := $(PYTHON) -m venv $(VENV)
INSTALL := $(RUN) -m pip install --disable-pip-version-check
endif

$(VENV)/grade.done: requirements.txt requirements-torch.txt
	@echo "Creating .venv with $(INSTALLER): the packages of requirements.txt and torch (minutes, the first time)"
	@test -x $(RUN) || $(CREATE)
	@$(INSTALL) -r requirements.txt
	@$(INSTALL) -r requirements-torch.txt
	@touch $@
