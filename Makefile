# The commands. `make help` lists them; each sets up what it needs first and does nothing twice.
PYTHON ?= python3
export PYTHON
# Who sets this for programs of their own would have each of ours compile all that it imports: 1.5 s a start, and tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
# Passed on to the program: make demo ARGS="--data /srv/demo"
ARGS ?=
.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help machine setup develop demo demo-containers demo-kubernetes serve test docker check format simulate simulate-nightly fuzz-api golden openapi mutate faults bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

machine: ## what Debian lacks for it (sudo make machine); as root the other commands do it themselves
	@setup/machine.sh

setup: machine ## the virtual environment (.venv) and the page; the other commands do it themselves
	@$(PYTHON) setup/environment.py demo
	@$(BIN)/python setup/page.py

develop:
	@setup/machine.sh tests
	@$(PYTHON) setup/environment.py dev
	@$(BIN)/python setup/page.py

demo: setup ## one commit from push to production, and three bad ones; leaves nothing running
	@$(BIN)/gennaker demo $(ARGS)

demo-containers: develop ## the same with the services as containers of Podman (root)
	@$(BIN)/python -m tests.demo_containers $(ARGS)

demo-kubernetes: develop ## the same with the services as pods of a real Kubernetes (root, Go 1.26); built first, once: some ten minutes
	@setup/machine.sh cluster
	@$(BIN)/python -m tests.demo_kubernetes $(ARGS)

serve: setup ## the same, then left running to play with until Ctrl-C
	@$(BIN)/gennaker demo --keep $(ARGS)

# One process begins with the longest tests, the others with cheap ones (tests/conftest.py). They wait more than half of the time: hence four.
# Beside the checks, which one core does: the page's tests, and our tests' bytecode, that each process would make for itself in a fresh clone.
test: develop ## all checks and all tests; an ordinary user's run lists the tests that need root
	@$(BIN)/pytest --collect-only -qq >/dev/null 2>&1 & \
	$(BIN)/python setup/page.py test & page=$$!; \
	$(MAKE) --no-print-directory check; failed=$$?; wait $$page || failed=1; wait; exit $$failed
	@$(BIN)/pytest --numprocesses 4 --dist loadgroup --no-loadscope-reorder $(ARGS)

DOCKERD ?= /usr/sbin
docker: develop ## the suites of containers on Docker instead of Podman (root, Debian's docker.io; DOCKERD=folder: another's programs)
	@$(BIN)/pytest --dockerd $(DOCKERD) -k docker tests/conformance/test_cloud_provider.py tests/conformance/test_docker_provider.py \
		tests/conformance/test_docker_watching.py tests/conformance/test_strategies_under_load.py $(ARGS)

check: develop ## format, lint, types, import contracts, the house's rules, the page's types and lint
	@failed=; \
	$(BIN)/ruff format --check --quiet . || failed="$$failed format (make format);"; \
	$(BIN)/ruff check --quiet . || failed="$$failed lint;"; \
	$(BIN)/mypy || failed="$$failed types;"; \
	$(BIN)/lint-imports --no-logo || failed="$$failed imports;"; \
	$(BIN)/pytest --quiet -p no:randomly tests/unit/test_house.py || failed="$$failed house;"; \
	$(BIN)/python setup/page.py check || failed="$$failed page;"; \
	[ -z "$$failed" ] || { echo "make check failed:$$failed see above" >&2; exit 1; }

format: develop ## formats, and mends what lint can mend
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

simulate-nightly: develop ## millions of steps of random pipelines on servers that die and race (ARGS="--steps 5000000")
	@$(BIN)/python -m tests.simulation.nightly $(ARGS)

simulate: develop ## the simulation that a failure names, once more (SEED=…)
	@$(BIN)/python -m tests.simulation.nightly --seed $(SEED)

fuzz-api: develop ## many made-up requests of each operation of the native API to a server of its own (ARGS="--examples 1000 --seed 7")
	@$(BIN)/python -m tests.fuzzing $(ARGS)

golden: develop ## takes down anew what the engine makes of the golden walks: read the difference, and say why in the commit
	@$(BIN)/python -m tests.golden.walks

openapi: develop ## writes docs/api/openapi.json, the native API's document, from the routes: read the difference
	@$(BIN)/python setup/openapi.py

mutate: develop ## which small faults in the engine room its tests notice (ARGS="admit rollup": some modules)
	@$(BIN)/python -m tests.mutation.hunt $(ARGS)

faults: develop ## every fault at every step of every strategy on real processes, containers and Kubernetes (ARGS="-k local": some)
	@$(BIN)/pytest -m thorough tests/conformance tests/e2e $(ARGS)

bench: develop ## speed, memory and scale
	@set -e; for benchmark in benchmarks/*.py; do echo "== $$benchmark"; $(BIN)/python "$$benchmark" $(ARGS); done

lock: develop ## the locks anew from pyproject.toml (ARGS=--upgrade: newest versions)
	@$(BIN)/python setup/lock.py $(ARGS)

clean: ## removes what these commands made in the checkout
	rm -rf .venv ui/node_modules tests/e2e/oidc/node_modules src/gennaker/web/static dist build
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests setup benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
