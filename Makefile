# Two commands do everything: `make interpret` and `make test`. Both make the environment first, if it is not there.
VENV ?= .venv
# The first python3 that is not the environment's own: that one has no pip, and `activate` puts it first.
PYTHON ?= $(shell PATH="$$(printf %s "$$PATH" | tr ':' '\n' | grep -vxF '$(abspath $(VENV))/bin' | paste -sd: -)"; command -v python3)
BIN := $(VENV)/bin
ARGS ?=

NAMES ?= meta,chat

.PHONY: interpret test test-all lint spliceai extras demo bench clean
.DEFAULT_GOAL := interpret

interpret: $(VENV)/.core  ## interpret a variant: make interpret ARGS="--set variant=chr17-43047642-C-T genome=GRCh38"
	$(BIN)/python -m agentic_spliceai.run graphs/interpret_variant.yaml $(ARGS)

test: $(VENV)/.dev  ## the test suite, without what is slow
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist worksteal $(ARGS)

test-all: $(VENV)/.dev  ## the whole test suite
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

# mypy does not follow package-dir, so it reads a copy in the layout of the installed package.
lint: $(VENV)/.dev  ## style and types (the direction of imports is a test)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	rm -rf build/layout && mkdir -p build/layout && cp -R agentic_spliceai build/layout/
	cp -R tools graphs prompts configs build/layout/agentic_spliceai/
	cd build/layout && ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache

spliceai: $(VENV)/.core  ## SpliceAI's weights (CC BY-NC 4.0), from its own package
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check -c constraints.txt h5py
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --no-deps spliceai==1.3.1

extras: $(VENV)/.core  ## what training and a chat on a language model need: make extras NAMES=meta,chat,mcp
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(NAMES)]'

demo: $(VENV)/.core  ## write the synthetic minigene again
	$(BIN)/python -m agentic_spliceai.demo.minigene

bench: $(VENV)/.dev  ## variants and genes a second, beside the peers where they are installed
	$(BIN)/python benchmarks/speed.py $(ARGS)

# venv without its own pip also works where the system leaves ensurepip out; --python lets the outer pip install into it.
$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "agentic-spliceai needs Python 3.11 or later")'
	$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/.core: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check -c constraints.txt torch
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.core
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
