"""The verdicts as a table, on the terminal and as a page."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

__all__ = ["markdown", "show"]

HEAD = (
    "fault",
    "values",
    "missing",
    "in a gap record",
    "doubled",
    "out of order",
    "stored s",
    "far side s",
    "",
)


def row(result):
    kept, uns, spb = (result.of(where) for where in ("kept", "uns", "spb"))
    return (
        result.name,
        str(kept.said),
        _three(kept.missing, uns.missing, spb.missing),
        str(kept.told),
        _three(kept.doubled, uns.again, spb.again),
        _three(kept.disorder, uns.disorder, spb.disorder),
        f"{result.stored:.2f}",
        f"{result.arrived:.2f}",
        "ok" if result.ok else "not ok",
    )


def _three(*numbers):
    """Kept by Weft / MQTT destination / Sparkplug destination; one number where all are the same."""
    return str(numbers[0]) if len(set(numbers)) == 1 else " / ".join(map(str, numbers))


def show(results):
    table = Table(*HEAD)
    for result in results:
        table.add_row(*row(result))
    Console(width=150).print(table)


def markdown(results):
    lines = ["| " + " | ".join(HEAD) + " |", "|" + " --- |" * len(HEAD)]
    lines += ["| " + " | ".join(row(result)) + " |" for result in results]
    return "\n".join(lines)
