"""Storing messages in a stream: all of one call as one atomic batch, repeats recognised by their ids."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

import anyio
import msgspec

from weft.bus.api import Draft
from weft.bus.jetstream import Acknowledged, ApiError, is_duplicate, meaning
from weft.bus.session import Session, Waiter
from weft.model import encode
from weft.runtime import Invalid, NeedsHuman, NotFound, Retry, WeftError

__all__ = ["Publisher", "id_header", "payload"]

OPEN_BATCHES: Final = 16  # the server keeps 50 of a stream open, those of other processes among them
ACK_TIME: Final = 10.0  # seconds; an fsync can take long on a busy disk


def payload(draft: Draft, session: Session) -> bytes:
    """The bytes of a message. Raises Invalid when they are too many."""
    try:
        data = encode(draft.body)
    except ValueError as error:
        raise Invalid(f"A message for {draft.subject!r} cannot be sent: {error}.") from error
    session.check_payload(data)
    return data


def id_header(draft: Draft) -> dict[str, str]:
    return {"Nats-Msg-Id": draft.id} if draft.id else {}


class Publisher:
    """Turns drafts and their payloads into one answer each. Raises Retry."""

    def __init__(self) -> None:
        self._open = anyio.CapacityLimiter(OPEN_BATCHES)

    async def store(
        self, session: Session, drafts: Sequence[Draft], payloads: Sequence[bytes]
    ) -> list[Acknowledged]:
        if len(drafts) == 1:
            return await self._singly(session, drafts, payloads)
        async with self._open:
            answer = await self._batch(session, drafts, payloads)
        if is_duplicate(answer):
            # The server refuses the whole batch and does not say which are the repeats. One by one each is
            # either known or stored now; a repeat costs no fsync.
            return await self._singly(session, drafts, payloads)
        if answer.error is not None:
            raise _refusal(answer.error, f"{len(drafts)} messages for {drafts[0].subject!r}")
        return [answer] * len(drafts)

    async def _batch(
        self, session: Session, drafts: Sequence[Draft], payloads: Sequence[bytes]
    ) -> Acknowledged:
        """All or none (nats.io, ADR-50)."""
        batch, last = secrets.token_hex(8), len(drafts) - 1
        subject = drafts[0].subject
        with session.waiting() as waiter, session.limit(f"the batch for {subject!r}", ACK_TIME):
            for i, (draft, data) in enumerate(zip(drafts, payloads, strict=True)):
                headers = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(i + 1), **id_header(draft)}
                if i == last:
                    headers["Nats-Batch-Commit"] = "1"
                await session.publish(draft.subject, data, headers, waiter.inbox if i == last else "")
            return await _answer(session, waiter, subject)

    async def _singly(
        self, session: Session, drafts: Sequence[Draft], payloads: Sequence[bytes]
    ) -> list[Acknowledged]:
        """All sent before the first answer is awaited, stored in this order."""
        subject = drafts[0].subject
        with ExitStack() as stack:
            waiters = [stack.enter_context(session.waiting()) for _ in drafts]
            with session.limit(f"the message for {subject!r}", ACK_TIME):
                for draft, data, waiter in zip(drafts, payloads, waiters, strict=True):
                    await session.publish(draft.subject, data, id_header(draft), waiter.inbox)
                answers = [await _answer(session, waiter, subject) for waiter in waiters]
        refused = next((answer for answer in answers if answer.error is not None), None)
        if refused is not None and refused.error is not None:
            raise _refusal(refused.error, f"a message for {subject!r}")
        return answers


async def _answer(session: Session, waiter: Waiter, subject: str) -> Acknowledged:
    try:
        reply = await session.reply(waiter, subject)
    except NotFound as error:
        raise Retry(f"The stream of {subject!r} is not there now.") from error
    return msgspec.json.decode(reply.data, type=Acknowledged)


def _refusal(error: ApiError, what: str) -> WeftError:
    found = meaning(error, what)
    # A full disk needs a person, but the message can wait for that: its publisher must keep it.
    return Retry(found.message, remedy=found.remedy) if isinstance(found, NeedsHuman) else found
