"""asyncua's transport and client with bounds: chunk and message sizes are checked before bytes are kept, and
what the peer says about limits never widens ours (OPC 10000-6, 7.1.2)."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import urlparse

from asyncua.client.client import Client
from asyncua.client.ua_client import UaClient, UaClientState, UASocketProtocol
from asyncua.common.connection import TransportLimits
from asyncua.ua.ua_binary import nodeid_to_binary, struct_to_binary, uatcp_to_binary
from asyncua.ua.uaerrors import UaError

from weft.ua import guard
from weft.ua.stack import ua

__all__ = ["MAX_CHUNK", "MAX_MESSAGE", "Channel", "Dialogue", "Encoded"]

MAX_CHUNK: Final = 256 * 1024
MAX_MESSAGE: Final = 32 * 1024 * 1024
MAX_CHUNKS: Final = MAX_MESSAGE // 8192  # 8192 bytes is the smallest chunk a server may insist on
_HEADER: Final = 8
_SHORTEST_REASON: Final = 200

guard.install()


class Limits(TransportLimits):
    """What we accept is fixed; the server only says how large our own chunks may be."""

    def update_client_limits(self, msg: Any) -> None:
        if msg.ReceiveBufferSize < 8192:
            raise UaError(f"the server accepts chunks of {msg.ReceiveBufferSize} bytes only")
        self.max_send_buffer = min(int(msg.ReceiveBufferSize), 65535)


class Encoded:
    """A request whose parameters we have written ourselves: values keep every bit that asyncua's types lose."""

    def __init__(self, request: Any, parameters: bytes) -> None:
        self.RequestHeader = request.RequestHeader
        self._type = nodeid_to_binary(request.TypeId)
        self._parameters = parameters

    def binary(self) -> bytes:
        return bytes(self._type + struct_to_binary(self.RequestHeader) + self._parameters)


def _is_chunk(data: bytes) -> bool:
    """Exactly one, whole."""
    return _HEADER <= len(data) <= MAX_CHUNK and int.from_bytes(data[4:8], "little") == len(data)


class Channel(UASocketProtocol):
    """One connection. ``fault`` says why it was closed from this side, or what the peer gave as its reason."""

    def __init__(self, timeout: float, policy: Any) -> None:
        super().__init__(timeout, policy, Limits(MAX_CHUNK, 65535, MAX_CHUNKS, MAX_MESSAGE))
        self.fault = ""
        self._inbox = bytearray()

    def data_received(self, data: bytes) -> None:
        if not self._inbox and _is_chunk(data) and not self._closing:  # mostly: then nothing is copied
            self._hand_over(data)
            return
        self._inbox += data
        while len(self._inbox) >= _HEADER and not self._closing:
            size = int.from_bytes(self._inbox[4:8], "little")
            if not _HEADER <= size <= MAX_CHUNK:
                self._end(f"a chunk of {size} bytes; at most {MAX_CHUNK} are accepted")
            elif len(self._inbox) >= size:
                with memoryview(self._inbox) as inbox:
                    chunk = bytes(inbox[:size])
                del self._inbox[:size]
                self._hand_over(chunk)
            else:
                return

    def _hand_over(self, chunk: bytes) -> None:
        self._process_received_data(chunk)
        if self._closing and not self.fault:
            self.fault = "something that is not OPC UA"

    def _send_request(
        self, request: Any, timeout: float = 1, message_type: Any = ua.MessageType.SecureMessage
    ) -> asyncio.Future[Any]:
        if not isinstance(request, Encoded):
            return super()._send_request(request, timeout, message_type)
        if self.transport is None:
            raise ConnectionError("the connection is closed")
        self._setup_request_header(request.RequestHeader, timeout)
        self.revolve_security_token()
        number = self._request_id + 1
        message = self._connection.message_to_binary(
            request.binary(), message_type=message_type, request_id=number
        )
        self._request_id = number
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._callbackmap[number] = answer
        self.transport.write(message)
        return answer

    def connection_lost(self, exc: Exception | None) -> None:
        self._inbox.clear()
        super().connection_lost(exc)

    async def send_hello(self, url: str, max_messagesize: int = 0, max_chunkcount: int = 0) -> Any:
        hello = ua.Hello(
            ReceiveBufferSize=MAX_CHUNK,
            SendBufferSize=65535,
            MaxMessageSize=MAX_MESSAGE,
            MaxChunkCount=MAX_CHUNKS,
            EndpointUrl=url,
        )
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._callbackmap[0] = answer
        if self.transport is None:
            raise ConnectionError("the connection is closed")
        self.transport.write(uatcp_to_binary(ua.MessageType.Hello, hello))
        return await asyncio.wait_for(answer, self.timeout)

    def _process_received_message(self, msg: Any) -> None:
        if isinstance(msg, ua.ErrorMessage):
            reason = str(msg.Reason or "")[:_SHORTEST_REASON]
            self.fault = f"error {msg.Error.name}{f' ({reason})' if reason else ''}"
        super()._process_received_message(msg)

    @property
    def _closing(self) -> bool:
        return self.transport is None or self.transport.is_closing()

    def _end(self, why: str) -> None:
        self.fault = why
        self._inbox.clear()
        self.disconnect_socket()


class _Transport(UaClient):
    def adopt(self, transport: asyncio.Transport) -> None:
        """A connection that the server has made is as good as one of our own."""
        protocol = self._make_protocol()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        self._set_state(UaClientState.SOCKET_OPEN)
        transport.resume_reading()

    def _make_protocol(self) -> UASocketProtocol:
        self.protocol = Channel(self._timeout, self.security_policy)
        self.protocol.on_connection_lost = self._on_transport_lost
        self.protocol.is_session_closing = self._is_session_closing
        return self.protocol


class Dialogue(Client):
    """asyncua's client on a bounded channel, without its supervisor, watchdog and publish tasks: the caller
    goes through the steps itself."""

    def __init__(self, url: str, timeout: float) -> None:
        super().__init__(url, timeout)
        self.uaclient: _Transport = _Transport(timeout)
        self._last: Channel | None = None

    @property
    def channel(self) -> Channel:
        """The open connection. Raises ConnectionError."""
        if not isinstance(self.uaclient.protocol, Channel):
            raise ConnectionError("the connection is closed")
        self._last = self.uaclient.protocol
        return self._last

    @property
    def fault(self) -> str:
        protocol = self.uaclient.protocol if isinstance(self.uaclient.protocol, Channel) else self._last
        return protocol.fault if protocol is not None else ""

    @property
    def nonce(self) -> bytes:
        """The server's newest one, that the next log in must sign."""
        return bytes(self._server_nonce or b"")

    @nonce.setter
    def nonce(self, nonce: bytes) -> None:
        self._server_nonce = nonce or None  # type: ignore[assignment]  # asyncua starts with None

    def adopt(self, transport: asyncio.Transport, url: str) -> None:
        """Uses a connection that the server has made, and the name by which it knows itself."""
        if url.startswith("opc.tcp://"):
            self._server_url = urlparse(url)
        self.uaclient.adopt(transport)
        self._last = self.channel

    async def connect_socket(self) -> None:
        await self.uaclient.connect_socket(self.server_url.hostname or "", self.server_url.port or 4840)
        self._last = self.channel
