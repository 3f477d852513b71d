# Two commands: `make demo` runs the main job on a cloud of this machine, `make test` passes the tests.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python -W error::SyntaxWarning
READY = $(VENV)/.ready
DBT_READY = .venv-dbt/.ready
WORKERS ?= 3
FAR = $(if $(DISTANCE),--distance)
COVERED = $(if $(COVER),--cov --cov-report=term:skip-covered)
APART = tests/dbt tests/localcloud tests/faults tests/chaos tests/deployed tests/terraform

.DEFAULT_GOAL := help
.PHONY: help setup packages demo up test test-dbt test-localcloud mutants stories test-faults test-terraform test-deployed test-runtime check docs smoke bench chaos clean

help: ## these lines
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

setup: packages $(READY) $(DBT_READY) ## a virtual environment with everything that is needed

ENGINE = localcloud/bigquery/googlesql/requirements.txt

$(READY): requirements.txt tests/requirements.txt $(ENGINE)
	@echo "Two virtual environments are made, once: about three minutes, 1.5 GB on disk, and the network."
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(ENGINE)
	$(VENV)/bin/python -m localcloud.bigquery.googlesql
	@touch $@

# dbt's pins differ from the function's, so it lives apart.
$(DBT_READY): dbt/requirements.txt
	$(PYTHON) -m venv .venv-dbt
	.venv-dbt/bin/python -m pip install --quiet --disable-pip-version-check -r dbt/requirements.txt
	@touch $@

packages:
	@PYTHON=$(PYTHON) sh localcloud/packages.sh

demo: setup ## hours of changes, from the warehouse to the partner, and the proof (DISTANCE=1: as far as in the cloud)
	$(RUN) -m localcloud.demo $(FAR)

up: setup ## the local cloud, kept running for experiments by hand
	$(RUN) -m localcloud.demo --stay $(FAR)

test: setup ## the tests of every module, of the chain and of operation (COVER=1: measure which lines they run)
	$(RUN) -m pytest -n $(WORKERS) $(APART:%=--ignore=%) $(COVERED) $(PYTEST)

test-dbt: setup ## dbt's models: hours of raw rows, written and generated, in DuckDB and in the local BigQuery
	$(RUN) -m pytest -n $(WORKERS) tests/dbt $(PYTEST)

mutants: setup ## one change at a time of dbt's SQL, each of which a test has to notice: half an hour
	$(RUN) -m tests.dbt.mutants

stories: setup ## longer generated stories of raw rows than the tests have, some in the local BigQuery: an hour
	PSPP_DBT_STORIES=20 PSPP_DBT_HOURS=24 PSPP_DBT_BIGQUERY_STORIES=2 $(RUN) -m pytest -n $(WORKERS) tests/dbt/test_generated.py $(PYTEST)

test-localcloud: setup ## the cloud on one machine: what its services answer and refuse
	$(RUN) -m pytest -n $(WORKERS) tests/localcloud $(PYTEST)

test-faults: setup ## the fault table and a small chaos run: every step broken in every way, then the message again
	$(RUN) -m pytest tests/faults tests/chaos $(PYTEST)

test-terraform: setup ## the deployment as Terraform would make it, where terraform and its checker are installed
	$(RUN) -m pytest tests/terraform $(PYTEST)

test-deployed: setup ## the deployed source, with its requirements alone
	$(RUN) -m pytest tests/deployed $(PYTEST)

test-runtime: ## unit, chain and operation tests on Debian 13: Python 3.13 as deployed, GnuPG 2.4 (as root)
	.ci/deployed-runtime build/tests-runtime.xml

check: setup ## linting, strict types, rules of imports
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy main.py pipeline localcloud tests
	$(VENV)/bin/lint-imports

docs: setup ## the tables of docs/reference.md, from the code
	$(RUN) -m tests.docs

smoke: setup ## every kind of call once against a real project (PROJECT=... DATASET=...), beside the local cloud's answers
	$(RUN) -m tests.smoke $(PROJECT) $(DATASET) $(SMOKE)

chaos: setup ## many hours with kills, drops and duplicates; then an audit
	$(RUN) -m tests.chaos

bench: setup ## measurements against what people use today
	$(RUN) -m tests.bench

clean: ## forget the virtual environment and what tests left
	rm -rf $(VENV) .venv-dbt .pytest_cache .mypy_cache .ruff_cache .hypothesis build
