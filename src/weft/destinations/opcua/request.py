"""A request as it came: its header read with our own bounded reader (OPC 10000-4, 7.32)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary

from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.publishing import header
from weft.ua.guard import FAULTS
from weft.ua.variant import BadEncoding, Reader

if TYPE_CHECKING:
    from weft.destinations.opcua.connection import Connection
    from weft.destinations.opcua.session import Session

__all__ = ["Request", "fault", "raw"]


class Request:
    """``body`` stands behind the header. ``hint`` is the client's time limit in seconds, 0 for none. ``session``
    is set where the service needs one."""

    def __init__(self, connection: Connection, id: int, data: bytes) -> None:
        self.connection = connection
        self.id = id
        self.handle = 0
        self.session: Session
        self.body = Reader(data)
        try:
            self.kind = self.body.node()
            self.token = self.body.node()
            self.body.skip(8)
            self.handle = self.body.u32()
            self.body.skip(4)
            self.audit = self.body.text()
            self.hint = self.body.u32() / 1000
            self._skip_extension()
        except (BadEncoding, ValueError) as error:
            raise Refused(code.BadDecodingError, str(error)) from error

    def read(self, form: Any) -> Any:
        """The parameters with asyncua's decoder. Raises Refused."""
        try:
            return struct_from_binary(form, Buffer(self.body.data[self.body.pos :]))
        except FAULTS as error:
            raise Refused(code.BadDecodingError, f"{type(error).__name__}: {error}"[:200]) from error

    def answer(self, response: Any) -> None:
        response.ResponseHeader.RequestHandle = self.handle
        self.connection.respond(self.id, bytes(struct_to_binary(response)))

    def answer_raw(self, kind: int, body: bytes) -> None:
        self.connection.respond(self.id, raw(kind, self.handle) + body)

    def deadline(self, otherwise: float) -> float:
        """Seconds that an answer may take."""
        return min(self.hint, otherwise) if self.hint else otherwise

    def expires(self) -> float:
        """Monotonic; never when the client set no limit."""
        return time.monotonic() + self.hint if self.hint else float("inf")

    def _skip_extension(self) -> None:
        """The additional header: whatever is in it, nobody looks."""
        self.body.node()
        if self.body.u8():
            self.body.octets()


def raw(kind: int, handle: int, status: int = 0) -> bytes:
    """Type and ResponseHeader of a response."""
    return b"\x01\x00" + kind.to_bytes(2, "little") + header(handle, status)


def fault(handle: int, status: int) -> bytes:
    """A ServiceFault."""
    return raw(397, handle, status)
