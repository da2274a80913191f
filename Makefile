# make demo: set up, build a small data set, train, evaluate, draw.   make test: set up, lint, test.
PYTHON = .venv/bin/python

.PHONY: demo test lint coverage setup clean
demo: setup
	$(PYTHON) -m score_following_game.demo

test: setup lint
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n auto --dist loadfile

lint: setup
	.venv/bin/ruff check .

coverage: setup
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n auto --dist loadfile --cov --cov-report=term

setup:
	@.ci/setup

clean:
	rm -rf .venv demo_output build *.egg-info
