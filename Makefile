# Two commands for a newcomer: `make run` and `make test`. Needs python3 (3.11 or newer) with venv, and make.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
XDIST  ?= -n auto

.PHONY: run test lint lock clean

run: $(VENV)/ready
	$(BIN)/backupmx demo $(ARGS)

test: $(VENV)/ready-dev
	$(BIN)/python -m pytest $(XDIST) $(ARGS)

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell backupmx webui tests README.md

$(VENV)/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/ready-dev: requirements-dev.lock $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# After a change of the ranges in pyproject.toml.
lock: $(VENV)/ready-dev
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --group build -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --group build --group dev -o requirements-dev.lock

clean:
	rm -rf $(VENV) dist
