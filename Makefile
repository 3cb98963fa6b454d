SHELL := bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIND ?= 127.0.0.1:8000
ENV_FILE ?= ./.env
BIN := .venv/bin
STAMP := .venv/.requirements-installed
# Tests wait for engines most of the time: more processes than processors.
PROCESSES ?= 3
PARALLEL := --dist loadfile --no-loadscope-reorder
# The demo ignores this shell's settings and uses only .demo/
DEMO := env -u DATABASE_URL -u SECRET_KEY -u VECTORFERRY_SECRETS_KEYS -u ALLOWED_HOSTS -u CSRF_TRUSTED_ORIGINS -u VECTORFERRY_COMMAND \
  VECTORFERRY_DATA_DIR=.demo/console

.PHONY: help setup demo demo-stop demo-reset run test test-fast test-long check pictures bench bench-all

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## create .venv with everything the project needs (uv when there is one, else pip)

$(STAMP): requirements-dev.txt
	@echo "Installing what the project needs into .venv: a minute or two …"
	@if command -v uv >/dev/null; then \
	  [ -x $(BIN)/python ] || uv venv --quiet --python $(PYTHON) .venv; \
	  uv pip install --quiet --python $(BIN)/python -r $<; \
	else \
	  [ -x $(BIN)/pip ] || $(PYTHON) -m venv .venv; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<; \
	fi
	@touch $@

demo: setup ## a console with a PostgreSQL, a Qdrant, a Milvus and a finished migration to look at (EXIT=1: run it once and stop)
	@$(DEMO) $(BIN)/python manage.py demo $(if $(EXIT),--exit)

demo-stop: setup ## stop the demo and keep its data
	@$(DEMO) $(BIN)/python manage.py demo --stop

demo-reset: setup ## stop the demo, delete its data and start from scratch
	@$(DEMO) $(BIN)/python manage.py demo --reset $(if $(EXIT),--exit)

run: setup ## web (BIND=127.0.0.1:8000) and worker in the foreground, with the settings of .env; Ctrl-C stops both
	@set -a; \
	if [ -e $(ENV_FILE) ]; then \
	  . $(ENV_FILE); \
	  : "$${VECTORFERRY_COMMAND:=set -a; . $(ENV_FILE); set +a; $(BIN)/python manage.py}"; \
	fi; \
	set +a; \
	$(BIN)/python manage.py migrate --verbosity 0 || exit; \
	$(BIN)/gunicorn console.wsgi --bind $(BIND) & web=$$!; \
	$(BIN)/python manage.py worker & worker=$$!; \
	trap 'kill -TERM $$web $$worker 2>/dev/null' INT TERM EXIT; \
	wait -n; ended=$$?; kill -TERM $$web $$worker 2>/dev/null; wait; exit $$ended

test: check ## every test, in parallel; those about the console's own database again on PostgreSQL
	@$(BIN)/python -m pytest $(PARALLEL) -n $(PROCESSES)
	@$(BIN)/python -m tests.engines.on_postgres $(PARALLEL) -n logical -m database

test-fast: setup ## every test that needs neither an engine nor a browser: under three minutes
	@$(BIN)/python -m pytest $(PARALLEL) -n logical -m "not engine and not browser and not long"

test-long: setup ## many more examples for each property, and random tables through real engines: half an hour
	@$(BIN)/python -m pytest $(PARALLEL) -n $(PROCESSES) --hypothesis-profile=long -m "hypothesis or long"

check: setup ## lint, format, types, import contracts, templates, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djade --check --target-version 5.2 $$(find templates -name '*.html')
	$(BIN)/python manage.py makemigrations --check --dry-run

pictures: setup ## take the README's pictures again (needs Chromium)
	@$(BIN)/python -m docs.pictures

bench: setup ## PostgreSQL into Milvus, compared with the target's ceiling and a hand-written script: three minutes
	@$(BIN)/python -m benchmarks

bench-all: setup ## also reading, texts, growth, memory, request sizes, slices and JSON: half an hour (benchmarks/README.md)
	@$(BIN)/python -m benchmarks all
