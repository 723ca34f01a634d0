"""Servers that say what cannot be true: a clear error, in bounded time and memory, and the line tries again."""

import resource
import struct
from contextlib import asynccontextmanager
from types import SimpleNamespace

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from asyncua import ua
from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.common.utils import Buffer
from asyncua.crypto.security_policies import SecurityPolicyNone
from asyncua.ua.ua_binary import header_from_binary, struct_from_binary, struct_to_binary, uatcp_to_binary

from weft.connect import Recorder
from weft.connect.opcua import OpcUa
from weft.connect.opcua import channel as channel_module
from weft.runtime import Retry

pytestmark = [pytest.mark.anyio, pytest.mark.card("opcua", "bad_input")]

HELLO, OPEN, SESSION = "hello", "open", "session"
HUGE = 2**31 - 1


def chunk(kind, size, rest=b""):
    return kind + b"F" + struct.pack("<I", size) + rest


def session_answer(extra=struct.pack("<BBB", 0, 0, 0), tail=b""):
    """A CreateSessionResponse whose header ends with ``extra`` (its AdditionalHeader) and goes on with tail."""
    return b"\x01\x00" + struct.pack("<H", 464) + struct.pack("<qIIBi", 0, 1, 0, 0, 0) + extra + tail


def pair(variant):
    """An ExtensionObject, KeyValuePair, that holds a Variant's bytes."""
    body = struct.pack("<Hi", 0, -1) + variant
    number = ua.ObjectIds.KeyValuePair_Encoding_DefaultBinary
    return b"\x01\x00" + struct.pack("<HBi", number, 1, len(body)) + body


class Script:
    """A server that behaves until ``step`` and then sends ``answer`` as it is, or as the body of a response."""

    def __init__(self, step, answer, *, endless=False):
        self.step, self.answer, self.endless = step, answer, endless
        self.closed = anyio.Event()
        self._secure = SecureConnection(SecurityPolicyNone(), TransportLimits())

    async def serve(self, stream):
        received = BufferedByteReceiveStream(stream)
        try:
            async with stream:
                while True:
                    head = await received.receive_exactly(8)
                    data = head + await received.receive_exactly(int.from_bytes(head[4:], "little") - 8)
                    await self._reply(stream, head[:3], data)
        except (
            anyio.EndOfStream,
            anyio.IncompleteRead,
            anyio.BrokenResourceError,
            anyio.ClosedResourceError,
        ):
            self.closed.set()

    async def _reply(self, stream, kind, data):
        step = {b"HEL": HELLO, b"OPN": OPEN, b"MSG": SESSION}.get(kind)
        if step is None:
            return
        if step != self.step:
            await stream.send(self._hello() if step == HELLO else self._open(data))
        elif step == SESSION and not self.endless:
            await stream.send(self._respond(data))
        else:
            await stream.send(self.answer)
            while self.endless:
                await stream.send(self.answer)

    def _hello(self):
        sizes = {"ReceiveBufferSize": 65535, "SendBufferSize": 65535}
        return uatcp_to_binary(ua.MessageType.Acknowledge, ua.Acknowledge(**sizes))

    def _message(self, data):
        buffer = Buffer(data)
        return self._secure.receive_from_header_and_body(header_from_binary(buffer), buffer)

    def _open(self, data):
        message = self._message(data)
        request = struct_from_binary(ua.OpenSecureChannelRequest, message.body())
        response = ua.OpenSecureChannelResponse()
        server = SimpleNamespace(get_new_channel_id=lambda: 5)
        response.Parameters = self._secure.open(request.Parameters, server)
        return self._secure.message_to_binary(
            struct_to_binary(response), ua.MessageType.SecureOpen, message.request_id()
        )

    def _respond(self, data):
        message = self._message(data)
        return self._secure.message_to_binary(self.answer, request_id=message.request_id())


@asynccontextmanager
async def listening(script):
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, script.serve)
        yield f"opc.tcp://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
        group.cancel_scope.cancel()


async def ends(kit, script, match, timeout=1.0):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with anyio.fail_after(15):
        async with listening(script) as url:
            with pytest.raises(Retry, match=match):
                await OpcUa(kit.config(url, timeout=timeout)).run(Recorder([]))
            await script.closed.wait()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "a chunk of"),
        (chunk(b"ACK", HUGE), f"a chunk of {HUGE} bytes"),
        (chunk(b"ACK", 0), "a chunk of 0 bytes"),
        (chunk(b"ACK", 12, b"\0" * 4), "not OPC UA"),
        (chunk(b"XYZ", 12, b"\0" * 4), "not OPC UA"),
        (chunk(b"ACK", 28, struct.pack("<5I", 0, 1, 1, 1, 1)), "not OPC UA"),
        (chunk(b"ERR", 20, struct.pack("<Ii", 0x807D0000, 4) + b"busy"), r"BadTcpServerTooBusy \(busy\)"),
        (b"", "in time"),
        (b"ACKF\x1c\x00\x00\x00\x00", "in time"),
    ],
)
async def test_instead_of_the_acknowledgement(kit, answer, match):
    await ends(kit, Script(HELLO, answer), match)


async def test_bytes_without_end_before_a_header_is_true(kit):
    await ends(kit, Script(HELLO, chunk(b"ACK", 2**32 - 1) + bytes(65536), endless=True), "a chunk of")


async def test_chunks_without_end(kit, monkeypatch):
    monkeypatch.setattr(channel_module, "MAX_MESSAGE", 1 << 20)
    body = bytes(60_000)

    class Endless(Script):
        async def _reply(self, stream, kind, data):
            if kind != b"MSG":
                return await super()._reply(stream, kind, data)
            request, number = self._message(data).request_id(), 1
            token = self._secure.security_token
            while True:
                number += 1
                head = struct.pack("<III", token.TokenId, number, request)
                size = 12 + len(head) + len(body)
                await stream.send(b"MSGC" + struct.pack("<II", size, token.ChannelId) + head + body)

    await ends(kit, Endless(SESSION, b""), "BadRequestTooLarge|not OPC UA")


@pytest.mark.parametrize(
    "answer",
    [
        session_answer(tail=struct.pack("<BHi", 3, 0, -5)),
        session_answer(tail=struct.pack("<BHi", 3, 0, HUGE)),
        session_answer(tail=b"\0\1\0\2" + struct.pack("<diii", 1000.0, -1, -1, HUGE)),
        session_answer(extra=pair(struct.pack("<Bi", 0x80, HUGE))),
        session_answer(extra=pair(struct.pack("<Bi", 0x80 | 24, HUGE))),
        session_answer(extra=pair(struct.pack("<Biiii", 0xC0 | 1, 0, 2, 1000, 1000))),
        session_answer(extra=pair(b"\x18" * 30_000)),
        session_answer(extra=pair(b"\x19" + b"\x40" * 30_000)),
        b"\xff" * 100,
        bytes(range(256)),
    ],
)
async def test_instead_of_a_session(kit, answer):
    await ends(kit, Script(SESSION, answer), "cannot be read")
