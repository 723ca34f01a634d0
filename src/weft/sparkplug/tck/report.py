"""The verdict on every statement of the specification."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from weft.sparkplug.tck import (
    connection_rules,
    host_rules,
    metric_rules,
    payload_rules,
    session_rules,
    template_rules,
)
from weft.sparkplug.tck.beyond import BEYOND
from weft.sparkplug.tck.recording import Entry
from weft.sparkplug.tck.rule import Rule
from weft.sparkplug.tck.view import View

__all__ = ["RULES", "Finding", "Verdict", "check", "known_ids"]

MOST_NAMED: Final = 5  # failures of one statement

RULES: Final[dict[str, Rule]] = {
    **payload_rules.RULES.found,
    **metric_rules.RULES.found,
    **session_rules.RULES.found,
    **connection_rules.RULES.found,
    **host_rules.RULES.found,
    **template_rules.RULES.found,
}


ADVICE: Final = frozenset(
    {
        "case-sensitivity-metric-names",
        "case-sensitivity-sparkplug-ids",
        "operational-behavior-data-commands-dcmd-metric-name",
        "operational-behavior-data-commands-ncmd-metric-name",
        "payloads-metric-datatype-not-req",
        "payloads-ndeath-will-message-publisher",
    }
)
"""Statements that say SHOULD."""


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105  # no password
    FAIL = "fail"
    ADVISED = "not as advised"  # a SHOULD that is not kept
    NOT_SEEN = "not seen"
    NOT_CHECKABLE = "not checkable"


class Finding(Struct, frozen=True):
    """``count`` is how often it was looked at; ``why`` names the first failures, or why it cannot be checked."""

    id: str
    verdict: Verdict
    count: int = 0
    why: tuple[str, ...] = ()


def known_ids() -> list[str]:
    """All statements of the specification, checkable or not."""
    return sorted({*RULES, *BEYOND})


def check(entries: Sequence[Entry]) -> list[Finding]:
    """One finding for each statement, in the order of their ids."""
    view = View(entries)
    return [_finding(name, view) for name in known_ids()]


def _finding(name: str, view: View) -> Finding:
    rule = RULES.get(name)
    if rule is None:
        return Finding(name, Verdict.NOT_CHECKABLE, 0, (BEYOND[name],))
    count = 0
    failures: list[str] = []
    for fine, what in rule(view):
        count += 1
        if not fine and len(failures) < MOST_NAMED:
            failures.append(what)
    if not count:
        return Finding(name, Verdict.NOT_SEEN)
    bad = Verdict.ADVISED if name.removeprefix("tck-id-") in ADVICE else Verdict.FAIL
    return Finding(name, bad if failures else Verdict.PASS, count, tuple(failures))
