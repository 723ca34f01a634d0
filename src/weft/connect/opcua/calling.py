"""Browse and Read for many nodes in calls of the right size: nothing that one node does fails the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias, TypeVar

import anyio
from asyncua.ua.uaerrors import UaStatusCodeError

from weft.connect.opcua import services
from weft.connect.opcua.decode import read_values
from weft.connect.opcua.profile import Pace, Profile
from weft.connect.opcua.services import BROWSE, BROWSE_NEXT, READ, Answer, Question
from weft.connect.opcua.session import Session
from weft.model import quality
from weft.runtime import Retry
from weft.ua.guard import FAULTS
from weft.ua.stack import ua

__all__ = ["Calls", "Result", "line_lost"]

REFERENCES_AT_ONCE: Final = 1000
MAX_PAGES: Final = 10_000
MAX_LINKS: Final = 1_000_000  # of one node
MAX_TIMEOUTS: Final = 3  # in a row, with a single node each: that is the server, not the nodes
_NO_POINTS: Final = 0x804B0000  # BadNoContinuationPoints

Result: TypeAlias = "tuple[int, int, object]"
"""Status, type, plain value."""
_T = TypeVar("_T")
_Q = TypeVar("_Q")

_LINE_LOST: Final = {
    ua.StatusCodes.BadCommunicationError,
    ua.StatusCodes.BadConnectionClosed,
    ua.StatusCodes.BadConnectionRejected,
    ua.StatusCodes.BadDisconnect,
    ua.StatusCodes.BadInvalidState,
    ua.StatusCodes.BadNoCommunication,
    ua.StatusCodes.BadSecureChannelClosed,
    ua.StatusCodes.BadSecureChannelIdInvalid,
    ua.StatusCodes.BadSecureChannelTokenUnknown,
    ua.StatusCodes.BadServerHalted,
    ua.StatusCodes.BadServerNotConnected,
    ua.StatusCodes.BadSessionClosed,
    ua.StatusCodes.BadSessionIdInvalid,
    ua.StatusCodes.BadSessionNotActivated,
    ua.StatusCodes.BadShutdown,
}

_TOO_MUCH: Final = {
    quality.BAD_TIMEOUT,
    ua.StatusCodes.BadTooManyOperations,
    ua.StatusCodes.BadEncodingLimitsExceeded,
    ua.StatusCodes.BadRequestTooLarge,
    ua.StatusCodes.BadResponseTooLarge,
    ua.StatusCodes.BadTcpMessageTooLarge,
}


class Calls:
    """On one session; the paces, which are what was learned about the server, may outlive it."""

    def __init__(self, session: Session, profile: Profile) -> None:
        self.session = session
        self.browse_pace = profile.browse_pace()
        self.read_pace = profile.read_pace()
        self._timeouts = 0

    async def browse(self, questions: Sequence[Question]) -> list[Answer]:
        """All references of each node, also those that come page by page; what cannot be had has a bad status,
        and the references that came before it. Raises what asyncua raises when the line is lost."""
        found = await self._split(questions, self._browse_once, self.browse_pace, _failed_answer)
        for at, answer in enumerate(found):
            if answer.status == _NO_POINTS and len(questions) > 1:
                # The server's continuation points were all in use by the other nodes of the call.
                [found[at]] = await self._split(
                    [questions[at]], self._browse_once, self.browse_pace, _failed_answer
                )
        return found

    async def read(self, wanted: Sequence[tuple[bytes, int]]) -> list[Result]:
        """Of each (node, attribute)."""
        return await self._split(wanted, self._read_once, self.read_pace, _failed_result)

    async def _split(
        self,
        asked: Sequence[_Q],
        once: Callable[[Sequence[_Q]], Awaitable[list[_T]]],
        pace: Pace,
        failed: Callable[[int], _T],
    ) -> list[_T]:
        """In calls of the pace's size; one that fails as a whole is asked again in halves, until the culprit is
        alone."""
        found: list[_T] = []
        size = pace.size
        while len(found) < len(asked):
            part = asked[len(found) : len(found) + min(size, pace.size)]
            begun = anyio.current_time()
            try:
                found += await once(part)
            except (*FAULTS, TimeoutError) as error:
                status = self._status(error, len(part))
                if len(part) == 1:
                    found.append(failed(status))
                    continue
                if status in _TOO_MUCH:
                    pace.failed(len(part))
                size = len(part) // 2
            else:
                self._timeouts, size = 0, 2 * size
                pace.took(len(part), anyio.current_time() - begun)
        return found

    def _status(self, error: BaseException, count: int) -> int:
        """Of what a call failed with; raises it again when the line is lost, and Retry when the server is silent."""
        if isinstance(error, TimeoutError):
            self._timeouts += count == 1
            if self._timeouts > MAX_TIMEOUTS:
                raise Retry(f"{self.session.config.endpoint} does not answer any more.") from error
            return quality.BAD_TIMEOUT
        if isinstance(error, UaStatusCodeError):
            if line_lost(error):
                raise error
            return int(error.code)
        return quality.BAD_DECODING_ERROR

    async def _browse_once(self, questions: Sequence[Question]) -> list[Answer]:
        body = services.browse_body(questions, REFERENCES_AT_ONCE)
        data = await services.ask(self.session, BROWSE, body)
        found = services.answers(data, BROWSE, self.session.namespaces)
        if len(found) != len(questions):
            raise ValueError(f"{len(found)} results for {len(questions)} nodes")
        return await self._pages(found)

    async def _pages(self, found: list[Answer]) -> list[Answer]:
        for _ in range(MAX_PAGES):
            open_ends = [at for at, answer in enumerate(found) if answer.more]
            if not open_ends:
                break
            points = [found[at].more or b"" for at in open_ends]
            data = await services.ask(self.session, BROWSE_NEXT, services.browse_next_body(points))
            following = services.answers(data, BROWSE_NEXT, self.session.namespaces)
            if len(following) != len(points):
                raise ValueError(f"{len(following)} results for {len(points)} continuation points")
            for at, page in zip(open_ends, following, strict=True):
                links = found[at].links
                links += page.links
                endless = not page.links or len(links) > MAX_LINKS
                found[at] = Answer(found[at].status or page.status, None if endless else page.more, links)
        return found

    async def _read_once(self, wanted: Sequence[tuple[bytes, int]]) -> list[Result]:
        found = read_values(await services.ask(self.session, READ, services.read_body(wanted)))
        if len(found) != len(wanted):
            raise ValueError(f"{len(found)} results for {len(wanted)} reads")
        return list(found)


def line_lost(error: BaseException) -> bool:
    """Whether it says that the session or its channel is gone, not that a request was wrong."""
    return isinstance(error, UaStatusCodeError) and int(error.code) in _LINE_LOST


def _failed_answer(status: int) -> Answer:
    return Answer(status, None, [])


def _failed_result(status: int) -> Result:
    return status, 0, None
