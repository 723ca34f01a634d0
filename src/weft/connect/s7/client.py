"""One connection to a controller: ISO on TCP by python-snap7, one job at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio

from weft.connect.s7 import pdu
from weft.connect.s7.address import Config
from weft.connect.s7.pdu import BadPdu, Item, RequestError
from weft.runtime import NeedsHuman, Retry

__all__ = ["Client", "Unanswered", "connect", "tsaps"]

_TYPES = {"pg": 1, "op": 2, "basic": 3}
_STALE = 3


class Unanswered(Retry):
    """The connection was lost after the question had gone out: it may have been heard."""


def tsaps(config: Config) -> tuple[int, int]:
    """Our own and the controller's."""
    if config.local_tsap is not None and config.remote_tsap is not None:
        return config.local_tsap, config.remote_tsap
    return 0x0100, _TYPES[config.connection_type] << 8 | config.rack << 5 | config.slot


@asynccontextmanager
async def connect(config: Config) -> AsyncIterator[Client]:
    """An open connection. Raises Retry, NeedsHuman."""
    from snap7.async_client import AsyncISOTCPConnection  # a second to import: only who has an S7 pays for it
    from snap7.error import S7Error

    local, remote = tsaps(config)
    line = AsyncISOTCPConnection(config.host, config.port, local, remote)
    where = f"{config.host}:{config.port}"
    try:
        with anyio.fail_after(config.timeout * 2):
            await line.connect(config.timeout)
    except (S7Error, OSError, TimeoutError) as error:
        raise Retry(
            f"No S7 connection to {where}: {error or 'no answer'}.",
            remedy="Is the controller on, and are rack and slot (or the TSAPs) right?",
        ) from error
    client = Client(line, where, config.timeout, S7Error)
    try:
        await client.set_up(config.pdu)
        yield client
    finally:
        with anyio.move_on_after(1.0, shield=True):
            await line.disconnect()


class Client:
    """Asks for variables and writes them. Who asks while another job is out waits for his turn."""

    def __init__(self, line: Any, peer: str, timeout: float, error: type[Exception]) -> None:
        self.peer = peer
        self.pdu = 240
        self._line = line
        self._timeout = timeout
        self._error = error
        self._sequence = 0
        self._turn = anyio.Lock()
        self._lost: Retry | None = None

    async def set_up(self, size: int) -> None:
        """Agrees on the size of PDUs. Raises Retry, NeedsHuman."""
        answer, sequence = await self._ask(lambda sequence: pdu.setup(sequence, size))
        try:
            self.pdu = pdu.pdu_size(answer, sequence)
        except RequestError as error:
            raise self._refused(error) from error
        except BadPdu as error:
            raise self._broken(error) from error
        if self.pdu < 64:
            raise self._broken(BadPdu(f"PDUs of {self.pdu} bytes"))

    async def read(self, items: Sequence[Item]) -> list[bytes | int]:
        """The bytes of each item, or its return code. Raises RequestError, Retry."""
        answer, sequence = await self._ask(lambda sequence: pdu.read(sequence, items))
        try:
            return pdu.reads(answer, sequence, items)
        except BadPdu as error:
            raise self._broken(error) from error

    async def write(self, items: Sequence[Item], contents: Sequence[bytes]) -> list[int]:
        """The return code of each item; never sent twice. Raises RequestError, Unanswered when it may have happened,
        Retry when it has not."""
        answer, sequence = await self._ask(lambda sequence: pdu.write(sequence, items, contents))
        try:
            return pdu.writes(answer, sequence, len(items))
        except BadPdu as error:
            raise self._broken(error) from error

    async def _ask(self, request: Any) -> tuple[bytes, int]:
        async with self._turn:
            if self._lost is not None:
                raise Retry(self._lost.message, remedy=self._lost.remedy)
            self._sequence = self._sequence % 0xFFFF + 1
            sent = False
            answered = False
            try:
                with anyio.fail_after(self._timeout):
                    await self._line.send_data(request(self._sequence))
                    sent = True
                    answer = await self._answer()
                    answered = True
                    return answer, self._sequence
            except (self._error, OSError, TimeoutError) as error:
                why = (
                    f"{self.peer} did not answer within {self._timeout:g} s"
                    if isinstance(error, TimeoutError)
                    else f"The S7 connection to {self.peer} is lost: {error}"
                )
                raise (Unanswered if sent else Retry)(f"{why}.") from error
            except BadPdu as error:
                raise self._broken(error) from error
            finally:
                if not answered and self._lost is None:
                    # A later answer would be taken for that of the next question, were it cancelled or late.
                    self._lost = Retry(f"The S7 connection to {self.peer} was given up.")

    async def _answer(self) -> bytes:
        for _ in range(_STALE):
            answer: bytes = await self._line.receive_data()
            if pdu.sequence_of(answer) == self._sequence:
                return answer
        raise BadPdu("answers to other questions")

    def _broken(self, error: BadPdu) -> Unanswered:
        lost = Unanswered(f"{self.peer} sent what is no answer of an S7: {error}. The connection is dropped.")
        self._lost = lost
        return lost

    def _refused(self, error: RequestError) -> NeedsHuman:
        return NeedsHuman(
            f"{self.peer} refuses to communicate: {error}.",
            remedy="Allow PUT/GET access from remote partners in the CPU's protection settings.",
        )
