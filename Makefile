# make demo: set up, show an agent, train one for MINUTES, evaluate, film.   make test: set up, lint, test.   make docs: the site.
PYTHON = .venv/bin/python

MINUTES = 60
# Of the tests; one more than cores, since many wait for a process, a window or a clock.
WORKERS = $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))

# Hundreds of processes that the tests start would each compile every module that they import.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test docs lint coverage dist lowest fuzz audit setup clean
demo: MINUTES = 3
demo: setup
	$(PYTHON) -m score_following_game.demo --minutes $(MINUTES)

test: setup lint
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n $(WORKERS) --dist worksteal --durations 30

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

coverage: setup
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term

docs: setup  # with --quiet, warnings are neither shown nor counted by --strict
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict
	@echo "site/index.html (the search needs a server: $(PYTHON) -m http.server --directory site)"

dist: setup
	rm -rf build dist
	$(PYTHON) -m build --no-isolation >build.log 2>&1 || { cat build.log; exit 1; }
	$(PYTHON) .ci/check_dist.py dist
	rm -rf build build.log

lowest:
	.ci/lowest

fuzz: setup
	$(PYTHON) tests/fuzz/fuzz_readers.py --minutes $(MINUTES)

audit: setup
	.ci/audit

setup:
	@.ci/setup

clean:
	rm -rf .venv demo_output site build build.log dist *.egg-info
