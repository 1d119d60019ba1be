# Everything that is done with this shop, by name. `make run` and `make test` need Python 3.11+ alone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps
MANAGE := $(BIN)/python manage.py
# Workers of the test run: one a core.
WORKERS ?= auto
# Of `make load`, `make fuzz`, `make last-unit` and `make crash`.
USERS ?= 10
SECONDS ?= 30
EXAMPLES ?= 100
ROUNDS ?= 200
RUNS ?= 50
# Of `make timing`: answers of each kind.
EACH ?= 1000
# Of `make soak`: so many examples in all, dealt out to so many parts, each with a seed of its own.
SOAK ?= 2000
STEPS ?= 80
PARTS ?= 20
# Of `make injection`: strings of the corpus for each operation, dealt to its parameters.
STRINGS ?= 2000
# Of `make canaries`.
PEOPLE ?= 200

.DEFAULT_GOAL := help
.PHONY: help setup run test check gates pins holes lint format types imports personal migrations \
        openapi fuzz injection canaries last-unit crash races soak timing bench limiter books search \
        imports-load cache load demo replay shell lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.dev ## Make .venv and install everything from the lock, with hashes

run: $(VENV)/.run ## Run the shop on http://127.0.0.1:$PORT (8000); Ctrl-C stops all of it
	@$(MANAGE) up

test: $(VENV)/.dev ## Run every test on servers of its own (ARGS="-k cart" for some)
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup $(ARGS)

gates: export CI := true
gates: pins lint types imports personal migrations openapi ## All that CI does but the tests

check: gates test ## All that CI does

pins: $(VENV)/.dev ## What is installed is what the locks say, and none of it is known to be open
	@$(BIN)/python -m tests.dependencies

# Not among our pins: it wants a network, and to stand in a place of its own (pipx install pip-audit).
holes: ## Ask an online database for holes in the locks, by pip-audit where there is one
	@command -v pip-audit > /dev/null || { \
	  echo "Nothing was asked: no pip-audit on the PATH (pipx install pip-audit)." >&2; exit 2; }
	@pip-audit --disable-pip --require-hashes --requirement requirements-dev.lock

lint: $(VENV)/.dev ## Style and likely mistakes
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(VENV)/.dev ## Mend what can be mended by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(VENV)/.dev ## Types, strictly
	@SHOP_ENV=test $(BIN)/mypy

imports: $(VENV)/.dev ## Apps import downwards and by their doors only
	@$(BIN)/lint-imports --no-cache

personal: $(VENV)/.dev ## Every text of every table has a class: what it holds of people
	@SHOP_ENV=test $(MANAGE) pii_audit

migrations: $(VENV)/.dev ## Models and migrations agree, and run beside the release before
	@SHOP_ENV=test $(MANAGE) makemigrations --check --dry-run
	@$(BIN)/pytest -q tests/integration/shop/test_migrations.py

openapi: $(VENV)/.dev ## Write docs/openapi.yaml; in CI, fail where that changes it
	@SHOP_ENV=test $(MANAGE) spectacular --file $(VENV)/openapi.yaml --fail-on-warn
	@if [ -n "$(CI)" ]; then diff -u docs/openapi.yaml $(VENV)/openapi.yaml; \
	else cp $(VENV)/openapi.yaml docs/openapi.yaml; fi

fuzz: $(VENV)/.dev ## Every operation of the OpenAPI document, 100 examples each (EXAMPLES=100)
	@FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -q tests/e2e/test_schema_fuzz.py --timeout 3600

injection: $(VENV)/.dev ## 2,000 hostile strings at each operation, into docs/operations/injection-runs.md
	@rm -f .injection.jsonl
	@LOG_LEVEL=CRITICAL INJECTION=$(STRINGS) INJECTION_REPORT=$(CURDIR)/.injection.jsonl \
	  $(BIN)/pytest -q -n $(WORKERS) --show-capture=no --timeout 0 $(ARGS) \
	  tests/injection -k no_string
	@$(BIN)/python -m tests.injection.report .injection.jsonl docs/operations/injection-runs.md

canaries: $(VENV)/.dev ## 200 marked people through every journey, into docs/operations/canary-runs.md
	@rm -f .canaries.jsonl
	@CANARIES=$(PEOPLE) CANARIES_REPORT=$(CURDIR)/.canaries.jsonl \
	  $(BIN)/pytest -q --show-capture=no --timeout 7200 tests/integration/orders/test_canary.py
	@$(BIN)/python -m tests.integration.orders.canary_report .canaries.jsonl \
	  docs/operations/canary-runs.md

last-unit: $(VENV)/.dev ## Fifty shoppers after one unit, 200 times (ROUNDS=200)
	@LAST_UNIT_ROUNDS=$(ROUNDS) $(BIN)/pytest -q tests/e2e/test_last_unit.py --timeout 3600

crash: $(VENV)/.dev ## Kill the shop at every line and in every part (RUNS=50 KINDS="points postgres")
	@$(BIN)/python -m tests.crash $(KINDS) --runs $(RUNS) $(ARGS)

races: $(VENV)/.dev ## Every race with its full figures, into docs/operations/race-runs.md (ARGS="-k a03")
	@rm -f .races.jsonl
	@RACES=full RACES_REPORT=$(CURDIR)/.races.jsonl $(BIN)/pytest -q -n $(WORKERS) \
	  --dist loadgroup --timeout 0 $(ARGS) \
	  tests/races tests/e2e/test_no_oversell.py tests/e2e/test_last_unit.py
	@$(BIN)/python -m tests.races.report .races.jsonl docs/operations/race-runs.md

soak: $(VENV)/.dev ## The state machine for hours, into docs/operations/soak.md (SOAK=2000 STEPS=80)
	@rm -f .soak.jsonl
	@SOAK_EXAMPLES=$(SOAK) SOAK_STEPS=$(STEPS) SOAK_SHARDS=$(PARTS) \
	  RACES_REPORT=$(CURDIR)/.soak.jsonl $(BIN)/pytest -q -n $(WORKERS) --timeout 0 \
	  tests/races/machine -k does_what
	@$(BIN)/python -m tests.races.report .soak.jsonl docs/operations/soak.md

timing: $(VENV)/.dev ## Does the time of log-in, registration or reset tell who is known? (EACH=1000)
	@$(BIN)/python -m tests.load.timing --each $(EACH)

bench: $(VENV)/.dev ## Each path against its limit, to docs/operations/benchmarks.md
	@$(BIN)/python -m tests.load.bench --write docs/operations/benchmarks.md

limiter: $(VENV)/.dev ## What the rate limit costs a call, into docs/operations/rate-limit.md
	@$(BIN)/python -m tests.load.limiter --write docs/operations/rate-limit.md

books: $(VENV)/.dev ## Time the reconciliations of 100,000 orders (ARGS="--orders 1000")
	@$(BIN)/python -m tests.load.books $(ARGS)

imports-load: $(VENV)/.dev ## Time an import of 100,000 variants, and the same again (ARGS=…)
	@$(BIN)/python -m tests.load.imports $(ARGS)

search: $(VENV)/.dev ## Time lists and searches as the catalogue grows (ARGS="--sizes 10000")
	@$(BIN)/python -m tests.load.search $(ARGS)

cache: $(VENV)/.dev ## The faults of the cache in full, into docs/operations/cache-runs.md
	@rm -f .cache.jsonl
	@CACHE_FAULTS=full RACES_REPORT=$(CURDIR)/.cache.jsonl $(BIN)/pytest -q --timeout 600 $(ARGS) \
	  tests/integration/shop/test_cache_faults.py tests/integration/shop/test_retries.py \
	  tests/integration/catalog/test_unknown_ids.py \
	  tests/e2e/test_cache_under_fire.py tests/e2e/test_seen_everywhere.py
	@$(BIN)/python -m tests.races.report .cache.jsonl docs/operations/cache-runs.md

load: $(VENV)/.dev ## Shoppers by the dozen against a shop of its own
	@$(BIN)/python -m tests.load.journey --users $(USERS) --seconds $(SECONDS)

demo: $(VENV)/.run ## Bring the demo catalogue back to how it was
	@$(MANAGE) load_demo --reset

replay: $(VENV)/.run ## Replay a wholesaler's invoices (HISTORY=file) and reconcile
	@test -n "$(HISTORY)" || { echo "make replay HISTORY=path-to-online-retail-csv"; exit 2; }
	@$(MANAGE) replay_history "$(HISTORY)" --format online_retail_csv
	@$(MANAGE) sales_report --by month --format csv
	@$(MANAGE) reconcile_inventory

shell: $(VENV)/.run ## A Python shell with the shop in it
	@$(MANAGE) shell

lock: $(VENV)/.dev ## Pin what requirements*.txt allow, with hashes
	@for file in requirements requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    $$file.txt --output-file $$file.lock || exit 1; \
	done

clean: ## Remove .venv, caches and the local shop's data
	rm -rf $(VENV) .local .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis \
	  .schemathesis htmlcov .coverage staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: done again only when a lock changes. What developing needs includes what running needs.
$(VENV)/.run: requirements.lock | $(BIN)/python
	@echo "Installing from requirements.lock …"
	@$(PIP) -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock | $(BIN)/python
	@echo "Installing from requirements-dev.lock …"
	@$(PIP) -r requirements-dev.lock
	@touch $@ $(VENV)/.run

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || { \
	  echo "shop: Python 3.11 or later is needed; $(PYTHON) is not. Set it: make PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "shop: $(PYTHON) cannot make a venv (Debian: apt-get install python3-venv)." >&2; exit 1; }
