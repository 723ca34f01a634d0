"""Topic filters (MQTT 5.0, 4.7; the same in 3.1.1)."""

from __future__ import annotations

from collections.abc import Iterable

from weft.runtime import Invalid

__all__ = ["check", "covers", "fewest", "matches"]


def check(filter: str) -> None:
    """Raises Invalid for a filter that no broker would take or whose messages would not all come here."""
    levels = filter.split("/")
    if "\0" in filter or len(filter.encode()) > 65535:
        raise Invalid("A topic has no NUL and at most 65,535 bytes.")
    if levels[0] == "$share":
        raise Invalid(
            "A shared subscription gives each reader a part of the messages only.",
            remedy="Use the topic without $share.",
        )
    if any("+" in level and level != "+" for level in levels):
        raise Invalid(f"In {filter!r} a + does not stand alone between slashes.")
    if any("#" in level for level in levels[:-1]) or ("#" in levels[-1] and levels[-1] != "#"):
        raise Invalid(f"In {filter!r} a # is not the whole last level.")


def matches(filter: str, topic: str) -> bool:
    """Whether messages of ``topic`` belong to ``filter``."""
    if topic.startswith("$") and filter[:1] in ("+", "#"):
        return False  # 4.7.2
    return _matches(filter.split("/"), topic.split("/"))


def covers(filter: str, other: str) -> bool:
    """Whether all topics of ``other`` belong to ``filter`` too."""
    return matches(filter, other)


def fewest(filters: Iterable[str]) -> set[str]:
    """The filters without those that others cover: a broker may send a message once for each filter that
    matches it (MQTT 3.1.1, 3.3.5)."""
    unique = set(filters)
    wild = [filter for filter in unique if filter.endswith("#") or "+" in filter]
    return {
        filter for filter in unique if not any(other != filter and covers(other, filter) for other in wild)
    }


def _matches(pattern: list[str], levels: list[str]) -> bool:
    for i, want in enumerate(pattern):
        if want == "#":
            return True
        if i >= len(levels) or levels[i] == "#":
            return False
        if want not in ("+", levels[i]):
            return False
    return len(pattern) == len(levels)
