"""What is wrong with a plant's folder: every mistake with its place and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum

import msgspec

__all__ = ["Finding", "Findings", "Report", "Severity", "nearest"]


class Severity(StrEnum):
    ERROR = "error"  # the plant cannot be used
    WARNING = "warning"  # it can, but a person should look


class Finding(msgspec.Struct, frozen=True):
    """One mistake. ``file`` is relative to the plant's folder; ``line`` counts from 1, 0 is the whole file.
    ``str`` gives the line that people read: ``file:line: message remedy``."""

    file: str
    line: int
    message: str
    remedy: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        mild = "warning: " if self.severity is Severity.WARNING else ""
        return f"{place}: {mild}{self.message} {self.remedy}".rstrip()


class Findings(tuple[Finding, ...]):
    """All of them, by file and line."""

    __slots__ = ()

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self if finding.severity is Severity.ERROR]

    @property
    def warnings(self) -> list[Finding]:
        return [finding for finding in self if finding.severity is Severity.WARNING]


class Report:
    """Collects; nothing is raised, so that one mistake hides no other."""

    def __init__(self) -> None:
        self._all: list[Finding] = []

    def error(self, place: tuple[str, int], message: str, remedy: str = "") -> None:
        self._all.append(Finding(*place, message, remedy))

    def warn(self, place: tuple[str, int], message: str, remedy: str = "") -> None:
        self._all.append(Finding(*place, message, remedy, Severity.WARNING))

    @property
    def wrong(self) -> bool:
        return any(finding.severity is Severity.ERROR for finding in self._all)

    def ordered(self) -> Findings:
        """By file and line, doubles once: a template's mistake is said once, not for each of its assets."""
        unique = dict.fromkeys(self._all)
        return Findings(sorted(unique, key=lambda f: (f.file, f.line, f.message, f.remedy)))


def nearest(name: str, known: Iterable[str], *, label: str = "Known") -> str:
    """The remedy for a name that is unknown: the nearest known one, or all when they are few."""
    names = list(known)
    folded = {candidate.casefold(): candidate for candidate in reversed(names)}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.55)
    if near:
        return f"Did you mean {folded[near[0]]!r}?"
    if not names:
        return ""
    return f"{label}: {', '.join(names[:20])}{', …' if len(names) > 20 else ''}."
