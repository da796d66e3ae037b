# Everything runs in .venv, made here from nothing but Python 3.11+, make and git.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3,11) <= sys.version_info < (3,14))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
DEMO ?= demo-flights
PYTEST_ARGS ?=
# Half as many again as cores: tests wait for processes and clocks as much as they compute.
WORKERS ?= $(shell $(PYTHON) -c "import os; n = os.cpu_count() or 1; print(n + n // 2)")
# In the order of the folders, so that the long files of `e2e` do not run alone at the end.
# What crashes is named and ends the run: a worker that is started again is never told to end.
PARALLEL ?= -n $(WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart=0
# With these set, pytest shows any difference whole: for megabytes, that takes it hours.
PYTEST = env -u CI -u BUILD_NUMBER $(BIN)/pytest
CEPH ?=
SERVERS ?=

.PHONY: help clients readers torch demo demo-short demo-sites test test-servers test-all check lint types imports format lock prices clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/uv: 
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 to 3.13 found; say PYTHON=/path/to/python" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"
	@touch $@

.venv/demo: .venv/uv requirements/demo.txt pyproject.toml
	@echo "setting up .venv (once)" >&2
	@test -e .venv/dev && test .venv/dev -nt requirements/demo.txt || $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/demo.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

.venv/dev: .venv/uv requirements/dev.txt pyproject.toml
	@echo "setting up .venv (once)" >&2
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

clients: .environments/clients/made ## other people's clients, for the tests that ask by them

# All of what the lock names and no more: it has already been resolved, and against an override.
.environments/clients/made: .venv/uv requirements/clients.txt
	@echo "setting up .environments/clients (once)" >&2
	@test -x .environments/clients/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .environments/clients
	@$(BIN)/uv pip sync --quiet --python .environments/clients/bin/python --require-hashes requirements/clients.txt
	@touch $@

readers: .environments/readers/made ## other people's readers of what an exit writes

.environments/readers/made: .venv/uv requirements/readers.txt
	@echo "setting up .environments/readers (once)" >&2
	@test -x .environments/readers/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .environments/readers
	@$(BIN)/uv pip sync --quiet --python .environments/readers/bin/python --require-hashes requirements/readers.txt
	@touch $@

torch: .environments/torch/made ## PyTorch, for the tests of models that answer in it

# pip, not uv: it takes the build for processors where the machine has been told of one.
.environments/torch/made: .venv/uv requirements/torch.txt pyproject.toml
	@echo "setting up .environments/torch (once)" >&2
	@test -x .environments/torch/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .environments/torch
	@$(BIN)/uv pip sync --quiet --python .environments/torch/bin/python --require-hashes requirements/torch.txt
	@$(BIN)/python -m pip --python .environments/torch/bin/python install --quiet --disable-pip-version-check "torch==2.13.0"
	@$(BIN)/uv pip install --quiet --python .environments/torch/bin/python --no-deps -e .
	@touch $@

demo: .venv/demo ## the whole loop on every flight of 2013, in a new folder that stays
	@$(BIN)/freehold demo --into $(DEMO) $(DEMO_ARGS)

demo-short: .venv/demo ## the same loop on a few weeks
	@$(BIN)/freehold demo --short --into $(DEMO) $(DEMO_ARGS)

demo-sites: .venv/dev ## three sites on S3, Azure and a folder; one is cut off (npm; root for real cuts)
	@tests/servers/install azurite
	@$(BIN)/python examples/three-sites/run.py drill $(DEMO_ARGS)

test: .venv/dev .environments/clients/made .environments/readers/made .environments/torch/made .environments/prices/made ## all tests that need no more than PyPI, with reduced counts; SERVERS=1 adds test-servers
	@test -z "$(SERVERS)" || tests/servers/install azurite
	@test -z "$(SERVERS)" || tests/servers/install prometheus
	@$(PYTEST) -q $(PARALLEL) -m "not long and not ceph$(if $(SERVERS),, and not servers)" $(PYTEST_ARGS)

test-servers: .venv/dev ## the others, as root with npm; CEPH=1 adds Debian's Ceph
	@tests/servers/install azurite
	@tests/servers/install prometheus
	@test -z "$(CEPH)" || tests/servers/install ceph
	@$(PYTEST) -q -m "(servers$(if $(CEPH), or ceph)) and not long" $(PYTEST_ARGS)

test-all: .venv/dev .environments/clients/made .environments/readers/made .environments/torch/made .environments/prices/made ## all tests, with full counts, on Ceph too
	@tests/servers/install azurite
	@tests/servers/install prometheus
	@tests/servers/install ceph
	@$(PYTEST) -q $(PARALLEL) $(PYTEST_ARGS)

check: .venv/dev lint types imports test ## format, lint, types, import contracts, budgets, tests

lint: .venv/dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: .venv/dev
	@$(BIN)/mypy

imports: .venv/dev
	@$(BIN)/lint-imports

format: .venv/dev ## put the code in its standard form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.environments/prices/made: .venv/uv requirements/prices.txt
	@echo "setting up .environments/prices (once)" >&2
	@test -x .environments/prices/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .environments/prices
	@$(BIN)/uv pip sync --quiet --python .environments/prices/bin/python --require-hashes requirements/prices.txt
	@touch $@

prices: .environments/prices/made ## make the shipped price tables anew
	@.environments/prices/bin/python -m tools.prices

lock: .venv/uv ## choose versions anew
	@for set in core: demo:--extra=demo dev:--extra=dev; do \
	  $(BIN)/uv pip compile pyproject.toml $${set#*:} --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --upgrade --quiet -o requirements/$${set%%:*}.txt; done
	@$(BIN)/uv pip compile tools/prices/packages.txt --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --upgrade --quiet -o requirements/prices.txt
	@$(BIN)/uv pip compile tests/clients/packages.txt --override tests/clients/overrides.txt --universal \
	  --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade --quiet -o requirements/clients.txt
	@$(BIN)/uv pip compile tests/readers/packages.txt --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --upgrade --quiet -o requirements/readers.txt
	@$(BIN)/uv pip compile pyproject.toml tests/torch_environment/packages.txt --extra=signing --extra=bom --universal \
	  --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade --quiet -o requirements/torch.txt
	@$(BIN)/python -m benchmarks.serving.environment --lock
	@$(BIN)/python -m benchmarks.peers.setup --lock

clean: ## remove what was made here, the environment too
	@rm -rf .venv .environments .mypy_cache .ruff_cache .import_linter_cache demo-flights
