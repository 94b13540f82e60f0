# Rollcall. `make help` lists every target.

PYTHON ?= python3
BIN := .venv/bin
TEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder # one worker a module, which starts its server once

.DEFAULT_GOAL := help

.PHONY: help
help: ## List every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: install
install: .venv/.installed ## Make the virtual environment with the locked dependencies

.PHONY: demo
demo: install ## Import the two samples into a demo subscription, and serve it, on the embedded PostgreSQL (ARGS=--no-serve ends)
	$(BIN)/rollcall demo $(ARGS)

.PHONY: test
test: install ## Run the tests, on the embedded PostgreSQL or on ROLLCALL_TEST_DATABASE_URL (ARGS go to pytest)
	$(TEST) -m "not slow" $(ARGS)

.PHONY: test-slow
test-slow: install ## Run the others: a Chromium in the console, schemathesis, servers that die, imports in a terminal
	$(TEST) -m slow $(ARGS)

.PHONY: test-database
test-database: install ## Run the tests that touch the database alone
	$(TEST) -m "database and not slow" $(ARGS)

.PHONY: benchmark
benchmark: install ## Measure the append against raw COPY in the same run
	$(BIN)/python -m tests.benchmark_append

.PHONY: benchmark-http
benchmark-http: install ## Measure what 32 clients meet, with and without a large commit beside them
	$(BIN)/python -m tests.benchmark_http

.PHONY: benchmark-licences
benchmark-licences: install ## Measure 100,000 licences in one request: seconds, memory, and how long others wait
	$(BIN)/python -m tests.benchmark_licences

.PHONY: screenshots
screenshots: install ## Write every page of the console as pictures to screenshots/ (ARGS choose: review 320 dark)
	$(BIN)/python -m tests.adapters.console.screenshots $(ARGS)

.PHONY: lint
lint: install ## Run ruff, mypy --strict and import-linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: install ## Lay the code out
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: lock
lock: install ## Lock the dependencies anew: names, versions and hashes only
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --group dev pyproject.toml --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --annotation-style line --upgrade -o requirements.lock

.PHONY: clean
clean: ## Remove everything that was made here
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
