"""``python -m soak``: every kind of trouble, each in a world of its own, then troubles drawn by a seed, then storms.

The verdicts are printed as they come, and written as a page with ``--write``. Ends with 1 when a value is missing
without a word, doubled or out of order.
"""

from __future__ import annotations

import argparse
import logging
import pathlib
import subprocess
import sys
import tempfile
from contextlib import ExitStack

import anyio
import structlog
from soak import campaign, disk, report, sources, storm, troubles
from soak.clock import FakedClock

RECONNECTS = 2_400  # 20 hours at one every 30 seconds
AWAY = 600.0  # s that a destination's broker is away


def _runs(seed, short):
    """``(troubles, settings)`` of each run."""
    away = 20.0 if short else AWAY
    long = () if short else (20, 60)
    yield from (([one], {}) for one in troubles.all_kinds())
    yield from (([troubles.cut(place, s)], {}) for s in long for place in ("opcua", "modbus", "mqtt"))
    yield [troubles.cut("far", away)], {}
    yield [troubles.disk_full(10)], {"mount": True}
    if FakedClock.library():
        yield [troubles.clock_jump(3600, 5)], {"clock": True}
        yield [troubles.clock_jump(-3600, 5)], {"clock": True}
    yield from (([one], {"hub": True}) for one in troubles.of_hub_and_leaf())
    yield troubles.of_hub_and_leaf(), {"hub": True, "name": "hub and leaf, all in turn"}
    for number in range(1 if short else 5):
        drawn = troubles.drawn(seed + number, 4 if short else 12)
        yield drawn, {"name": f"{len(drawn)} drawn, seed {seed + number}", "seed": seed + number}


async def _one(folder, ones, settings):
    settings = dict(settings)
    name = settings.pop("name", ones[0].name) + (" (hub)" if settings.get("hub") and len(ones) == 1 else "")
    with ExitStack() as stack:
        if settings.pop("mount", False):
            settings["mount"] = stack.enter_context(disk.small(folder / "disk"))
        return await campaign.run(folder, name, ones, **settings)


async def _faults(options, record):
    results = []
    for number, (ones, settings) in enumerate(_runs(options.seed, options.short)):
        if options.only and not any(options.only in one.name for one in ones):
            continue
        with tempfile.TemporaryDirectory(prefix="soak", ignore_cleanup_errors=True) as folder:
            result = None
            try:
                result = await _one(pathlib.Path(folder) / str(number), ones, settings)
            except* (disk.NotAllowed, TimeoutError, AssertionError) as error:
                print(f"did not run: {ones[0].name}, {error.exceptions}", file=sys.stderr)
        if result is None:
            continue
        results.append(result)
        record.add(results=[result])
        report.show([result])
        for name, values in result.unmarked.items():
            print(f"  {name}: missing {values[:5]} … {values[-5:]}")
    return results


async def _storms(names, reconnects, record):
    found = []
    for name in names:
        with tempfile.TemporaryDirectory(prefix="storm", ignore_cleanup_errors=True) as folder:
            async with sources.serving(name, pathlib.Path(folder)) as (port, connect, points):
                found.append(await storm.storm(name, port, connect, points, reconnects))
        record.add(storms=found[-1:])
        report.show_storms(found[-1:])
    return found


def main():
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="shorter outages, fewer troubles")
    parser.add_argument("--only", default="", help="only runs with a trouble of that name")
    parser.add_argument("--no-faults", action="store_true", help="storms only")
    parser.add_argument("--storms", default=",".join(sources.SOURCES), help="whose; empty: none")
    parser.add_argument("--reconnects", type=int, default=RECONNECTS, help="of each storm")
    parser.add_argument("--record", type=pathlib.Path, help="a file that keeps the rows of several runs")
    parser.add_argument("--write", type=pathlib.Path, help="the page that is written")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    record = report.Record(options.record, options.seed, _commit())
    results = [] if options.no_faults else anyio.run(_faults, options, record)
    names = [name for name in options.storms.split(",") if name]
    storms = anyio.run(_storms, names, options.reconnects, record)
    report.show(results)
    report.show_storms(storms)
    if options.write:
        options.write.write_text(record.page(), encoding="utf-8")
    sys.exit(not all(one.ok for one in (*results, *storms)))


def _commit():
    here = pathlib.Path(__file__).parent
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


main()
