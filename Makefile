# Every target does its own set-up; `make help` lists them.

VENV := .venv
PY := $(VENV)/bin/python
DEMO := examples/nine_steps/demo.py
BENCH := bench/run.py
PYTEST_ARGS ?= -n 2

# The first of these that really runs and is new enough (a version switcher's stand-in may exist and not run).
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

.DEFAULT_GOAL := help
.PHONY: help pictures demo test check bench branches campaign faults fuzz-api prove mutants simulate venv anvil lock format clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: venv anvil ## Run the nine-step story on a real chain and write its report
	@$(PY) $(DEMO) $(ARGS)

test: venv anvil ## Run every test
	@$(PY) -m pytest $(PYTEST_ARGS) $(ARGS)

check: venv ## Lint, strict types, import rules, rules of the house, generated files up to date
	@failed=0; run() { "$$@" || { failed=1; echo "FAILED: $$*" >&2; }; }; \
	run $(VENV)/bin/ruff check .; \
	run $(VENV)/bin/ruff format --check .; \
	run $(VENV)/bin/mypy; \
	run $(VENV)/bin/lint-imports; \
	run $(PY) tools/check_house.py; \
	if [ -f src/proml/contracts/build.py ]; then run $(PY) -m proml.contracts.build --check; fi; \
	run $(PY) tools/lint_contracts.py; \
	for generator in tools/generate_*.py; do \
		if [ -f "$$generator" ]; then run $(PY) "$$generator" --check; fi; done; \
	if [ $$failed = 0 ]; then echo "check: all good"; fi; exit $$failed

bench: venv anvil ## Measure, and write build/bench.json
	@$(PY) $(BENCH) $(ARGS)

branches: venv ## Say which branches of the contracts their tests take
	@rm -rf build/branches
	@PROML_BRANCHES=$(CURDIR)/build/branches $(PY) -m pytest -q $(PYTEST_ARGS) tests/contracts
	@$(PY) tools/contract_coverage.py build/branches

campaign: venv ## Play 1,000,000 random calls against the compiled contract
	@$(PY) tools/campaign.py --calls 1000000 $(ARGS)

prove: venv ## Prove the contracts at length: guards for all arguments, then 10,000,000 random calls
	@$(PY) tools/guards.py
	@$(PY) tools/campaign.py --calls 10000000 $(ARGS)

mutants: venv ## Change the contracts in one place at a time, and say which changes no test notices
	@$(PY) tools/mutants.py $(ARGS)

faults: venv ## Fail or kill every file call, cut and flip a journal everywhere, kill at random (an hour)
	@nice -n 19 $(PY) -m tests.faults.campaign $(ARGS)

pictures: demo ## Take the pictures of a node's pages anew (needs Chromium)
	@$(PY) tools/take_pictures.py

simulate: venv anvil ## Play SEEDS=50 seeds of faults on a real chain against real publishers
	@$(PY) -m tests.faults.chain.simulate --seeds $(or $(SEEDS),50) $(ARGS)

venv: ## Build or update .venv from the locked, hashed packages
	@if [ -z "$(PYTHON)" ]; then echo "ProML needs Python 3.11 or newer; none was found on PATH" >&2; exit 1; fi
	@$(PYTHON) tools/set_up.py --venv $(VENV)

anvil: venv ## Install the embedded chain's program once, checked against its pinned digest
	@if [ -f src/proml/ledger/anvil_binary.py ]; then $(PY) -m proml.ledger.anvil_binary >/dev/null; fi

fuzz-api: venv ## Ask a running node 100,000 things out of its own description (EXAMPLES= for others)
	@PROML_API_EXAMPLES=$$(( $(or $(EXAMPLES),100000) / 30 )) $(PY) -m pytest -q -n 0 tests/server/test_fuzz.py $(ARGS)

format: venv ## Format the code and apply the safe corrections
	@$(VENV)/bin/ruff check --fix --exit-zero --quiet .
	@$(VENV)/bin/ruff format .

lock: venv ## Resolve the dependencies anew and write requirements.lock
	@test -x build/lock/bin/uv || { $(PY) -m venv build/lock && build/lock/bin/pip install --quiet uv; }
	@build/lock/bin/uv pip compile pyproject.toml --quiet --group dev --all-extras --universal --upgrade \
		--python-version 3.11 --generate-hashes --no-header --no-annotate --output-file requirements.lock

clean: ## Remove what was built, and the environment
	@rm -rf build dist $(VENV) $(VENV).lock .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
