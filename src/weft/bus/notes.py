"""Small documents that the bus keeps by name: the newest of each, written only over the one that was read.

A stream keeps one message per subject, and refuses one that expects another predecessor (nats.io, ADR-4)."""

from __future__ import annotations

from typing import Final

import msgspec

from weft.bus import jetstream
from weft.bus.api import Note
from weft.bus.session import Session
from weft.bus.subjects import escape
from weft.model import instant
from weft.runtime import NotFound

__all__ = ["ROOT", "read", "subject", "write"]

ROOT: Final = "weft.note"


def subject(name: str) -> str:
    """Where the note of this name lies; names are parted by ``/``."""
    return ".".join([ROOT, *map(escape, name.split("/"))])


async def read(session: Session, name: str) -> Note | None:
    """Raises Retry."""
    try:
        reply = await session.ask(f"$JS.API.DIRECT.GET.{jetstream.NOTES}.{subject(name)}", b"")
    except NotFound:
        return None  # nobody has written any note yet
    headers = reply.headers or {}
    if "Nats-Sequence" not in headers:
        return None
    time = instant.parse_instant(headers["Nats-Time-Stamp"])
    return Note(reply.data, int(headers["Nats-Sequence"]), time)


async def write(session: Session, name: str, body: bytes, revision: int | None) -> int:
    """Raises Conflict when the newest note is not that revision, Retry when there is no answer."""
    headers = {} if revision is None else {"Nats-Expected-Last-Subject-Sequence": str(revision)}
    session.check_payload(body)
    try:
        reply = await session.ask(subject(name), body, headers or None)
    except NotFound:
        await jetstream.ensure_register(session, jetstream.NOTES, ROOT)
        reply = await session.ask(subject(name), body, headers or None)
    answer = msgspec.json.decode(reply.data, type=jetstream.Acknowledged)
    if answer.error is not None:
        raise jetstream.meaning(answer.error, f"the note {name!r}")
    return answer.seq
