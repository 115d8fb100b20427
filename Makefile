# What can be done with this project; every target prepares .venv by itself where it must.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.NOTPARALLEL:
# Packages of another Python must not get into ours.
unexport PYTHONPATH PYTHONHOME
# Without compiled files every process, and every one of pytest's workers, would compile all anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
STAMP := .venv/sf-sync.stamp
MANIFEST := dbt_project/target/manifest.json
# Folders too: they change when a model is removed.
MODELS := $(shell find dbt_project -mindepth 1 \( -name target -o -name logs \) -prune -o \
	\( -type d -o -name '*.sql' -o -name '*.yml' \) -print 2>/dev/null)

# For make/setup.sh; empty means that it looks for one.
export PYTHON ?=

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-13s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: $(MANIFEST) ## prepare .venv and the dbt manifest; PYTHON=… names the Python to use
	@:

.PHONY: demo
demo: setup ## run everything on a local Salesforce org, with no account; ARGS=--exit ends by itself
	@exec $(BIN)/sf-sync demo $(ARGS)

.PHONY: clean-demo
clean-demo: setup ## stop what the demo left and delete its data
	@exec $(BIN)/sf-sync demo --forget

.PHONY: check
check: setup ## format, lint, types, import rules
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@said=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$said"; exit 1; }

.PHONY: test
test: check ## check, then the quick tests
	@exec $(BIN)/pytest -m "not proof" -n 3 --dist loadfile $(ARGS)

.PHONY: proof
proof: setup ## the long tests: whole days of data, killed processes, a fresh clone
	@$(BIN)/pytest -m "proof and not alone" -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)
	@exec $(BIN)/pytest -m "proof and alone" $(ARGS)

.PHONY: acceptance
acceptance: setup ## the tests that start from a fresh clone
	@exec $(BIN)/pytest sf_sync_tests/acceptance $(ARGS)

.PHONY: bench
bench: setup ## measure
	@exec $(BIN)/python -m bench $(ARGS)

.PHONY: migration
migration: setup ## write the migration from the tables as they are to store/tables.py; m="what changes"
	@test -n '$(m)' || { echo 'make migration: say what changes, as in make migration m="add run times"' >&2; exit 1; }
	@exec $(BIN)/sf-sync migration '$(m)'

.PHONY: migrate
migrate: setup ## bring the database up to date
	@exec $(BIN)/sf-sync migrate

.PHONY: lock
lock: $(STAMP) ## resolve pyproject.toml into requirements.lock
	@$(BIN)/uv lock
	@$(BIN)/uv export --quiet --frozen --no-emit-project --no-header --output-file requirements.lock

.PHONY: manifest
manifest: $(MANIFEST) ## what Dagster knows of the dbt models
	@:

$(MANIFEST): $(STAMP) $(MODELS)
	@$(BIN)/sf-sync dbt parse

# The script knows whether there is something to do; where there isn't, the stamp stays as old as it is.
.PHONY: force
$(STAMP): force
	@make/setup.sh
