"""Subjects: text as one token and back, the ISA-95 subjects of samples, the subjects of events, patterns.

A token holds letters, digits, ``-``, ``_``, ``~`` and ``%XX`` for every other byte of its UTF-8 form, so that
a subject is safe in NATS, as an MQTT topic through NATS' mapping, and in a shell. Empty text is ``%``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from weft.runtime import Invalid

__all__ = [
    "check_pattern",
    "check_subject",
    "covers",
    "escape",
    "events_subject",
    "matches",
    "overlap",
    "parse_events",
    "parse_samples",
    "samples_subject",
    "unescape",
]

_EMPTY: Final = "%"
_SAMPLES: Final = ["uns", "v1"]
_RAW: Final = "_raw"
_EVENTS: Final = ["events", "v1"]

LONGEST: Final = 2_000  # the server's control line holds 4,096 bytes with a reply subject and numbers


def escape(text: str) -> str:
    """One token for any text; :func:`unescape` gives it back."""
    # Lone surrogates occur in names that a device sent in no known encoding.
    return quote(text, safe="", errors="surrogatepass").replace(".", "%2E") or _EMPTY


def unescape(token: str) -> str:
    """The text of a token. Raises Invalid for a token that :func:`escape` never makes."""
    if token == _EMPTY:
        return ""
    try:
        text = unquote(token, errors="surrogatepass")
    except UnicodeDecodeError as error:
        raise Invalid(f"{token!r} is not an escaped token: it is not UTF-8.") from error
    if escape(text) != token:
        raise Invalid(f"{token!r} is not an escaped token.")
    return text


def samples_subject(home: str, connection: str) -> str:
    """Where the samples of a connection go: its home is a path of the hierarchy, ``enterprise/site/area``
    (ISA-95; IEC 62264-1, 5.3.2), and ``_raw`` says that no contract shapes them."""
    return ".".join([*_SAMPLES, *map(escape, home.split("/")), _RAW, escape(connection)])


def parse_samples(subject: str) -> tuple[str, str]:
    """Home path and connection of :func:`samples_subject`. Raises Invalid."""
    tokens = subject.split(".")
    if tokens[:2] != _SAMPLES or len(tokens) < 5 or tokens[-2] != _RAW:
        raise Invalid(f"{subject!r} is not a subject of samples.")
    return "/".join(map(unescape, tokens[2:-2])), unescape(tokens[-1])


def events_subject(kind: str, source: str) -> str:
    """Where an event goes: the parts of its kind are tokens, its source is one more."""
    return ".".join([*_EVENTS, *map(escape, kind.split(".")), escape(source)])


def parse_events(subject: str) -> tuple[str, str]:
    """Kind and source of :func:`events_subject`. Raises Invalid."""
    tokens = subject.split(".")
    if tokens[:2] != _EVENTS or len(tokens) < 4:
        raise Invalid(f"{subject!r} is not a subject of events.")
    return ".".join(map(unescape, tokens[2:-1])), unescape(tokens[-1])


@lru_cache(maxsize=65_536)
def matches(pattern: str, subject: str) -> bool:
    """Whether the subject is one of the pattern's: ``*`` is one token, a final ``>`` one or more."""
    return covers(pattern, subject)


def covers(outer: str, inner: str) -> bool:
    """Whether every subject of the pattern ``inner`` is one of ``outer``."""
    wide, narrow = outer.split("."), inner.split(".")
    for i, part in enumerate(wide):
        if i >= len(narrow):
            return False
        if part == ">":
            return True
        if narrow[i] == ">" or (part not in {"*", narrow[i]}):
            return False
    return len(wide) == len(narrow)


def overlap(one: str, other: str) -> bool:
    """Whether some subject is one of both patterns."""
    left, right = one.split("."), other.split(".")
    for a, b in zip(left, right, strict=False):
        if ">" in {a, b}:
            return True
        if a != b and "*" not in {a, b}:
            return False
    return len(left) == len(right)


@lru_cache(maxsize=65_536)
def check_subject(subject: str) -> str:
    """The subject, when it is one. Raises Invalid for empty tokens, wildcards, blanks and control signs."""
    check_pattern(subject)
    if "*" in subject or ">" in subject:
        raise Invalid(
            f"{subject!r} is a pattern, not a subject.", remedy="Escape names with subjects.escape."
        )
    return subject


@lru_cache(maxsize=4_096)
def check_pattern(pattern: str) -> str:
    """The pattern, when it is one. Raises Invalid."""
    tokens = pattern.split(".")
    wrong = (
        not all(tokens)
        or " " in pattern
        or not pattern.isprintable()  # no control signs, and no surrogates that UTF-8 refuses
        or any(("*" in token or ">" in token) and len(token) > 1 for token in tokens)
        or ">" in tokens[:-1]
        or len(pattern.encode()) > LONGEST
    )
    if wrong:
        raise Invalid(f"{pattern[:200]!r} is not a subject.", remedy="Escape names with subjects.escape.")
    return pattern
