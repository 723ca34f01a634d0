"""The coverage-guided run over all decoders: ``make fuzz``, or ``python -m fuzz.campaign [--seconds N] [--inputs N] [NAME…]``.

Two targets at a time, each in a process of its own with bounds on time and memory. Inputs that reach something new
are kept in .cache/fuzz/corpus and are where the next run begins; one that breaks something is written to
.cache/fuzz/found and named. The table goes to the standard output.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fuzz.target import TARGETS

HOME = pathlib.Path(__file__).parents[2] / ".cache" / "fuzz"
_STAT = re.compile(r"^(?:stat|weft)::(\w+):\s+([\d.]+)$", re.MULTILINE)
_COVERED = re.compile(r" cov: (\d+) ft: (\d+) corp: (\d+)")


def run(name: str, seconds: int, runs: int) -> dict[str, Any]:
    """Fuzzes one target and says what came of it."""
    corpus, found = HOME / "corpus" / name, HOME / "found" / name
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "fuzz.one", name, str(corpus)]
    options = [f"-max_total_time={seconds}", f"-runs={runs}", f"-artifact_prefix={found}/"]
    with (HOME / f"{name}.log").open("w") as log:
        done = subprocess.run([*command, *options], stderr=log, stdout=log, check=False)
    said = (HOME / f"{name}.log").read_text(errors="replace")
    stats = {key: float(value) for key, value in _STAT.findall(said)}
    covered = _COVERED.findall(said)
    reach = subprocess.run([*command, "--reach"], capture_output=True, text=True, check=False)
    return {
        "name": name,
        "failed": done.returncode != 0,
        "inputs": int(stats.get("number_of_executed_units", 0)),
        "rate": int(stats.get("average_exec_per_sec", 0)),
        "branches": int(covered[-1][0]) if covered else 0,
        "slowest": stats.get("slowest", 0.0),
        "memory": stats.get("memory", 0.0),
        "why": "" if not done.returncode else _why(said),
        **(json.loads(reach.stdout.splitlines()[-1]) if reach.stdout.strip() else {}),
    }


def _why(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    for i, line in enumerate(lines):
        if "Uncaught Python exception" in line:
            return " ".join(lines[i + 1 : i + 2])[:200]
    return lines[-1][:200] if lines else "no output"


def row(result: dict[str, Any]) -> str:
    lines = f"{result.get('reached', 0)} of {result.get('lines', 0)}"
    return (
        f"| {result['name']} | {result['inputs']:,} | {result['rate']:,} | {result['branches']:,} | {lines} "
        f"| {result['slowest'] * 1000:.0f} | {result['memory']:.0f} | {result['why'] or 'nothing'} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("names", nargs="*", choices=[[], *TARGETS])
    chosen = parser.parse_args()
    print("| decoder | inputs | a second | branches | lines reached | slowest, ms | memory, MB | found |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    failed = False
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(
            lambda name: run(name, chosen.seconds, chosen.inputs), chosen.names or TARGETS
        ):
            print(row(result), flush=True)
            failed |= result["failed"]
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
