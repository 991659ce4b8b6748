# Each target does its own set-up: Python 3.11+, git and make are all that is needed.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
NODE   := $(patsubst %,tests/%/node_modules/.ready,foreign browser)

.PHONY: demo test check bench format lock clean

$(READY): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Countersign needs Python 3.11 or newer; name one with: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: $(READY)  ## the whole product on this machine, nothing configured
	$(BIN)/countersign demo $(ARGS)

# Servers that nobody here wrote, and axe-core. Where there is no npm the tests that need them are skipped and say so.
tests/%/node_modules/.ready: tests/%/package-lock.json
	if command -v npm >/dev/null; then npm --prefix tests/$* ci --no-audit --no-fund --loglevel=error && touch $@; fi

test: $(READY) $(NODE)  ## every test, on real servers at free ports
	$(BIN)/pytest $(ARGS)

check: $(READY)  ## format, lint, types, imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## what it costs, a line of JSON for each figure: docs/benchmarks.md
	$(BIN)/python -m tests.bench $(ARGS)

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:  ## resolves every dependency anew
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet pip-tools
	$(VENV)-lock/bin/pip-compile --quiet --strip-extras --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --extra embedded --extra dev --output-file requirements.lock pyproject.toml
	rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) data tests/*/node_modules
