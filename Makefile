# The README needs two of these: `make demo` and `make test`. The others are listed in docs/development.md.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
MAKEFLAGS += --jobs=2
VENV := .venv
PY := $(VENV)/bin/python
NATIVE := $(wildcard prover/native/src/*.rs prover/native/Cargo.*)
NATIVE += $(wildcard prover/native/*/src/*.rs prover/native/*/src/*/*.rs prover/native/*/Cargo.toml)
PIP := -m pip install --quiet --constraint constraints.txt
MANIFEST := --manifest-path prover/native/Cargo.toml
WASM := wasm32-unknown-unknown
SLITHER := build/slither/bin/slither
HALMOS := build/halmos/bin/halmos
CIRCOMSPECT := build/circomspect/bin/circomspect
SOLIDITY := "contracts/src/**/*.sol"
TYPESCRIPT := "clients/typescript/{src,test}/*.{ts,mjs}"

.PHONY: help setup demo test test-native test-full soundness \
	slither halmos circomspect wasm-target check format generate bench keys clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11+ needed, found " + sys.version)'
	$(PYTHON) -m venv $(VENV)

# What pip serves, and beside it the native modules, in the environment in which pip then finds them built.
$(VENV)/.packages: constraints.txt | $(PY)
	$(PY) -m pip install --quiet --no-compile --requirement constraints.txt
	touch $@

$(VENV)/.crates: $(NATIVE) | $(PY)
	@command -v cargo >/dev/null || { echo "Rust is needed: cargo is not on PATH" >&2; exit 1; }
	PYO3_PYTHON="$(CURDIR)/$(PY)" PYO3_BUILD_EXTENSION_MODULE=1 cargo build --release --locked --quiet \
		--package zkmargin-native --package zkmargin-engine-native --features pyo3/extension-module $(MANIFEST)
	touch $@

# Python environment, with the native prover built into it.
$(VENV)/.installed: pyproject.toml setup.py $(VENV)/.packages $(VENV)/.crates
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PY) $(PIP) --no-build-isolation --editable '.[test]'
	touch $@

# circom, snarkjs, solc, OpenZeppelin and Anvil, all from npm.
node_modules/.installed: package.json package-lock.json | $(VENV)/.installed
	$(VENV)/bin/zkmargin setup --tools
	touch $@

setup: $(VENV)/.installed node_modules/.installed ## install everything, compile the circuits, make development keys
	$(VENV)/bin/zkmargin setup --preset mini --preset standard

demo: setup ## the main job on Anvil, at full size
	$(VENV)/bin/zkmargin demo

test: setup check test-native ## the tests, at most 15 minutes on 2 cores
	$(PY) -m pytest -m "not slow" -n 2 --dist loadfile --durations=15

test-native: $(VENV)/.installed ## the Rust tests
	cargo test --release --workspace --locked --quiet $(MANIFEST)

# Rust's target of the tests in WebAssembly.
wasm-target:
	@test -d "$$(rustc --print target-libdir --target $(WASM))" || rustup target add $(WASM)

test-full: setup check test-native wasm-target $(SLITHER) $(HALMOS) $(CIRCOMSPECT) ## also the slow suites
	$(PY) -m pytest -n 2 --dist loadfile --durations=25

soundness: setup ## attacks on circuits, policies and auditor, into build/soundness.json
	$(PY) -m tests.support.soundness

# Packages of slither and halmos are not those of the project: an environment of its own for each.
build/%/.installed: tests/support/%.txt
	$(PYTHON) -m venv build/$*
	build/$*/bin/python -m pip install --quiet --requirement $<
	touch $@

$(SLITHER): build/slither/.installed
$(HALMOS): build/halmos/.installed

$(CIRCOMSPECT):
	cargo install circomspect --version 0.9.0 --locked --quiet --root build/circomspect

slither: setup $(SLITHER) ## static analysis of the contracts, against the findings that have a reason
	$(PY) -m tests.support.slither $(CURDIR)/$(SLITHER)

halmos: setup $(HALMOS) ## the vault's accounting, bounds and packed words for every value
	$(PY) -m tests.support.symbolic $(CURDIR)/$(HALMOS)

circomspect: setup $(CIRCOMSPECT) ## static analysis of the circuits, against the warnings that have a reason
	$(PY) -m tests.support.circomspect $(CURDIR)/$(CIRCOMSPECT)

check: $(VENV)/.installed node_modules/.installed ## style, types, and generated files that are stale
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(PY) -m tests.support.types
	node_modules/.bin/prettier --log-level warn --check $(SOLIDITY) $(TYPESCRIPT)
	node_modules/.bin/solhint --disc --noPoster --max-warnings 0 $(SOLIDITY)
	cargo fmt --all --check $(MANIFEST)
	cargo clippy --release --workspace --all-targets --locked --quiet $(MANIFEST) -- -D warnings
	$(PY) -m zkmargin.scripts.generate --check

format: $(VENV)/.installed node_modules/.installed ## write every language as its formatter wants it
	$(VENV)/bin/ruff format .
	cargo fmt --all $(MANIFEST)
	node_modules/.bin/prettier --log-level warn --write $(SOLIDITY) $(TYPESCRIPT)

generate: $(VENV)/.installed ## write the generated files again
	$(PY) -m zkmargin.scripts.generate

bench: setup ## prover figures for mini and standard
	$(VENV)/bin/zkmargin bench

clean: ## remove what make built, keep the environments
	rm -rf build prover/native/target
