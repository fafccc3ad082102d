# wattest: nothing but Python >= 3.11, make and a package index is needed.
# Every target makes .venv itself when it is missing or older than the lock file.

PYTHON ?= python3
JOBS ?= auto
ARGS ?=
PORT ?=
BOARD ?= esp32-devkitc
NAME ?=
YES ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
PYTEST := $(BIN)/python -m pytest --quiet --numprocesses $(JOBS) --dist worksteal

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo flash test test-long check format benchmark clean

help:  ## show this list
	@echo "wattest: test bench for meter nodes that are paid by what they measure"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | \
	  while IFS='|' read -r name text; do printf '%-18s %s\n' "$$name" "$$text"; done
	@echo
	@echo "PYTHON=python3.13 picks the interpreter, JOBS=2 the test processes,"
	@echo "ARGS=... is passed on to the command (make demo ARGS='--seed 7')."

demo: $(STAMP)  ## the wind-farm story on emulated boards, live in this terminal
	@$(BIN)/wattest demo $(ARGS)

flash: $(STAMP)  ## flash a board and enrol it: PORT=/dev/ttyUSB0 BOARD=esp32-devkitc
	@test -n "$(PORT)" || \
	  { echo "make flash: which port? make flash PORT=/dev/ttyUSB0 BOARD=$(BOARD)" >&2; exit 2; }
	@$(BIN)/wattest flash --port "$(PORT)" --board "$(BOARD)" $(ARGS)
	@$(BIN)/wattest provision --port "$(PORT)" --board "$(BOARD)" \
	  $(if $(NAME),--name "$(NAME)") $(if $(YES),--yes)

test: $(STAMP)  ## all tests but the full counts (8 minutes at most)
	@$(PYTEST) -m "not long" $(ARGS)

test-long: $(STAMP)  ## the full counts: sweeps, kills, mutations, soaks (40 minutes at most)
	@$(PYTEST) -m long $(ARGS)

check: $(STAMP)  ## format, lint, types, import contracts, firmware build, tidy, docs
	@echo "check: format" && $(BIN)/ruff format --quiet --check .
	@echo "check: lint" && $(BIN)/ruff check --quiet .
	@echo "check: types" && $(BIN)/mypy --no-error-summary
	@echo "check: import contracts" && $(BIN)/lint-imports --no-logo > $(VENV)/imports.txt \
	  || { cat $(VENV)/imports.txt; exit 1; }
	@echo "check: firmware, tidy, imports, docs" && $(PYTEST) tests/test_firmware_build.py \
	  tests/test_tidy.py tests/test_imports.py tests/test_docs.py

format: $(STAMP)  ## put the code into the house format
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

benchmark: $(STAMP)  ## measure the numbers the project promises, beside their references
	@$(BIN)/python bench/benchmarks/run.py $(ARGS)

clean:  ## remove everything that was made, .venv too
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache snapshot_report.html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) > /dev/null || \
	  { echo "wattest needs Python 3.11 or newer; no $(PYTHON) found: make PYTHON=/path/to/python" \
	  >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "wattest needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V 2>&1 | cut -c8-):" \
	  "make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "[1/3] virtual environment in $(VENV), once" >&2
	@$(PYTHON) -m venv $(VENV)
	@echo "[2/3] $$(grep -c '==' requirements.lock) locked packages, a minute or two" >&2
	@$(PIP) install --require-hashes -r requirements.lock
	@echo "[3/3] wattest itself" >&2
	@$(PIP) install --no-build-isolation --no-deps -e .
	@touch $@
