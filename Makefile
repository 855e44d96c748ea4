# Everything a person or CI runs. Needs Python >= 3.11, make and a package index; the first target you call makes the
# environment in .venv and later ones redo it only when the requirements changed.

.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
READY := .venv/.ready

# How many processes `make test` and `make slow-test` use; 0 runs in one, which is what a debugger wants.
TEST_PROCESSES ?= auto
# More words for pytest: make test PYTEST_ARGS='tests/groups -k surge'
PYTEST_ARGS ?=

.PHONY: help demo test slow-test cluster-test prometheus check format bench proto lock docs clean

help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY)  ## Watch on-demand groups become Spot groups, on an embedded cloud, no AWS account needed
	$(BIN)/spotward demo

test: $(READY)  ## The quick tests
	$(BIN)/pytest -m "not slow" -n $(TEST_PROCESSES) $(PYTEST_ARGS)

slow-test: $(READY)  ## The slow tests: crash after every call, fresh installs, long simulations
	$(BIN)/pytest -m slow -n $(TEST_PROCESSES) --dist loadfile $(PYTEST_ARGS)

cluster-test: $(READY)  ## Tests against a real Kubernetes control plane; the first time it is built from source, for minutes
	$(BIN)/python -m tests.cluster.build
	$(BIN)/pytest tests/cluster --override-ini 'norecursedirs=.* binaries' --timeout 300 $(PYTEST_ARGS)

prometheus:  ## Install Prometheus and Alertmanager, which some slow tests need; neither is started
	tests/prometheus/install

check: $(READY)  ## Lint, formatting, types, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(READY)  ## Put imports and layout in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY)  ## Measure what the README promises
	$(BIN)/python -m bench

docs: $(READY)  ## Check the documents: links, commands, examples
	$(BIN)/pytest tests/house/test_documents.py $(PYTEST_ARGS)

proto: $(READY)  ## Make the plugins' messages anew from proto/
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=src --pyi_out=src proto/spotward/plugins/wire/*.proto

lock: $(READY)  ## Pin what pyproject.toml asks for; UPGRADE=--upgrade moves every pin to its newest version
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --all-extras --group dev \
	  --custom-compile-command 'make lock' --quiet $(UPGRADE) --output-file requirements.txt

clean:  ## Remove the environment and the caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The pinned uv is installed first, with its hash like everything else, because it installs the rest in seconds. It
# does not read pip's configuration; where only pip knows the way to the package index, pip does the whole job.
$(READY): requirements.txt pyproject.toml
	@python=; for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo 'Spotward needs Python 3.11 or newer and found none. Install it, or name it: make PYTHON=/path/to/python3 ...' >&2; \
	  exit 1; \
	fi; \
	if [ ! -x $(BIN)/python ] && ! $$python -m venv .venv; then \
	  echo "$$python cannot make an environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	  rm -rf .venv; exit 1; \
	fi
	@awk '/^[^ #]/ {take = /^uv==/} take && !/^ *#/' requirements.txt > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.txt \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation --editable .
	@touch $@
