# Everything lands in this folder: .venv (packages), .jars (the broker), .nepse (the stack's state).
# Needs make, Python 3.11 or newer with its venv module, and the network for the first run.

PYTHON ?= python3
DATA ?=
SESSIONS ?=
PAIRS ?=
TOPICS ?=
ROUNDS ?= 5
BIN := .venv/bin
READY := .venv/.ready
ifeq ($(wildcard $(HOME)/.),)
export UV_CACHE_DIR ?= $(CURDIR)/.venv/.cache
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test tools faults told real guards lint bench skill up down clean lock

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-7s %s\n", $$1, $$2}' Makefile

demo: $(READY)  ## the whole loop, live; DATA=<folder or URL> for real files, SESSIONS=<n> played live
	@$(BIN)/nepse demo $(if $(DATA),--data "$(DATA)") $(if $(SESSIONS),--sessions $(SESSIONS))

test: lint tools  ## everything that must pass: format, lint, types, layers, tests on real servers
	@$(BIN)/pytest

# A Chromium for the tests of the page, promtool for those of the rules; tests that miss theirs are skipped.
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable
APT := timeout 300 apt-get -qq -o Acquire::http::Timeout=20 -o Acquire::Retries=1 -o DPkg::Lock::Timeout=60
tools:
	@missing=chromium; \
	for one in $${NEPSE_BROWSER:-$(BROWSERS)}; do ! command -v "$$one" >/dev/null || missing=; done; \
	command -v promtool >/dev/null || missing="$$missing prometheus"; \
	[ -n "$$missing" ] || exit 0; \
	command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] || { \
		echo "only root on Debian installs what tests need; those that need this are skipped:" $$missing; exit 0; }; \
	mkdir -p .venv; $(APT) update >.venv/apt.log 2>&1; \
	for package in $$missing; do \
		echo "installing $$package from Debian, which tests need"; \
		DEBIAN_FRONTEND=noninteractive $(APT) -y install --no-install-recommends $$package >>.venv/apt.log 2>&1 || \
			echo "that failed, so tests are skipped (.venv/apt.log): $$(tail -n 1 .venv/apt.log)"; \
	done

faults: $(READY)  ## faults in the running system, over an hour; writes docs/reference/faults.md
	@$(BIN)/pytest -q -s tests/faults --rounds $(ROUNDS) --faults-report docs/reference/faults.md

told: $(READY)  ## how soon people see and are told what goes wrong; writes docs/reference/alerts.md
	@$(BIN)/pytest -q -s tests/acceptance/test_seen_and_told.py --told-report docs/reference/alerts.md

real: $(READY)  ## the whole history and all daily files of NEPSE_DATA through every flow; writes docs/reference/real-files.md
	@$(BIN)/pytest -q tests/acceptance/whole.py --timeout 7200

guards: $(READY)  ## takes each guard out and sees its test fail; writes docs/reference/guards.md
	@$(BIN)/python -m tests.guards --write

lint: $(READY)  ## format, lint, types and layers only
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m events.schemas --check
	@$(BIN)/python -m events.asyncapi --check
	@$(BIN)/python -m tasks.core.feature_reference --check

bench: $(READY)  ## join, features, backfill, wide, alerts, models, readers, beside their peers; writes docs/reference/benchmarks.md; TOPICS=<names>, PAIRS=<n>
	@$(BIN)/python -m bench $(TOPICS) --write $(if $(PAIRS),--pairs $(PAIRS))

skill: $(READY)  ## forecasts beside persistence over the history of NEPSE_DATA; writes docs/reference/skill.md
	@$(BIN)/python -m bench.skill --last-test --write

up: $(READY)  ## start the local stack
	@$(BIN)/nepse up

down:  ## stop the local stack
	@if [ -x $(BIN)/nepse ]; then $(BIN)/nepse down; fi

clean: down  ## stop the stack; remove its state, the packages and the broker
	@rm -rf .venv bench/.venv .nepse .jars .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

lock: $(READY)  ## resolve the dependencies anew into requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --upgrade \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet \
		--output-file requirements.lock
	@echo "requirements.lock is new; the next make installs it"

# pip installs uv alone, uv the rest: it takes a quarter of pip's time. Both check every hash.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11, or missing: make PYTHON=/path/to/a/newer/python3"; exit 1; }
	@echo "making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv || { echo "Python lacks its venv module (Debian: apt install python3-venv)"; exit 1; }
	@awk '/^uv==/{keep=1} keep{print} keep && !/\\$$/{exit}' requirements.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.lock
	@echo "fetching the packages of requirements.lock (about 600 MB the first time)"
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-build-isolation --no-deps --editable .
	@$(BIN)/python -m infra.stack.jars
	@touch $@
