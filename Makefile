# Everything a newcomer needs: `make demo`, `make test`.  Each target prepares .venv itself, and only when
# pyproject.toml or requirements.lock changed since.  ARGS="…" is handed on: make demo ARGS="--speed 60".

VENV := .venv
LOCKED := pyproject.toml requirements.lock scripts/bootstrap

.PHONY: help install demo test check bench lock clean

help:
	@echo 'make demo     the whole plant on this machine: simulated field, monitor, API (ARGS="--stop-after 60")'
	@echo 'make test     check, then every test, against real servers where they can be had'
	@echo 'make check    format, lint, types, import directions, known vulnerabilities'
	@echo 'make bench    the measured ratios'
	@echo 'make install  .venv/bin/plant-monitor, without tools for development'
	@echo 'make lock     newest versions into requirements.lock'
	@echo 'make clean    remove what make made'

install: $(VENV)/installed
	@echo 'Installed. Try: $(VENV)/bin/plant-monitor --help'

demo: $(VENV)/installed
	@$(VENV)/bin/plant-monitor demo $(ARGS)

test: check
	@scripts/test-servers
	@scripts/test $(ARGS)

check: $(VENV)/installed-dev
	@scripts/check

bench: $(VENV)/installed-dev
	@$(VENV)/bin/python -m benchmarks $(ARGS)

lock: $(VENV)/installed
	@scripts/lock

clean:
	rm -rf $(VENV) demo-data dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/installed: $(LOCKED)
	@scripts/bootstrap runtime

$(VENV)/installed-dev: $(LOCKED)
	@scripts/bootstrap dev
