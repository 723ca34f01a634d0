.PHONY: demo test check bench soak fuzz lock clean help

help:           ## what can be made
	@grep -hE '^[a-z]+: .*##|^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

demo:           ## set up everything and run the model factory with Weft on it
	@tools/setup
	@.venv/bin/weft demo

test:           ## set up everything and run all tests
	@tools/setup dev
	@tools/peers
	@tools/check

check:          ## format, lint, types, floors and unit tests: seconds, for while you work
	@tools/setup dev
	@tools/check format lint types floors unit

bench:          ## measure, as ratios against peers in one run
	@tools/setup dev
	@.venv/bin/weft bench

soak:           ## break everything for an hour or two, count every value, and write docs/explanation/faults.md
	@tools/setup dev
	@PYTHONPATH=tests .venv/bin/python -m soak --write docs/explanation/faults.md

fuzz:           ## look for inputs that break a decoder, guided by coverage: `make fuzz seconds=600`
	@tools/setup dev
	@tools/uv pip install -q --python .venv/bin/python --no-deps --target .cache/fuzz/atheris atheris==3.0.0
	@PYTHONPATH=tests:.cache/fuzz/atheris .venv/bin/python -m fuzz.campaign --seconds $(or $(seconds),60)

lock:           ## resolve the lock files anew
	@tools/uv pip compile -q --universal --generate-hashes --no-emit-index-url --upgrade \
	    --python-version 3.11 --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	@tools/uv pip compile -q --universal --generate-hashes --no-emit-index-url --upgrade --group dev \
	    --python-version 3.11 --custom-compile-command "make lock" pyproject.toml -o requirements-dev.lock

clean:          ## remove what set-up and tests have made
	rm -rf .venv .cache dist build node_modules tests/peers/*/node_modules tests/peers/*/target demo-plant
