# Every target sets up what it needs. `make help` lists them.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
BENCH_READY := .venv/.bench-ready
BENCH_JSON := benchmarks.json
DEMO := demo.duckdb
STAR := drewgranhamsr
LOCATION := US
BIGQUERY_FAULTS := $(addprefix tests/bigquery/test_, call_faults.py bigquery_kills.py bigquery_conflicts.py)
END_TO_END := $(addprefix tests/pipeline/test_, job.py daily.py gap_runs.py fill_gaps.py)
TEMPLATE_METADATA := templates/metadata.json
export UV_PYTHON_DOWNLOADS := never

.DEFAULT_GOAL := help
.PHONY: help setup emulators demo test test-fast test-bigquery verify-bigquery test-dataflow lint format docs
.PHONY: bench bench-full lock image template clean test-repeat test-faults fuzz planted-bugs sbom

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with the locked dependencies and the project

$(READY): requirements/uv.lock requirements/dev.lock pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "expected Python 3.11 to 3.13, found $$($(PYTHON) -V 2>&1): name one with make PYTHON=..."; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	  || { echo "Python lacks venv: apt-get install python3-venv"; exit 2; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -c 'import pipeline.main, pipeline.warehouse.duckdb_query'
	@touch $@

emulators: $(READY) ## make .venv-emulators, for the tests of BigQuery, where there is a Python 3.13
	PYTHONPATH=tests $(BIN)/python -m emulators.environment

demo: $(READY) ## generate a league into ./demo.duckdb, backfill it, show a row of 37 features
	$(BIN)/feature-store demo --warehouse $(DEMO)
	$(BIN)/feature-store backfill --warehouse $(DEMO) --start-date 2021-10-01 --end-date 2024-06-30
	$(BIN)/feature-store explain --warehouse $(DEMO) --player $(STAR) --date 2024-03-01

test: emulators ## run the whole suite
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-dataflow: $(READY) ## run the checks of packaging, template and Dataflow jobs alone
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/dataflow

test-repeat: $(READY) ## run the end-to-end tests once more, every bundle three times
	$(BIN)/python -m pytest -n 2 --dist worksteal --bundle-repeat 2 $(END_TO_END)

test-faults: emulators ## run every fault: all kill points, calls and seeds, more than an hour
	$(BIN)/python -m pytest -n 2 --dist worksteal --exhaustive tests/faults $(BIGQUERY_FAULTS)
	$(MAKE) test-repeat

fuzz: $(READY) ## fuzz import and flags with new examples, some minutes
	$(BIN)/python -m pytest -n 2 --dist worksteal --hypothesis-profile fuzz tests/faults/test_fuzz.py

planted-bugs: $(READY) ## plant every bug of the table and show which test saw it
	$(BIN)/python tests/planted_bugs.py

sbom: $(READY) ## print the bill of materials of what runs, CycloneDX
	@$(BIN)/python requirements/sbom.py requirements/run.lock

test-fast: emulators ## run the suite without the slow tier
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-bigquery: emulators ## run what speaks to BigQuery, on loopback
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/bigquery

verify-bigquery: $(READY) ## ask a real, empty project what no emulator shows: PROJECT=... [LOCATION=US] [TEMP=gs://...]
	@test -n "$(PROJECT)" || { echo "name an empty project: make verify-bigquery PROJECT=..."; exit 2; }
	PYTHONPATH=tests $(BIN)/python -m verify.bigquery_project \
	  "bigquery://$(PROJECT)?location=$(LOCATION)$(if $(TEMP),&temp=$(TEMP))"

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## rewrite the sources in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## renew what is generated: parts of docs/, the template's metadata
	$(BIN)/python -c 'from pipeline.warehouse.dialect.reference import renew_document; renew_document("docs/sql.md")'
	$(BIN)/python -c 'from pipeline.dataflow.metadata import write_metadata; write_metadata("templates/metadata.json")'

$(BENCH_READY): $(READY) requirements/bench.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/bench.lock
	@touch $@

bench: $(BENCH_READY) ## measure the job beside its baselines, about a quarter of an hour
	$(BIN)/python -m benchmarks all --json $(BENCH_JSON)

bench-full: $(BENCH_READY) ## the same with the large leagues, some hours
	$(BIN)/python -m benchmarks all --full --json $(BENCH_JSON)

lock: $(READY) ## renew the locked dependencies
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.11 \
	  requirements/uv.in -o requirements/uv.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.11 \
	  requirements/build.in -o requirements/build.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.11 \
	  pyproject.toml -o requirements/run.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.11 \
	  pyproject.toml --extra dev -o requirements/dev.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.11 \
	  pyproject.toml --extra bench -o requirements/bench.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.13 \
	  requirements/emulators.in -o requirements/emulators.lock

image: ## build the image of launcher and workers in the cloud: make image IMAGE=REGION-docker.pkg.dev/P/R/N:TAG
	@case '$(IMAGE)' in *:latest|'') false;; *:*|*@sha256:*) ;; *) false;; esac \
	  || { echo "expected IMAGE=NAME:TAG with a tag of its own, found '$(IMAGE)'"; exit 2; }
	gcloud builds submit --config templates/cloudbuild.yaml --substitutions '_IMAGE=$(IMAGE)' .

template: image ## build the image and the flex template: make template IMAGE=... TEMPLATE=gs://BUCKET/NAME.json
	@case '$(TEMPLATE)' in gs://*/*.json) ;; *) false;; esac \
	  || { echo "expected TEMPLATE=gs://BUCKET/NAME.json, found '$(TEMPLATE)'"; exit 2; }
	gcloud dataflow flex-template build '$(TEMPLATE)' --image '$(IMAGE)' --sdk-language PYTHON \
	  --metadata-file $(TEMPLATE_METADATA)

clean: ## remove what the targets made
	rm -rf .venv .venv-emulators build dist *.egg-info $(BENCH_JSON) $(DEMO) $(DEMO).wal $(DEMO).staging
