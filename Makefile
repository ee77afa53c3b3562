# Everything runs in a virtual environment of its own, made on first use.
#   make quickstart     the main job: search, compare, export
#   make test           the tests
# make help lists the rest.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The CPU build of torch, installed before all else: a dependency of another package
# on plain "torch" would bring gigabytes of CUDA libraries. Where pip's index has the
# CUDA build under this name, pass the index of the CPU builds in PIP_EXTRA_INDEX_URL
# or a local file here.
TORCH ?= torch==2.13.0
CONSTRAINTS ?= constraints.txt
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# One thread per process: test workers and searches share the cores already.
RUN := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 MPLBACKEND=agg
# Each worker takes a run of neighbouring tests, which share fixtures, and steals from the
# other at the end.
PYTEST := $(RUN) $(BIN)/python -m pytest -n 2 --dist worksteal
ORT_WEB := .cache/onnxruntime-web
EXAMPLES := $(sort $(wildcard examples/plot_*.py))

.DEFAULT_GOAL := help
.PHONY: help quickstart serve-demo test test-all test-slow test-oldest test-browser \
        test-clients test-federated test-clusters mutants lint types examples docs docstrings \
        bench dist clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

# One stamp an extra: the quickstart needs no test tools.
$(VENV)/.torch: $(CONSTRAINTS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) $(TORCH)
	@touch $@

$(VENV)/.run: pyproject.toml $(VENV)/.torch
	$(PIP_INSTALL) -c $(CONSTRAINTS) -e ".[plot,onnx]" pandas rich
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.torch
	$(PIP_INSTALL) -c $(CONSTRAINTS) -e ".[test]"
	@touch $@

$(VENV)/.browser: pyproject.toml $(VENV)/.torch
	$(PIP_INSTALL) -c $(CONSTRAINTS) -e ".[browser]"
	@touch $@

# The npm package whose onnxruntime runs in the page; the tests skip where npm is absent.
$(ORT_WEB)/package/package.json:
	mkdir -p $(ORT_WEB)
	-cd $(ORT_WEB) && npm pack --silent onnxruntime-web@1.30.0 && tar xzf onnxruntime-web-*.tgz

$(VENV)/.serve: pyproject.toml $(VENV)/.torch
	$(PIP_INSTALL) -c $(CONSTRAINTS) -e ".[onnx,serve]" pandas
	@touch $@

.venv-clients/.clients: tests/constraints-clients.txt
	test -x .venv-clients/bin/python || $(PYTHON) -m venv .venv-clients
	.venv-clients/bin/python -m pip install --quiet --disable-pip-version-check \
	    -c $< "tritonclient[http,grpc]" kserve schemathesis
	@touch $@

.venv-federated/.federated: tests/constraints-federated.txt pyproject.toml
	test -x .venv-federated/bin/python || $(PYTHON) -m venv .venv-federated
	.venv-federated/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	.venv-federated/bin/python -m pip install --quiet --disable-pip-version-check \
	    -c $< -e ".[federated,files]" pytest
	@touch $@

$(VENV)/.clusters: pyproject.toml $(VENV)/.torch
	$(PIP_INSTALL) -c $(CONSTRAINTS) -e ".[test,dask,ray,optuna]"
	@touch $@

$(VENV)/.mutants: pyproject.toml $(VENV)/.torch
	$(PIP_INSTALL) -c $(CONSTRAINTS) -e ".[mutants]"
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.torch
	$(PIP_INSTALL) -c $(CONSTRAINTS) -e ".[dev]"
	@touch $@

$(VENV)/.build:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) build
	@touch $@

quickstart: $(VENV)/.run  ## install, and run examples/quickstart.py
	$(RUN) $(BIN)/python examples/quickstart.py --figure quickstart.png

serve-demo: $(VENV)/.serve  ## train, export and serve two models; it prints the address
	$(RUN) $(BIN)/python examples/serve_demo.py $(ARGS)

test: $(VENV)/.test  ## install, and run the tests but the slow ones and those in a browser
	$(PYTEST) -m "not slow and not browser and not clusters" $(ARGS)

test-all: $(VENV)/.test  ## run every test
	$(PYTEST) $(ARGS)

test-slow: $(VENV)/.test  ## run the slow tests alone
	$(PYTEST) -m "slow and not browser and not clusters" $(ARGS)

# The tests skip what is absent: chromium and chromedriver are the system's.
test-browser: $(VENV)/.browser $(ORT_WEB)/package/package.json  ## run the tests of pages in chromium
	ONNXRUNTIME_WEB=$(CURDIR)/$(ORT_WEB)/package $(RUN) $(BIN)/python -m pytest \
	    -m browser $(ARGS)

test-oldest:  ## run the common tests and some of each family with the oldest versions
	$(MAKE) test VENV=.venv-oldest CONSTRAINTS=tests/constraints-oldest.txt \
	    ARGS='-m "oldest and not slow"'

test-clients: $(VENV)/.test .venv-clients/.clients  ## ask the server with others' clients
	CLIENTS_PYTHON=$(CURDIR)/.venv-clients/bin/python \
	    $(RUN) $(BIN)/python -m pytest tests/serving/server/test_clients.py

# Without what the other tests share: Flower's environment lacks most of their packages.
test-federated: .venv-federated/.federated  ## train with Flower's apps, and with real processes
	FLWR_TELEMETRY_ENABLED=0 $(RUN) .venv-federated/bin/python -m pytest --noconftest \
	    tests/scale/federated/test_apps.py tests/scale/federated/test_processes.py $(ARGS)

# One process: the clusters have workers of their own.
test-clusters: $(VENV)/.clusters  ## run searches on clusters of Dask and Ray on this machine
	$(RUN) $(BIN)/python -m pytest -m clusters $(ARGS)

mutants: $(VENV)/.mutants  ## break MODULE in many ways, list what TESTS miss (hours)
	$(RUN) $(BIN)/python tests/run_mutants.py $(MODULE) $(TESTS)

lint: $(VENV)/.dev  ## look for faults and foreign formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev  ## check the type annotations
	$(BIN)/mypy

examples: $(VENV)/.dev  ## run every example without showing its pictures
	@set -e; for file in $(EXAMPLES); do echo "$$file"; \
	    $(RUN) $(BIN)/python -W error::DeprecationWarning $$file > /dev/null; done

docs: $(VENV)/.dev  ## build the documentation; a warning is an error
	$(RUN) $(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

docstrings: $(VENV)/.dev  ## write the shared docstring entries into the classes
	$(BIN)/python docs/_write_docstrings.py

bench: $(VENV)/.test  ## print the benchmarks that need no data (minutes)
	$(BIN)/python benchmarks/importing.py
	$(BIN)/python benchmarks/fit.py
	$(BIN)/python benchmarks/search.py
	$(BIN)/python benchmarks/predict.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/exporting.py

dist: $(VENV)/.build  ## build a wheel and a source archive into dist/
	$(BIN)/python -m build --outdir dist .

clean:  ## remove what these targets made
	rm -rf .venv .venv-oldest .venv-clients .venv-federated .cache build dist *.egg-info docs/_build docs/auto_examples \
	    docs/generated .pytest_cache .ruff_cache .mypy_cache quickstart.png
