# One command for each thing. `make` alone lists them; .ci/run calls the same ones.
# On a fresh Debian: apt-get install git make python3-venv, then `make app`.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# processes that test side by side
JOBS ?= 2
# pip compiles what it installs, which costs half a minute once: uncompiled, importing PyTorch takes 9 seconds instead of 2.
PIP := $(RUN) -m pip install --disable-pip-version-check --root-user-action=ignore

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help app setup test torture torture-selftest lint bench cluster studio packages

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 25

app: $(VENV)/app-ready $(VENV)/data-ready  ## the dashboard on http://127.0.0.1:8501; the first time it sets everything up
	@exec $(RUN) -m streamlit run app.py

setup: $(VENV)/app-ready $(VENV)/dev-ready $(VENV)/data-ready  ## the set-up alone: environment, requirements, dataset
	@echo "Everything is ready."

test: setup packages  ## every test, with all that they need
	@exec $(RUN) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

torture: setup packages  ## the long tier of the tests of faults: hours; figures go into build/torture.jsonl
	@exec $(RUN) -m pytest -n $(JOBS) --dist worksteal tests/faults tests/app/test_hostile_addresses.py tests/e2e/test_injection.py --torture --timeout 0 -v

torture-selftest: setup packages  ## every harness of faults proves that it can fail: seeded defects must turn it red
	@exec $(RUN) tests/faults/defects/selftest.py

lint: $(VENV)/dev-ready  ## ruff and the type checker
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m pyright

bench: setup packages  ## the figures of the README, measured on this machine
	@exec $(RUN) -m bench

cluster: setup $(VENV)/cluster-ready  ## a cluster of two nodes on this machine, to try out what a cluster is for; Ctrl-C ends it
	@exec $(RUN) -m fmnist.trial_cluster

studio: setup  ## train the model that comes with the studio anew: most of an hour on two cores
	@exec $(RUN) -m bench.bundle

# ---- what the commands above stand on: each file is a stamp, so that nothing is done twice ----

$(VENV)/made:
	@command -v "$(PYTHON)" >/dev/null || \
	  { echo "'$(PYTHON)' was not found. Install Python (apt-get install python3-venv) or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; this is $$("$(PYTHON)" -V). Name another one: make PYTHON=python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv module is missing. Install it: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making the virtual environment in $(VENV) ..."
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/app-ready: requirements.txt $(VENV)/made
	@echo "Installing the requirements; PyTorch is large, so this takes some minutes ..."
	@$(PIP) -r requirements.txt
	@touch $@

EXTRAS := $(addprefix requirements-,suspects.txt onnx.txt sweep.txt cluster.txt tensorboard.txt mlflow.txt)
$(VENV)/dev-ready: requirements-dev.txt $(EXTRAS) $(VENV)/app-ready
	@echo "Installing what the tests and the linter need on top ..."
	@$(PIP) --quiet -r requirements-dev.txt
	@touch $@

$(VENV)/cluster-ready: requirements-cluster.txt $(VENV)/app-ready
	@echo "Installing Ray ..."
	@$(PIP) --quiet -r requirements-cluster.txt
	@touch $@

$(VENV)/data-ready: | $(VENV)/app-ready
	@$(RUN) -m fmnist data >/dev/null  # each step is said on standard error
	@touch $@

packages:  # Debian's chromium, PostgreSQL and faketime, for the tests; without them the tests that need them are skipped
	@missing=; \
	command -v chromium >/dev/null || missing=chromium; \
	command -v /usr/lib/postgresql/*/bin/initdb initdb >/dev/null || missing="$$missing postgresql"; \
	command -v faketime >/dev/null || missing="$$missing faketime"; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ]; then \
	  echo "Installing Debian's $$missing ..."; \
	  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $$missing >/dev/null; \
	elif [ -n "$$missing" ]; then \
	  echo "Not installed: $$missing. The tests that need it are skipped; to run them too: sudo apt-get install $$missing"; \
	fi
