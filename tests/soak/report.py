"""The verdicts as tables, on the terminal and as a page."""

from __future__ import annotations

import json
import os

from rich.console import Console
from rich.table import Table

__all__ = ["Record", "show", "show_storms"]

FAULTS = (
    "fault",
    "values",
    "missing",
    "in a gap record",
    "doubled",
    "out of order",
    "sent again",
    "kept after s",
    "far side after s",
    "load",
    "",
)
STORMS = ("connector", "reconnects", "seconds", "memory KiB", "objects", "descriptors", "tasks", "")
PAGE = """# What faults cost

Written by `make soak`, seed {seeds}, at {commits}. `tests/plant/test_faults.py` is the shorter form in `make test`.

Field servers count, each in a process of its own, and write down every value before they show it: OPC UA (asyncua,
3 counters, 50 a second each), Modbus TCP (a counter of its answers, 10 a second), MQTT on mosquitto (2 counters, up to
50 a second each). `weft up` runs as a process, with a proxy before each of them. It sends everything on to a second
mosquitto, as JSON and as Sparkplug B, where a recorder of no common code writes down what comes; its own history and
stream are read when it has stopped.

## Faults

- **missing**: said by the field, not in Weft's history, and no `weft.data.gap` covers its time. Three numbers are
  those of Weft / MQTT destination / Sparkplug destination, one is all of them.
- **in a gap record**: not in history, and a gap record says so. A killed OPC UA server takes its queue with it, a
  killed broker its sessions, a device the answer that was on its way.
- **doubled**: a value twice in Weft's history; **out of order**: a value behind a later one, without the label that
  it comes late; at destinations live values and backlog are in order each for itself, because live goes first.
- **sent again**: the very same sample (value and time) twice at a destination, as QoS 1 allows when a broker goes
  before it has acknowledged. A birth of Sparkplug tells the newest value; it is not counted.
- **kept after**, **far side after**: seconds from the end of the last fault until Weft, and the MQTT destination, had
  all that was said until then. A killed Weft is whole again when its page answers.
- **load**: of the machine (two cores, shared with other programs) in the minute before. Beyond two, seconds are those of
  a machine that is not quick enough for what it does.

{faults}

## Storms

The line of one connector is cut, and has come back with a sample, {reconnects} times in a row: as often as in 20 hours
at every 30 seconds, when it is 2,400 times. What the process holds is compared between the end of the first fifth and
the end. A connector passes when no descriptor and no task is left over, less than an object for ten reconnects, and
less than 2 MiB and 200 bytes a reconnect of memory.

{storms}
"""


def _row(result):
    kept, uns, spb = (result.of(where) for where in ("kept", "uns", "spb"))
    return (
        result.name,
        str(kept.said),
        _three(kept.missing, uns.missing, spb.missing),
        str(kept.told),
        _three(kept.doubled, uns.doubled, spb.doubled),
        _three(kept.disorder, uns.disorder, spb.disorder),
        _three(uns.again, spb.again),
        f"{result.stored:.2f}",
        f"{result.arrived:.2f}",
        f"{os.getloadavg()[0]:.0f}",
        "ok" if result.ok else "not ok",
    )


def _three(*numbers):
    """One number where all are the same."""
    return str(numbers[0]) if len(set(numbers)) == 1 else " / ".join(map(str, numbers))


def _storm_row(one):
    grown = one.grown
    counts = (one.reconnects, round(one.seconds), grown.memory // 1024, *grown[1:])
    return (one.name, *map(str, counts), "ok" if one.ok else "not ok")


def show(results):
    _print(FAULTS, map(_row, results))


def show_storms(storms):
    _print(STORMS, map(_storm_row, storms))


class Record:
    """The rows of runs, kept in a file: a run of the same name takes the place of an older one."""

    def __init__(self, file, seed, commit):
        self._file, self._from = file, {"seed": seed, "commit": commit}
        self._rows = {"faults": {}, "storms": {}}
        if file is not None and file.exists():
            self._rows = json.loads(file.read_text(encoding="utf-8"))

    def add(self, results=(), storms=()):
        for result in results:
            self._rows["faults"][result.name] = {"row": _row(result), **self._from}
        for one in storms:
            self._rows["storms"][one.name] = {"row": _storm_row(one), **self._from}
        if self._file is not None:
            self._file.write_text(json.dumps(self._rows, indent=1), encoding="utf-8")

    def page(self):
        faults, storms = (list(self._rows[kind].values()) for kind in ("faults", "storms"))
        every = faults + storms
        return PAGE.format(
            seeds=", ".join(sorted({str(one["seed"]) for one in every})),
            commits=" and ".join(sorted({one["commit"] for one in every})),
            faults=_markdown(FAULTS, [one["row"] for one in faults]),
            reconnects=max((int(one["row"][1]) for one in storms), default=0),
            storms=_markdown(STORMS, [one["row"] for one in storms]),
        )


def _print(head, rows):
    table = Table(*head)
    for row in rows:
        table.add_row(*row)
    Console(width=160).print(table)


def _markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
