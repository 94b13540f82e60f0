# Rollcall. `make help` lists every target.

PYTHON ?= python3
BIN := .venv/bin
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header --annotation-style line --upgrade
TEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder # a module stays on one worker, which starts its server once

# The demo's database. As root, it runs as a user of its own, who may not be able to reach the checkout (in /root, say).
DEMO = $(shell if [ "$$(id -u)" != 0 ] || su -s /bin/sh nobody -c 'test -x "$$0"' "$(CURDIR)" 2>/dev/null; \
	then echo "$(CURDIR)/.demo"; else echo "/var/lib/rollcall-demo-$$(echo "$(CURDIR)" | cksum | cut -d' ' -f1)"; fi)

.DEFAULT_GOAL := help

.PHONY: help
help: ## List every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/.installed: requirements.lock pyproject.toml
	@echo "Installing $(words $(shell grep -o '^[a-z0-9-]*==' requirements.lock)) packages into .venv. This takes about half a minute …"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: install
install: .venv/.installed ## Create .venv with the locked dependencies

.PHONY: demo
demo: install ## Import two sample files into a demo subscription and serve it (ARGS="--port 8321", ARGS=--no-serve)
	@echo "The demo keeps its data in $(DEMO). To start afresh, run: make clean demo"
	@ROLLCALL_DATA_DIR="$(DEMO)" $(BIN)/rollcall demo $(ARGS)

.PHONY: test
test: install ## Run the tests, on the embedded PostgreSQL or on ROLLCALL_TEST_DATABASE_URL (ARGS go to pytest)
	$(TEST) -m "not slow" $(ARGS)

.PHONY: test-slow
test-slow: install ## Run the slow tests: Chromium in the console, schemathesis, embedded and killed servers, imports in a terminal, the wheel
	$(TEST) -m slow $(ARGS)

.PHONY: test-machine
test-machine: install ## Run two administrators and a worker against a model, for longer than the tests do (ARGS="--minutes 15 --steps 60")
	$(BIN)/python -m tests.adapters.machine $(ARGS)

.PHONY: test-database
test-database: install ## Run only the tests that use the database
	$(TEST) -m "database and not slow" $(ARGS)

.PHONY: test-clients
test-clients: install ## Generate clients of the API with real generators, type-check and run them (needs Node.js and the network)
	$(BIN)/pytest tests/clients/generated.py $(ARGS)

.venv-bench/.installed: requirements-bench.lock
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@

.PHONY: bench
bench: install .venv-bench/.installed ## Measure how fast everything is, next to what could be (ARGS="--quick --against REV --json FILE")
	$(BIN)/python -m tests.bench $(ARGS)

.PHONY: test-kills
test-kills: install ## Kill workers and connections at random during imports and undos, and count what was lost or doubled (ARGS="--minutes 15 --seed 1")
	$(BIN)/python -m tests.kills $(ARGS)

.PHONY: test-alterations
test-alterations: install ## Alter a log in every way, ten thousand times, and look whether it is found (ARGS="--count 10000 --untouched 1000 --seed 1")
	$(BIN)/python -m tests.alterations $(ARGS)

.PHONY: screenshots
screenshots: install ## Take screenshots of the console's pages into screenshots/ (ARGS="review 320 dark" selects some)
	$(BIN)/python -m tests.adapters.console.screenshots $(ARGS)

.PHONY: lint
lint: install ## Run ruff, mypy --strict and import-linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: install ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: lock
lock: install ## Update the lock files: names, versions and hashes only
	$(LOCK) --group dev pyproject.toml -o requirements.lock
	$(LOCK) --group bench -o requirements-bench.lock

.PHONY: clean
clean: ## Stop the demo, and remove it and everything else that was made here
	@[ ! -d "$(DEMO)" ] || [ ! -x $(BIN)/python ] || $(BIN)/python -m adapters.cli.stop_demo "$(DEMO)"
	rm -rf "$(DEMO)" .venv .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
