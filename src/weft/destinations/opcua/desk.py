"""Where wishes of clients go out to the house and answers come back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import anyio

from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.pipe import Answer, Wish
from weft.destinations.opcua.request import Request
from weft.runtime import get_logger

__all__ = ["Desk"]

log = get_logger(__name__)


class Desk:
    """``tell`` sends to the parent."""

    def __init__(self, tell: Callable[[Wish], None], timeout: float) -> None:
        self._tell = tell
        self._timeout = timeout
        self._last = 0
        self._waiting: dict[int, tuple[anyio.Event, list[Answer]]] = {}

    async def write(self, request: Request, path: str, value: Any, reason: str = "") -> int:
        """The status of a wish to write ``path``; BadTimeout when nobody answered in time: then it may still be
        carried out. Raises Refused without a user."""
        user = request.session.user
        if user is None:
            raise Refused(code.BadUserAccessDenied)
        seconds = request.deadline(self._timeout)
        self._last += 1
        id, arrived = self._last, anyio.Event()
        answers: list[Answer] = []
        self._waiting[id] = (arrived, answers)
        try:
            expires = time.time_ns() + int(seconds * 1e9)
            self._tell(Wish(id, path, value, user.actor, reason[:1000], expires))
            with anyio.move_on_after(seconds):
                await arrived.wait()
        finally:
            del self._waiting[id]
        if not answers:
            return int(code.BadTimeout)
        if answers[0].status:
            log.info("write refused", path=path, actor=user.actor, why=answers[0].reason)
        return answers[0].status

    def answered(self, answer: Answer) -> None:
        waiting = self._waiting.get(answer.id)
        if waiting is not None:
            waiting[1].append(answer)
            waiting[0].set()
