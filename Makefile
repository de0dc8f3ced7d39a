# Two commands for a newcomer: `make run` and `make test`. Needs python3 (3.11 or newer) with venv, and make.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
# one more than there are cores: some test always waits for something
XDIST  ?= -n $(shell expr $$(nproc) + 1)

.PHONY: run test lint man messages deb image image-pi lock clean

run: $(VENV)/ready
	$(BIN)/backupmx demo $(ARGS)

# The tests start some hundred processes: what Python compiles is kept, whatever the environment says.
test: $(VENV)/ready-dev
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest $(XDIST) $(ARGS)

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell backupmx webui tests README.md

# After a change of texts on the page: what is new comes into every catalogue, to be translated there; what is gone goes.
# Then once more: what was translated is compiled. Another language: `mkdir -p webui/translations/de/LC_MESSAGES`, an empty
# messages.po in it, then this.
messages: $(VENV)/ready-dev
	mkdir -p build
	$(BIN)/pybabel -q extract -F webui/babel.cfg -k _l -k forms:1,2 --no-location --sort-output -o build/messages.pot .
	$(BIN)/pybabel -q update -N -w 120 --ignore-obsolete --ignore-pot-creation-date -i build/messages.pot -d webui/translations
	$(BIN)/pybabel -q compile -d webui/translations

# The manual pages, from the same source as --help.
man: $(VENV)/ready-dev
	$(BIN)/python image/manual.py dist/man

$(VENV)/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/ready-dev: requirements-dev.lock $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# The Debian packages, for both machines or `ARCH=amd64`; the same octets each time.
deb: $(VENV)/ready-dev
	$(BIN)/python image/deb/build.py $(if $(ARCH),--arch $(ARCH))

# The appliance's disk for a virtual machine or a mini-PC, and for a Raspberry Pi; as root. The same octets each time, as long
# as Debian's mirror is the same. See the head of image/build, for MIRROR and others.
image: $(VENV)/ready-dev
	$(MAKE) deb ARCH=amd64
	PYTHON=$(BIN)/python image/build amd64

image-pi: $(VENV)/ready-dev
	$(MAKE) deb ARCH=arm64
	PYTHON=$(BIN)/python image/build pi

# After a change of the ranges in pyproject.toml.
lock: $(VENV)/ready-dev
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --group build -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --group build --group dev -o requirements-dev.lock

clean:
	rm -rf $(VENV) dist
