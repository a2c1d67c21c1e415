# Holdfast. `make help` lists what there is; everything runs in .venv, which the first command makes.

PYTHON := .venv/bin/python
STAMP := .venv/.installed
# Checks that need no server: an address that nobody listens on, and none of the developer's own settings.
OFFLINE := DEBUG=true MODE=sandbox SECRET_KEY=for-checks-only READ_DOTENV=false \
	DATABASE_URL=postgres://nobody@127.0.0.1:1/nothing REDIS_URL=redis://127.0.0.1:1

# A process more than there are cores, since many tests wait; each has servers of its own (tests/shares.py).
# Bytecode is kept even where the environment says not to: each process, workers and servers too, would compile anew.
PYTEST = env -u PYTHONDONTWRITEBYTECODE $(PYTHON) -m pytest
SPREAD = -n $$($(PYTHON) -c 'import os; print(min(os.cpu_count() or 1, 4) + 1)') --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup up drill test quick check bench chaos soak sabotage audit lock bom clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

setup: $(STAMP) ## make or renew .venv; the other commands do it themselves

up: $(STAMP) ## run everything here: PostgreSQL, Valkey, sandbox vendors, web, workers, supervisor (HOST=, PORT=)
	@exec $(PYTHON) -m local.up

drill: $(STAMP) ## the whole story by itself: a campaign, a failing vendor, the pause, reset, resume, the books
	@exec $(PYTHON) -m local.drill

test: check ## every check and test, on servers of its own (ARGS="-k pause" picks some)
	@exec $(PYTEST) $(SPREAD) $(ARGS)

quick: $(STAMP) ## the fast loop: every test that starts no process, no browser and no fuzzing (ARGS= as above)
	@exec $(PYTEST) $(SPREAD) --hypothesis-profile=quick \
		-m "not processes and not browser and not fuzz and not chaos" $(ARGS)

check: $(STAMP) ## format, lint, templates, types, system checks, missing migrations
	@$(PYTHON) -m ruff format --check --quiet . || { echo "Format first: $(PYTHON) -m ruff format ."; exit 1; }
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m djlint --lint --quiet templates
	@$(OFFLINE) $(PYTHON) -m mypy .
	@$(OFFLINE) $(PYTHON) manage.py check --fail-level WARNING
	@$(OFFLINE) $(PYTHON) -W ignore manage.py makemigrations --check --dry-run

bench: $(STAMP) ## the measurements, beside other queues; writes docs/performance.md (ARGS="gate pause" picks some)
	@$(PYTHON) -m pip install --disable-pip-version-check -q -r requirements-bench.txt
	@exec $(PYTHON) -m bench $(ARGS)

chaos: $(STAMP) ## break things while all runs; adds to docs/reliability.md (SEED=, MINUTES=5, FAULTS=, ONLY=Valkey)
	@SEED="$(SEED)" MINUTES="$(MINUTES)" FAULTS="$(FAULTS)" ONLY="$(ONLY)" exec $(PYTHON) -m tests.chaos

soak: $(STAMP) ## the long tests: ten thousand people in two campaigns, the reference model for hours
	@HYPOTHESIS_PROFILE=chaos $(PYTHON) -m pytest --timeout=0 tests/circuitbreakers/test_machine.py $(ARGS)
	@exec $(PYTHON) -m pytest --timeout=0 -m chaos $(ARGS)

sabotage: $(STAMP) ## take out one guard at a time: some test must turn red for each (ARGS="budget pause" picks some)
	@exec $(PYTHON) -m tests.chaos.sabotage $(ARGS)

audit: $(STAMP) ## known vulnerabilities of the pinned dependencies, and Django's own deployment checks
	@$(PYTHON) -m pip install --disable-pip-version-check -q pip-audit==2.10.1
	@$(PYTHON) -m pip_audit --strict --requirement requirements.lock --require-hashes --progress-spinner off
	@$(OFFLINE) DEBUG=false HTTPS=true ALLOWED_HOSTS=holdfast.example \
		SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))') \
		$(PYTHON) manage.py check --deploy --fail-level WARNING

lock: $(STAMP) ## requirements.lock anew: every package of the image with its hashes (ARGS=--upgrade takes the newest)
	@$(PYTHON) -m pip install --disable-pip-version-check -q uv==0.13.9
	@$(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header $(ARGS) \
		requirements.txt --output-file requirements.lock

bom: $(STAMP) ## the bill of materials of what the image holds, as CycloneDX in .local/bom.json
	@$(PYTHON) -m venv --clear .local/bom && .local/bom/bin/pip install --disable-pip-version-check -q cyclonedx-bom==7.5.0
	@.local/bom/bin/cyclonedx-py requirements requirements.lock --output-format JSON --output-file .local/bom.json
	@echo "$$($(PYTHON) -c 'import json; print(len(json.load(open(".local/bom.json"))["components"]))') components in .local/bom.json"

clean: ## remove what these commands made: .local with its data, .venv, caches
	@python=$(PYTHON); [ -x $$python ] || python=python3; $$python -B -m local.folder
	@rm -rf .local .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis staticfiles
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made anew when the requirements change; a half-made .venv is made from the beginning.
$(STAMP): requirements.txt requirements-dev.txt
	@for python in python3 python3.14 python3.13 python3.12 python3.11 none; do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; \
	done; \
	if [ $$python = none ]; then \
		echo "Holdfast needs Python 3.11 or newer; python3 here is: $$(python3 --version 2>&1)." >&2; exit 1; \
	fi; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$python has no venv module. Debian, Ubuntu: apt install python3-venv" >&2; exit 1; \
	fi; \
	if ! $(PYTHON) -m pip --version >/dev/null 2>&1; then \
		echo "Making .venv with $$($$python --version)"; $$python -m venv --clear .venv || exit 1; \
	fi
	@echo "Installing the pinned packages into .venv (the first time: a minute or two)"
	@$(PYTHON) -m pip install --disable-pip-version-check -q -r requirements-dev.txt
	@# So that a plain `.venv/bin/pytest` finds the plugin tests.servers as `python -m pytest` does.
	@$(PYTHON) -c "import os, pathlib, sysconfig; \
		pathlib.Path(sysconfig.get_path('purelib'), 'holdfast.pth').write_text(os.getcwd() + '\n')"
	@touch $@
