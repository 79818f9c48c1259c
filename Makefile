# Everything a newcomer needs: `make run` and `make test`. `make help` lists the rest.
PYTHON =
TORCH = cpu

SHELL = /bin/bash
.DEFAULT_GOAL = help
.DELETE_ON_ERROR:
.PHONY: help install run test check lint format messages lock clean

BIN = .venv/bin
# Tests see the defaults, not this machine's .env, and a key of their own.
TEST_ENV = READ_DOT_ENV=0 SECRET_KEY=$$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')

help: ## list the targets
	@echo "make TARGET [HOST=127.0.0.1] [PORT=8000] [PYTHON=/path/to/python3.12] [TORCH=cuda]"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' Makefile

install: .venv/.installed ## make .venv and install what requirements.txt names

run: install ## install, prepare, show a demonstration and start the server
	@$(BIN)/python -m proctoring.dotenv
	@exec $(BIN)/python manage.py start # HOST and PORT from the command line, the environment or .env

test: .venv/.installed-dev ## run the tests; PYTEST_ARGS="-k face" for some
	@$(TEST_ENV) $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

check: .venv/.installed-dev ## run all that CI runs: format, lint, types, imports, migrations, deploy check, tests
	@bin/check

lint: .venv/.installed-dev ## the quick part of check: format, lint
	$(BIN)/black --check .
	$(BIN)/ruff check --output-format concise .
	$(BIN)/flake8 .

format: .venv/.installed-dev ## put the code into shape
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/black --quiet .

messages: .venv/.installed-dev ## bring the Bangla catalogue and the Postman collection up to the code
	@$(TEST_ENV) $(BIN)/python manage.py translations
	@$(TEST_ENV) $(BIN)/python manage.py export_postman

lock: .venv/.installed ## compile the .in files into the .txt files; UPGRADE=1 for newer versions
	@$(BIN)/python -m pip install -qq uv
	@for name in requirements requirements-dev; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 $(if $(UPGRADE),--upgrade) \
			--custom-compile-command "make lock" $$name.in -o $$name.txt || exit; \
	done

clean: ## remove what can be made again; keeps .env and var/
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed: requirements.txt
	@PYTHON="$(PYTHON)" TORCH="$(TORCH)" bin/install

.venv/.installed-dev: .venv/.installed requirements-dev.txt
	@echo "Installing everything in requirements-dev.txt, for tests and checks"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -r requirements-dev.txt
	@touch $@
