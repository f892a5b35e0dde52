# Every target works on a fresh machine that has Python >= 3.10; tools live in .tools/, the collector in a cache.
.DEFAULT_GOAL := help
PYTHON ?= python3
UV := .tools/bin/uv
RUN := $(UV) run --frozen --no-sync
# Without bytecode each of the many processes of a test run compiles all that it imports, which doubles its time.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPATH := examples:tools$(if $(PYTHONPATH),:$(PYTHONPATH))

.PHONY: help setup demo test test-unit accuracy check bench peers gen format ends load detect triage

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

.tools/bin/uv:
	@echo "setting up: uv (the package installer) in .tools/"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed; set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'

.venv/.ready: .tools/bin/uv pyproject.toml uv.lock
	@echo "setting up: the project and its packages in .venv/"
	@$(UV) sync --frozen --python $(PYTHON)
	@touch $@

setup: .venv/.ready  ## virtual environment and packages

demo: .venv/.ready  ## which variable moved? the whole path in under two minutes
	@$(PYTHON) tools/toolchain.py demo
	@$(RUN) python -m demo $(ARGS)

# `make check` runs these.
CHECKED := --ignore=tests/semconv/test_semconv_names.py

test: .venv/.ready  ## the tests; the costly ones take turns (OTEL_AGENTOPS_ROTATION=all: all of them)
	@$(PYTHON) tools/toolchain.py all
	@$(RUN) python -m pytest $(CHECKED) $(ARGS)

# No client but openai's contract, no file that `make check` runs, and no collector, Prometheus or other environment.
UNIT := tests/test_layers.py tests/runtime tests/fake_provider tests/semconv tests/slo tests/lock \
	tests/clients/openai/test_openai_contract.py $(CHECKED) -m "not program and not slow and not demo"

test-unit: .venv/.ready  ## the quick tests, in about a minute: no collector, no Prometheus, one client
	@$(RUN) python -m pytest $(UNIT) $(ARGS)

# ruff does not read a file again when only the package around it changed, and that decides how imports are sorted.
check: .venv/.ready  ## format, lint, types, generated files, names
	@$(RUN) ruff format --check .
	@$(RUN) ruff check --no-cache .
	@$(RUN) mypy
	@$(RUN) python tools/style.py --check
	@$(RUN) python tools/generate.py --check
	@$(RUN) python tools/support.py --check
	@$(RUN) python -m pytest -n 0 $(patsubst --ignore=%,%,$(CHECKED))
	@$(RUN) otel-agentops slo generate --check
	@$(RUN) python tools/overlay.py --check
	@$(RUN) otel-agentops slo schema --out slo/schema.json --check

format: .venv/.ready  ## rewrite files as `check` wants them
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .

gen: .venv/.ready  ## names, docs and rules from semconv/ and slo/
	@$(RUN) python tools/generate.py
	@$(RUN) python tools/support.py
	@$(RUN) otel-agentops slo generate
	@$(RUN) python tools/overlay.py
	@$(RUN) otel-agentops slo schema --out slo/schema.json

accuracy: .venv/.ready  ## 100,000 tasks with known truth and two restarts: is every figure what was sent?
	@$(PYTHON) tools/toolchain.py all
	@ACCURACY_TASKS=$${ACCURACY_TASKS:-100000} $(RUN) python -m pytest -n 0 -s tests/accuracy $(ARGS)

bench: .venv/.ready  ## added microseconds per call, ours and others, one run
	@$(RUN) python -m bench.run $(ARGS)

load: .venv/.ready  ## what the overlay costs a collector, the base alone and with it
	@$(PYTHON) tools/toolchain.py otelcol
	@$(RUN) python -m bench.load $(ARGS)

detect: .venv/.ready  ## each variable moves: is it named, when, and are there false alarms?
	@$(PYTHON) tools/toolchain.py promtool
	@$(RUN) python -m bench.detect $(ARGS)

triage: .venv/.ready  ## what otel-agentops triage says of recorded incidents, and of one that really happens
	@$(PYTHON) tools/toolchain.py all
	@$(RUN) python -m pytest -n 0 tests/triage $(ARGS)

peers: .venv/.ready  ## the clients' own unit tests, with and without us; what the official instrumentations write
	@$(RUN) nox --session peers -- $(ARGS)
	@$(if $(ARGS),,$(RUN) python -m pytest -n 0 tests/coexistence/test_official.py)

ends: .venv/.ready  ## every client's tests at the oldest and the newest supported version
	@$(RUN) python tools/ends.py $(ARGS)
