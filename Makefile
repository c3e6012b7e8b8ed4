# Clause: `make run` shows it, `make test` proves it. Each target does its own set-up; the second time it starts at once.
SHELL := /bin/sh
PY := .venv/bin/python
PORT ?= 8000
HOST ?= 127.0.0.1
LOCAL ?=
NAME ?=
ONLY ?=
ARGS ?=

PO := $(wildcard panel/locale/*/LC_MESSAGES/*.po panel/accounts/locale/*/LC_MESSAGES/*.po)
MO := $(PO:.po=.mo)

.PHONY: help setup runtime run demo code test test-fast test-browser check fix story picture bench prove messages catalogues lock clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## the virtual environment with every tool
	@.ci/install dev

runtime:
	@.ci/install runtime

run: runtime catalogues ## the whole panel in one process (PORT=8000 HOST=127.0.0.1 LOCAL=1)
	@HOST='$(HOST)' PORT='$(PORT)' LOCAL='$(LOCAL)' exec $(PY) manage.py serve $(ARGS)

demo: runtime catalogues ## renew the demo world
	@HOST='$(HOST)' PORT='$(PORT)' $(PY) manage.py demo $(ARGS)

code: ## the present second factor of the demo world's staff
	@$(PY) manage.py demo --code

test: setup catalogues ## every test: pages and browsers on SQLite, stories on PostgreSQL with Redis where they are installed
	@$(PY) tests/support/suite.py $(ARGS)

test-fast: setup catalogues ## the plain tests, on SQLite
	@$(PY) tests/support/suite.py --fast $(ARGS)

test-browser: setup catalogues ## what headless Chromium sees
	@$(PY) -m pytest -q -m browser $(ARGS)

story: setup catalogues ## one story, told line by line (NAME=part_of_its_name)
	@test -n '$(NAME)' || { echo 'which one? make story NAME=part_of_its_name'; exit 2; }
	@$(PY) -m pytest -v -rA --no-header -k '$(NAME)' tests/stories $(ARGS)

check: setup catalogues ## linters, types, floors, migrations, deployment check, templates
	@.ci/check

fix: setup ## what the linters can mend by themselves
	@$(PY) -m ruff check --fix . || true
	@$(PY) -m ruff format .

picture: setup catalogues ## takes the README's picture anew
	@$(PY) tests/support/picture.py

bench: setup catalogues ## the benchmarks (ONLY=bench_page)
	@$(PY) bench/run.py $(ONLY) $(ARGS)

prove: setup catalogues ## changes each number of the terms and demands that a story fails
	@$(PY) tests/support/prove.py $(ARGS)

messages: setup ## brings the catalogues to what the sources say (docs/how-to/translate.md)
	@$(PY) -m tests.support.messages

catalogues: $(MO)

%.mo: %.po | runtime
	@$(PY) -m babel.messages.frontend compile -i $< -o $@ 2>/dev/null && echo "compiled $@"

lock: ## pins anew what the .in files name
	@.venv/bin/uv pip compile requirements.in --universal --python-version 3.11 --generate-hashes --no-header -q \
	  -o requirements.lock
	@.venv/bin/uv pip compile requirements-dev.in --universal --python-version 3.11 --generate-hashes --no-header -q \
	  -o requirements-dev.lock

clean: ## removes what tools left behind, not the data
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
