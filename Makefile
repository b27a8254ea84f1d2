# Every target sets up what it needs. The first run of `make test` builds images and environments; later ones find them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

EXPERIMENT ?= database_failure
KILLS ?= 1000
SEED ?= 1
comma := ,
FRAGILE_NAMES = $(if $(filter 1,$(FRAGILE)),error$(comma)cache$(comma)leak$(comma)timeout,$(FRAGILE))
VENV := .venv
PLAYBOOK := $(VENV)/bin/ansible-playbook
PYTEST := $(VENV)/bin/python -m pytest
VOICEASSIST := roles/voiceassist/files/voiceassist

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Ansible refuses to start in a locale that is not UTF-8.
ifeq (,$(filter %UTF-8 %utf8,$(LC_ALL)))
export LC_ALL := C.UTF-8
endif

.PHONY: help
help: ## This list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do printf '  make %-12s %s\n' "$$target" "$$text"; done

$(VENV)/.controller: requirements.txt
	@$(VENV)/bin/python -m pip --version >/dev/null 2>&1 || tests/lab/venv $(VENV)
	@echo "Installing what the controller needs"
	@$(VENV)/bin/python -m pip install --quiet --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt $(VENV)/.controller
	@echo "Installing what the tests need"
	@$(VENV)/bin/python -m pip install --quiet --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.PHONY: demo
demo: $(VENV)/.controller ## Start the demo system and break it: EXPERIMENT=database_failure (or all), FRAGILE=1
	@$(VOICEASSIST) up $(if $(FRAGILE),--fragile $(FRAGILE_NAMES))
	@$(PLAYBOOK) -i inventories/demo playbooks/$(EXPERIMENT).yml

.PHONY: demo-down
demo-down: ## Stop everything the demo started
	@$(VOICEASSIST) down

.PHONY: lab
lab: $(VENV)/.controller ## The system in Docker Compose with Prometheus and Alertmanager; break it with -i inventories/lab
	@tests/lab/packages || true
	@VOICEASSIST_FRAGILE=$(FRAGILE_NAMES) tests/lab/compose-lab up

.PHONY: lab-down
lab-down: ## Stop and remove everything the lab started (its images stay)
	@tests/lab/compose-lab down

.PHONY: test
test: $(VENV)/.development ## Everything: lint, sanity, then unit, integration, crash and molecule in one run of pytest
	@$(MAKE) --no-print-directory --jobs 2 --output-sync lint sanity
	@tests/lab/packages || [ -z "$(CI)" ]
	$(PYTEST) --numprocesses 2 --dist loadgroup --durations 15 -m "not long" tests/unit tests/integration tests/crash

.PHONY: lint
lint: $(VENV)/.development ## ruff, yamllint, ansible-lint
	@failed=0; for check in "ruff check ." "yamllint --strict ." "ansible-lint --strict"; do echo "$$check"; $$check || failed=1; done; exit $$failed

.PHONY: sanity
sanity: $(VENV)/.development ## ansible-test sanity; and the oldest Python of a managed host
	tests/sanity

.PHONY: unit
unit: $(VENV)/.development ## Unit tests
	$(PYTEST) tests/unit

.PHONY: integration
integration: $(VENV)/.development ## Against a real Docker engine, and over ssh to three and more hosts
	@tests/lab/packages || [ -z "$(CI)" ]
	$(PYTEST) tests/integration

.PHONY: crash
crash: $(VENV)/.development ## Controller, module, timer, connection, host killed in the middle: a few of each
	@tests/lab/packages || [ -z "$(CI)" ]
	$(PYTEST) tests/crash

.PHONY: soak
soak: $(VENV)/.development ## What takes longer: every pattern, topology and kernel
	@tests/lab/packages || [ -z "$(CI)" ]
	$(PYTEST) --numprocesses 2 --dist loadgroup tests/unit tests/integration tests/crash

.PHONY: guarantee
guarantee: $(VENV)/.development ## Try to break the promise: KILLS=1000 SEED=1; what came of it goes into docs/guarantees.md
	@tests/lab/packages || [ -z "$(CI)" ]
	GAMEDAY_KILLS=$(KILLS) GAMEDAY_SEED=$(SEED) $(PYTEST) --capture no tests/crash/test_guarantee.py

.PHONY: molecule
molecule: $(VENV)/.development ## Every molecule scenario of every role
	@tests/lab/packages || [ -z "$(CI)" ]
	$(PYTEST) tests/integration/test_molecule.py

.PHONY: bench
bench: $(VENV)/.development ## What faults and probes cost, as a table
	@tests/lab/packages || [ -z "$(CI)" ]
	$(VENV)/bin/python tests/bench/bench.py

.PHONY: clean
clean: ## Remove environments, caches and reports (images and a running demo stay)
	rm -rf .venv .cache .ansible .hypothesis reports
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
