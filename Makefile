# Fresh machine: Python 3.11 or newer and make. `make run` does the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := sora_gateway tests migrations

.DEFAULT_GOAL := help
.PHONY: help run demo doctor backup test test-thorough lint types check kill-test test-e2e screenshots test-proxies test-clients test-peers fuzz soak bench wheel pyz wheel-test pyz-test fmt docs config schema lock vendor vendor-check clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

# --- environments ------------------------------------------------------------------------------------
# A stamp for what runs and one for what develops: each is made again when its lock file changes.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime.stamp: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/runtime.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

# Programs of others, each with its own dependencies and nothing of ours. Made from nothing, so that no package stays behind.
CLIENTS := tests/clients
CLIENT_STAMPS := $(foreach name,openai-3 openai-2.54 live,.venv-clients/$(name)/ready.stamp)

.venv-clients/%/ready.stamp: $(CLIENTS)/requirements/%.txt | $(BIN)/python
	rm -rf $(@D)
	$(BIN)/python -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv-fuzz/ready.stamp: $(CLIENTS)/requirements/fuzz.txt | $(BIN)/python
	rm -rf $(@D)
	$(BIN)/python -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv-pyz/ready.stamp: deploy/pyz/requirements.txt | $(BIN)/python
	rm -rf $(@D)
	$(BIN)/python -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv-peers/litellm/ready.stamp: tests/peers/requirements/litellm.txt | $(BIN)/python
	rm -rf $(@D)
	$(BIN)/python -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(CLIENTS)/node/node_modules/ready.stamp: $(CLIENTS)/node/package-lock.json
	cd $(CLIENTS)/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# --- using it ----------------------------------------------------------------------------------------

run: $(VENV)/runtime.stamp ## install and start the gateway on http://127.0.0.1:8000
	@exec $(BIN)/sora-gateway serve

demo: $(VENV)/runtime.stamp ## make one simulated video in the terminal
	@exec $(BIN)/sora-gateway demo

doctor: $(VENV)/runtime.stamp ## look whether everything is as it should be, without spending anything
	@exec $(BIN)/sora-gateway doctor

backup: $(VENV)/runtime.stamp ## keep a copy of everything in kept/, and the six before it; the gateway may run meanwhile
	@exec $(BIN)/sora-gateway backup kept --keep 7

# --- shipping it -------------------------------------------------------------------------------------

wheel: $(VENV)/dev.stamp ## build the wheel into dist/
	$(BIN)/python -m build --wheel --outdir dist .

pyz: $(VENV)/dev.stamp .venv-pyz/ready.stamp ## build dist/sora-gateway.pyz: one file, for this Python version and this kind of system
	rm -rf build/pyz
	$(BIN)/python -m build --wheel --outdir build/pyz/dist .
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --target build/pyz/site -r requirements.lock
	rm -rf build/pyz/site/bin  # scripts for this machine; what pyz starts is named below
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target build/pyz/site build/pyz/dist/*.whl
	mkdir -p dist
	.venv-pyz/bin/shiv --reproducible --site-packages build/pyz/site --console-script sora-gateway --python "/usr/bin/env python3" --output-file dist/sora-gateway.pyz

# --- checking it -------------------------------------------------------------------------------------

# Three processes on two cores, because much of what they do is waiting; what measures comes after them and has the machine
# for itself.
# EXAMPLES is what hypothesis does: it explores, or takes the same examples each time (fixed). See tests/conftest.py.
test: EXAMPLES ?= explore
test: $(VENV)/dev.stamp ## run the tests, on both cores (EXAMPLES=explore or fixed)
	$(BIN)/python -m pytest --hypothesis-profile $(EXAMPLES) --numprocesses 3 --dist worksteal -m "not measures"
	$(BIN)/python -m pytest --hypothesis-profile $(EXAMPLES) -m measures

test-thorough: $(VENV)/dev.stamp ## run the tests that draw examples, with ten times as many
	$(BIN)/python -m pytest --hypothesis-profile thorough --numprocesses 2 --dist worksteal --timeout 900 -m "hypothesis or draws"

lint: $(VENV)/dev.stamp ## look for mistakes and wrong formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp ## check the types, strictly
	$(BIN)/mypy

check: lint types vendor-check test ## everything but the wheel

kill-test: $(VENV)/dev.stamp ## kill the gateway everywhere, with faults and again in recovery; 10,000 updates over 30 kills; 100 rounds for the last credit; 1,000 followers of 500 events; 200 peers that never read beside 2,000 that do; 600 people when it is told to stop; 20 backups under load, each restored
	$(BIN)/python -m pytest --kills=full tests/test_kills.py tests/test_kills_full.py tests/test_acknowledged.py tests/test_last_credit.py tests/test_every_event_once.py tests/test_stuck_peers.py tests/test_shutdown_crowd.py tests/test_backup_under_load.py

test-clients: $(VENV)/dev.stamp $(CLIENT_STAMPS) $(if $(shell command -v npm 2>/dev/null),$(CLIENTS)/node/node_modules/ready.stamp) ## try OpenAI's own Python and Node SDKs, also where answers are lost; others' WebSocket and event stream clients; AsyncAPI's schema on /asyncapi.json
	$(BIN)/python -m tests.clients
	$(BIN)/python -m tests.clients.snippets
	$(BIN)/python -m tests.clients.live
	$(BIN)/python -m tests.clients.asyncapi

test-peers: $(VENV)/dev.stamp .venv-peers/litellm/ready.stamp ## try LiteLLM's proxy as an upstream and in front of us, and list what it cannot do
	$(BIN)/python -m tests.peers

test-e2e: $(VENV)/dev.stamp ## walk through the page in a real browser (the system's chromium)
	$(BIN)/python -m pytest --e2e --numprocesses 2 --dist worksteal tests/e2e

test-proxies: $(VENV)/dev.stamp ## try deploy/proxies with the system's nginx, Caddy and HAProxy in front of a gateway
	$(BIN)/python -m pytest --proxies tests/proxies

screenshots: $(VENV)/dev.stamp ## take a picture of every screen into build/screenshots, and a few for the README into docs/pictures
	$(BIN)/python -m tests.e2e.screenshots

fuzz: FUZZ_SECONDS ?= 180
fuzz: FUZZ_SEED ?= 1
fuzz: $(VENV)/dev.stamp .venv-fuzz/ready.stamp ## throw what the API's description allows, and what it does not, at a gateway (FUZZ_SECONDS, FUZZ_SEED)
	$(BIN)/python -m tests.clients.fuzz --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)

soak: SECONDS ?= 300
soak: SEED ?= 1
soak: $(VENV)/dev.stamp ## kill a gateway at work every 5 to 40 s, and look at everything in the end (SECONDS, SEED)
	$(BIN)/python -m tests.soak --seconds $(SECONDS) --seed $(SEED)

bench: $(VENV)/dev.stamp ## measure start-up, store, polling, jobs in flight, live updates, the API and the page against references
	@mkdir -p build/bench
	@missed=0; for name in startup store polling inflight fanout api page; do \
		$(BIN)/sora-gateway bench $$name --json build/bench/$$name.json || missed=1; \
	done; exit $$missed

wheel-test: $(VENV)/dev.stamp ## build the wheel and try it in an empty environment
	.ci/wheel-test $(BIN)/python

pyz-test: pyz ## try dist/sora-gateway.pyz in an empty directory, without the environment
	.ci/pyz-test $(BIN)/python

# --- rewriting what is generated -----------------------------------------------------------------------

fmt: $(VENV)/dev.stamp ## format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

docs: $(VENV)/dev.stamp ## rewrite what is generated: parts of README and docs, config.example.toml, schema.sql
	$(BIN)/python -m tests.generated

config: $(VENV)/dev.stamp ## rewrite config.example.toml from the settings
	$(BIN)/python -m tests.generated config.example.toml

schema: $(VENV)/dev.stamp ## rewrite migrations/schema.sql from the migrations
	$(BIN)/python -m tests.generated migrations/schema.sql

lock: ## resolve the dependencies anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
		--custom-compile-command "make lock" --extra media --upgrade -o requirements.lock pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
		--custom-compile-command "make lock" --extra media --extra otel --extra sentry --group dev --constraint requirements.lock --upgrade -o requirements-dev.lock pyproject.toml
	for name in $(CLIENTS)/requirements/openai-3 $(CLIENTS)/requirements/openai-2.54 $(CLIENTS)/requirements/live $(CLIENTS)/requirements/fuzz tests/peers/requirements/litellm deploy/pyz/requirements; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
			--custom-compile-command "make lock" --upgrade -o $$name.txt $$name.in || exit 1; \
	done

vendor: ## fetch the page's browser modules anew (needs npm)
	$(PYTHON) static/vendor/refresh.py

vendor-check: ## compare the page's browser modules with their hashes
	$(PYTHON) static/vendor/check.py

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) .venv-clients .venv-fuzz .venv-peers .venv-pyz $(CLIENTS)/node/node_modules build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
