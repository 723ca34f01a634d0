"""One target in a process of its own: ``python -m fuzz.one NAME CORPUS… [-libfuzzer_option=…]``."""

from __future__ import annotations

import json
import logging
import pathlib
import sys
import warnings

import atheris
import structlog
from fuzz.reach import reached
from fuzz.target import LARGEST, TARGETS, judged, load, peak


def main() -> None:
    name, corpus = sys.argv[1], pathlib.Path(sys.argv[2])
    warnings.simplefilter("ignore")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if "--reach" in sys.argv:
        target = load(name)
        inputs = [file.read_bytes() for file in sorted(corpus.iterdir())]
        print(json.dumps(reached(TARGETS[name].decoders, target, inputs)))
        return
    with atheris.instrument_imports(include=list(TARGETS[name].decoders)):
        target = load(name)
    for number, seed in enumerate(target.seeds()):
        judged(target, seed)
        (corpus / f"seed-{number:03}").write_bytes(seed)
    start, slowest, count = peak(), 0.0, 0

    def one(data: bytes) -> None:
        nonlocal slowest, count
        taken = judged(target, data)
        count += 1
        if taken > slowest:
            slowest = taken
            print(f"weft::slowest: {slowest:.4f}", file=sys.stderr)
        if not count & 0x3FFF:
            print(f"weft::memory: {peak() - start:.1f}", file=sys.stderr)

    options = [
        f"-max_len={TARGETS[name].longest}",
        f"-rss_limit_mb={int(start) + LARGEST}",
        "-timeout=10",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, *sys.argv[2:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
