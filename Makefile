# `make` alone prints what there is to do.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Tests, demo and run start many processes. Compiled modules halve what each start costs.
unexport PYTHONDONTWRITEBYTECODE

# Python before 3.13 cannot read the paths of the services in ASCII, where the folder's name has other letters.
ifneq ($(filter C POSIX,$(LC_ALL)),)
unexport LC_ALL
endif

VENV := .venv
BIN := $(VENV)/bin
SERVICES := core audio console api keeper worker client local
ARITHMETIC := services/worker/parley_worker/engines/onnx/arithmetic
SOURCES := services tests benchmarks chaos tools k8s
LOCKS := dev run api cluster worker worker-pyannote bench

# The first Python that is new enough and can make a virtual environment; `make PYTHON=... demo` picks another.
# A name on the PATH may be a shim that starts nothing, so each candidate is asked.
PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3.14 python3,$(shell \
	$(name) -c 'import ensurepip, sys, venv; print("$(name)") if (3, 11) <= sys.version_info < (3, 15) else 0' \
	2>/dev/null | sed '/^0$$/d')))

# Settings of the machine must not reach the installer: an activated environment, or another target folder.
UV := env -u VIRTUAL_ENV -u UV_PROJECT_ENVIRONMENT $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

##@ Use it

.PHONY: demo run observe
demo: $(VENV)/run.stamp  ## Set up, start everything, diarize the sample conversation, stop
	@$(BIN)/python -m parley_local demo

run: $(VENV)/run.stamp  ## Set up and serve: API on 127.0.0.1:7001, Flower on 127.0.0.1:5555; data in .parley
	@exec $(BIN)/python -m parley_local run

observe: $(VENV)/dev.stamp  ## Run, watched by Prometheus, Alertmanager and a collector of traces; objectives on 127.0.0.1:7005
	@exec $(BIN)/python -m tools.observability.observe

##@ Work on it

.PHONY: setup lint format types test fuzz browser screenshots dashboards structure clients
setup: $(VENV)/dev.stamp  ## Set up .venv with everything that running and developing need

lint: $(VENV)/dev.stamp  ## Check style, types, the import rules, alerts and dashboards, and the subjects of new commits
	@echo "lint: ruff"
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check --quiet $(SOURCES) || { echo "Not formatted: run 'make format'."; exit 1; }
	@$(MAKE) types
	@echo "lint: import rules"
	@$(BIN)/lint-imports --no-cache
	@echo "lint: metrics, alerts, dashboards"
	@$(BIN)/python -m tools.observability.lint
	@echo "lint: commit subjects"
	@$(BIN)/python -m tools.commit_subjects

types: $(VENV)/dev.stamp  ## Check types alone
	@echo "lint: mypy"
	@$(BIN)/mypy

format: $(VENV)/dev.stamp  ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix --quiet $(SOURCES) || true
	@$(BIN)/ruff format $(SOURCES)

# Tests wait for processes that they start: four at a time leave a quarter of two cores idle.
test: $(VENV)/dev.stamp  ## Run the unit, contract and integration tests; ARGS=... goes to pytest
	@$(BIN)/python -m pytest --numprocesses 5 --dist loadfile --no-loadscope-reorder $(ARGS)

fuzz: $(VENV)/dev.stamp  ## Submit changed recordings to an API for ten minutes; ARGS="--minutes 60 --first 1"
	@$(BIN)/python -m tools.fuzz $(ARGS)

clients: $(VENV)/dev.stamp  ## Generate clients in Python and TypeScript from the OpenAPI document, and run them (needs npm)
	@$(BIN)/python -m pytest tests/clients $(ARGS)

browser:  ## Install Chromium, which the tests of the console need (Debian, as root)
	@.ci/browser

screenshots: $(VENV)/dev.stamp  ## Take the pictures of the console again: docs/img/console-*.png, docs/img/timeline.svg
	@$(BIN)/python -m tools.screenshots

dashboards: $(VENV)/dev.stamp  ## Write the dashboards of the chart from tools/observability/dashboards
	@$(BIN)/python -m tools.observability.dashboards

structure: $(VENV)/dev.stamp  ## Measure how much there is to read: sizes, helpers, files on one path; ARGS=--json or --list
	@$(BIN)/python -m tools.structure $(ARGS)

##@ Measure it

.PHONY: bench bench-engine bench-real faults mutants security-controls
bench: $(VENV)/dev.stamp  ## Measure speed and memory; prints a table and writes bench.json
	@$(BIN)/python -m benchmarks

bench-engine: $(VENV)/dev.stamp  ## Measure engines side by side (ARGS=--help says more); writes bench/engine.json
	@$(BIN)/python -m benchmarks.engines $(ARGS)

bench-real: $(VENV)/dev.stamp  ## Measure errors on AMI, NOTSOFAR-1, PriMock57 and others: DATA=FOLDER; writes bench/real.json
	@$(BIN)/python -m benchmarks.real $(if $(DATA),"$(DATA)") $(ARGS)

faults: $(VENV)/dev.stamp  ## Every fault against 1,000 jobs and more (half an hour); writes docs/faults.md
	@$(BIN)/python -m chaos --write $(ARGS)

mutants: $(VENV)/dev.stamp  ## Take out one condition or write at a time, and name what no test notices (half an hour once)
	@$(BIN)/python -m tools.mutants $(ARGS)

security-controls: $(VENV)/dev.stamp  ## Take out one control at a time, and show that its test fails (ten minutes)
	@$(BIN)/python -m tools.security $(ARGS)

##@ Run it in Kubernetes

# Where .ci/tools puts helm, helm-docs, versitygw, Prometheus and an OpenTelemetry collector; it is on PATH for everything below.
TOOLS := $(or $(PARLEY_TOOLS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/parley-tools)/bin
observe faults security-controls images chart chart-readme e2e k8s-install: export PATH := $(TOOLS):$(PATH)

.PHONY: images chart chart-tools chart-readme e2e k8s-install
images: $(VENV)/dev.stamp  ## Build the images; REGISTRY=... names them, PUSH=1 pushes them, ENGINE=pyannote is for GPUs
	@$(BIN)/python -m k8s.images $(if $(ENGINE),--engine $(ENGINE)) $(if $(REGISTRY),--registry $(REGISTRY)) \
		$(if $(PUSH),--push)

chart: $(VENV)/dev.stamp  ## Check the chart: lint, rendered objects, refusals, alerts; what needs a missing tool skips
	@$(BIN)/python -m pytest tests/chart $(ARGS)

chart-tools:  ## Install the tools that these targets use into ~/.cache/parley-tools: fifteen minutes once, with Go
	@.ci/tools >/dev/null

chart-readme:  ## Write the chart's README from values.yaml
	@cd charts/parley && helm-docs --sort-values-order file --skip-version-footer --log-level warning

e2e: $(VENV)/dev.stamp  ## Prove the chart on the cluster that KUBECONFIG names; writes docs/kubernetes.md
	@$(BIN)/python -m pytest tests/cluster $(ARGS)

k8s-install: $(VENV)/dev.stamp  ## Check the cluster of KUBECONFIG and install the built images; ARGS=... for k8s.deploy
	@$(BIN)/python -m k8s.deploy install $(if $(wildcard build/images/values.yaml),--values build/images/values.yaml) \
		$(ARGS)

##@ Look after it

.PHONY: lock weights clean help
lock: $(VENV)/tools.stamp  ## Make requirements/*.txt anew from *.in
	@$(COMPILE) requirements/bootstrap.in --output-file requirements/bootstrap.txt
	@for name in $(LOCKS); do \
		echo "lock: $$name"; \
		constraint=; [ $$name = dev ] || constraint="--constraint requirements/dev.txt"; \
		$(COMPILE) $$constraint requirements/$$name.in --output-file requirements/$$name.txt || exit 1; \
	done
	@for name in requirements requirements-tus; do \
		$(COMPILE) tests/clients/$$name.in --output-file tests/clients/$$name.txt || exit 1; \
	done

weights: $(VENV)/dev.stamp  ## Make the 8-bit models from the released ones; prints their hashes
	@$(BIN)/python -m tools.weights

clean:  ## Remove the environment and caches; data in .parley stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache $(ARITHMETIC)/*.so
	@find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

help:
	@awk 'BEGIN {FS = ":.*##"; print "Usage: make TARGET"} \
		/^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*##/ {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- The environment: each stamp is newer than the locks it was made from ---

$(VENV)/tools.stamp: requirements/bootstrap.txt
	@[ -n "$(PYTHON)" ] || { echo "Parley needs Python 3.11 to 3.14 with venv (Debian: apt install python3-venv)."; exit 1; }
	@echo "setup: $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
		-r requirements/bootstrap.txt
	@touch $@

$(VENV)/run.stamp: $(VENV)/tools.stamp requirements/run.txt $(SERVICES:%=services/%/pyproject.toml) \
		services/worker/hatch_build.py $(ARITHMETIC)/arithmetic.c $(ARITHMETIC)/variants.py
	@echo "setup: packages that running needs"
	@$(INSTALL) --require-hashes --only-binary :all: -r requirements/run.txt
	@$(INSTALL) --reinstall --no-deps --no-build-isolation $(SERVICES:%=--editable services/%)
	@ls $(ARITHMETIC)/*.so >/dev/null 2>&1 || echo "setup: without a C compiler the engine takes up to three times as long." \
		"Install one (Debian: apt install gcc libc6-dev; macOS: xcode-select --install), then: make clean setup"
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements/dev.txt
	@echo "setup: packages that tests and checks need"
	@$(INSTALL) --require-hashes --only-binary :all: -r requirements/dev.txt
	@touch $@
