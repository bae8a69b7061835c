# make walkforward and make test do all their own set-up; they are quick when it is done.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PEERS := .venv-peers
PEERS_LOCK := tests/benchmarks/peers/requirements.lock
NAUTILUS := .venv-nautilus
NAUTILUS_LOCK := tests/benchmarks/peers/requirements-nautilus.lock
PYTEST := $(BIN)/python -m pytest
UV_VERSION := 0.13.8

.PHONY: setup walkforward test lint format benchmark slow chaos peers pythons picture coverage lock clean

walkforward: $(VENV)/run.stamp
	$(BIN)/python -m admf_ray.launch +experiment=walkforward

setup: $(VENV)/test.stamp

# A process for each of two cores; what a file makes once is made once, as its tests stay together.
test: $(VENV)/test.stamp
	$(PYTEST) -n 2 --dist loadfile

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/test.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Rows of peers bring .venv-peers and .venv-nautilus up to date by themselves.
benchmark: $(VENV)/test.stamp
	$(BIN)/python -m tests.benchmarks $(if $(ONLY),--only "$(ONLY)")

# pytest exits 5 where no test carries the marker.
slow chaos: $(VENV)/test.stamp
	$(PYTEST) -m $@ || test $$? -eq 5

peers: $(VENV)/test.stamp $(PEERS)/peers.stamp $(NAUTILUS)/peers.stamp
	$(PYTEST) -m $@

# The suite on every Python that is declared and installed, each in a .venv of its own.
pythons:
	set -e; for version in 3.11 3.12 3.13; do \
		if python$$version --version >/dev/null 2>&1; then $(MAKE) test PYTHON=python$$version VENV=.venv-$$version; \
		else echo "no python$$version on this machine: not tested"; fi; \
	done

picture: $(VENV)/test.stamp
	$(BIN)/python notebooks/picture.py

coverage: $(VENV)/test.stamp
	NUMBA_DISABLE_JIT=0 $(BIN)/coverage run -m pytest
	$(BIN)/coverage report

# Where the venv module is missing (Debian splits it off), virtualenv does the same.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); $(PYTHON) -m virtualenv $(VENV); } || { \
		rm -rf $(VENV); $(PYTHON) -m pip install --quiet --target $(VENV)-tool virtualenv && \
		PYTHONPATH=$(VENV)-tool $(PYTHON) -m virtualenv $(VENV) && rm -rf $(VENV)-tool; }

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(VENV)/bin/python
	test -f $(VENV)/test.stamp || $(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/test.stamp: requirements-test.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements-test.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

# Other platforms, in environments of their own: what they depend on is no business of ours, nor of each other.
$(PEERS)/peers.stamp: $(PEERS_LOCK)
$(NAUTILUS)/peers.stamp: $(NAUTILUS_LOCK)
$(PEERS)/peers.stamp $(NAUTILUS)/peers.stamp:
	$(MAKE) VENV=$(@D) $(@D)/bin/python
	$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r $<
	touch $@

lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet uv==$(UV_VERSION)
	$(VENV)-lock/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
		--extra build --extra test --custom-compile-command "make lock" --output-file requirements-test.lock
	$(VENV)-lock/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
		--extra build --constraint requirements-test.lock --custom-compile-command "make lock" --output-file requirements.lock
	$(VENV)-lock/bin/uv pip compile $(PEERS_LOCK:.lock=.in) --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" --output-file $(PEERS_LOCK)
	$(VENV)-lock/bin/uv pip compile $(NAUTILUS_LOCK:.lock=.in) --quiet --universal --python-version 3.11 --generate-hashes \
		--emit-build-options --custom-compile-command "make lock" --output-file $(NAUTILUS_LOCK)
	rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) $(PEERS) $(NAUTILUS) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
