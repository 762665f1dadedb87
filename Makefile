# Every target sets up .venv by itself; without make, run `python3 make.py TARGET`.
PYTHON ?= python3

.PHONY: setup demo test test-slow check lab lock clean

setup demo test test-slow check lab:
	@$(PYTHON) make.py $@

# Needs uv; writes hashes and markers for every Python from 3.11 on, and no address.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --extra dev pyproject.toml -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header pyproject.toml -o requirements/runtime.txt

clean:
	rm -rf outputs/demo outputs/promise-neighborhoods
