"""Browse and Read for many nodes: requests written and responses read without an object per reference
(OPC 10000-4, 5.9 and 5.11; 10000-6, 5.2). A node is its NodeId's bytes, in the shortest form, so that the same
node is the same bytes."""

from __future__ import annotations

import asyncio
import struct
import uuid
from collections.abc import Sequence
from typing import Final, NamedTuple

from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import struct_to_binary

from weft.connect.opcua.channel import Channel
from weft.connect.opcua.decode import response
from weft.connect.opcua.session import Session
from weft.ua.nodes import Node, parse
from weft.ua.stack import ua
from weft.ua.variant import BadEncoding, Reader

__all__ = [
    "BROWSE",
    "BROWSE_NEXT",
    "FORWARD",
    "INVERSE",
    "READ",
    "Answer",
    "Link",
    "Question",
    "answers",
    "ask",
    "browse_body",
    "browse_next_body",
    "encoded",
    "number",
    "read_body",
    "text_of",
]

BROWSE: Final = int(ObjectIds.BrowseRequest_Encoding_DefaultBinary)
BROWSE_NEXT: Final = int(ObjectIds.BrowseNextRequest_Encoding_DefaultBinary)
READ: Final = int(ObjectIds.ReadRequest_Encoding_DefaultBinary)
FORWARD: Final = 0
INVERSE: Final = 1
_ANSWERS: Final = {
    BROWSE: f"i={ObjectIds.BrowseResponse_Encoding_DefaultBinary}",
    BROWSE_NEXT: f"i={ObjectIds.BrowseNextResponse_Encoding_DefaultBinary}",
}
_ALL_FIELDS: Final = 63
_NEITHER: Final = 3
_NO_VIEW: Final = b"\0\0" + bytes(8 + 4)
_PLAIN: Final = struct.pack("<iHi", -1, 0, -1)  # no index range, default encoding
_U32: Final = struct.Struct("<I")
_SMALLEST_RESULT: Final = 12
_SMALLEST_LINK: Final = 20


class Question(NamedTuple):
    """``kind`` is a reference type, its subtypes included; ``classes`` a NodeClass mask, 0 all."""

    node: bytes
    direction: int
    kind: bytes
    classes: int


class Link(NamedTuple):
    """A reference. ``node`` is None for a node of another server, ``type`` without a type definition."""

    kind: bytes
    node: bytes | None
    name: str
    text: str
    node_class: int
    type: bytes | None


class Answer(NamedTuple):
    """To one question; ``more`` is the continuation point."""

    status: int
    more: bytes | None
    links: list[Link]


async def ask(session: Session, service: int, body: bytes) -> bytes:
    """The response's bytes to a request that is written already. Raises what asyncua raises: use inside
    ``explained``."""
    timeout = session.config.timeout
    dialogue = session._dialogue  # noqa: SLF001  # its services write an object per node
    return bytes(await asyncio.wait_for(_send(dialogue.channel, service, body, timeout), timeout))


def _send(channel: Channel, service: int, body: bytes, timeout: float) -> asyncio.Future[bytes]:
    """As asyncua's ``_send_request``, without its way of writing requests."""
    if channel.transport is None:
        raise ConnectionError("the connection is closed")
    header = ua.RequestHeader()
    channel._setup_request_header(header, timeout)  # noqa: SLF001  # see above
    channel.revolve_security_token()
    request = channel._request_id + 1  # noqa: SLF001  # see above
    message = channel._connection.message_to_binary(  # noqa: SLF001  # see above
        number(service) + struct_to_binary(header) + body,
        message_type=ua.MessageType.SecureMessage,
        request_id=request,
    )
    channel._request_id = request  # noqa: SLF001  # see above
    answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    channel._callbackmap[request] = answer  # noqa: SLF001  # see above
    channel.transport.write(message)
    return answer


def number(identifier: int, namespace: int = 0) -> bytes:
    """A numeric NodeId in its shortest form (OPC 10000-6, 5.2.2.9)."""
    if namespace == 0 and identifier <= 0xFF:
        return bytes((0, identifier))
    if namespace <= 0xFF and identifier <= 0xFFFF:
        return struct.pack("<BBH", 1, namespace, identifier)
    return struct.pack("<BHI", 2, namespace, identifier)


def encoded(node: Node, namespaces: Sequence[str]) -> bytes:
    """Raises LookupError when the server has no such namespace."""
    index = node.index_in(namespaces)
    identifier = node.identifier
    if isinstance(identifier, int):
        return number(identifier, index)
    if isinstance(identifier, uuid.UUID):
        return struct.pack("<BH", 4, index) + identifier.bytes_le
    raw = identifier.encode() if isinstance(identifier, str) else identifier
    return struct.pack("<BHi", 3 if node.kind == "s" else 5, index, len(raw)) + raw


def browse_body(questions: Sequence[Question], most: int) -> bytes:
    """Everything behind the request's header; at most ``most`` references for a node in one answer."""
    parts = [_NO_VIEW, struct.pack("<Ii", most, len(questions))]
    for node, direction, kind, classes in questions:
        parts += (node, struct.pack("<i", direction), kind, struct.pack("<?II", True, classes, _ALL_FIELDS))
    return b"".join(parts)


def browse_next_body(points: Sequence[bytes], *, release: bool = False) -> bytes:
    parts = [struct.pack("<?i", release, len(points))]
    for point in points:
        parts += (struct.pack("<i", len(point)), point)
    return b"".join(parts)


def read_body(
    wanted: Sequence[tuple[bytes, int]], *, timestamps: int = _NEITHER, max_age: float = 0.0
) -> bytes:
    """(node, attribute) pairs; ``timestamps`` as in OPC 10000-4, 7.40; ``max_age`` in seconds: how old a value that
    the server has already may be."""
    parts = [struct.pack("<dii", max_age * 1000.0, timestamps, len(wanted))]
    for node, attribute in wanted:
        parts += (node, _U32.pack(attribute), _PLAIN)
    return b"".join(parts)


def answers(data: bytes, service: int, namespaces: Sequence[str]) -> list[Answer]:
    """Of a Browse or BrowseNext response. Raises BadEncoding, or UaStatusCodeError when the service failed."""
    reader = Reader(data)
    response(reader, _ANSWERS[service])
    return [_answer(reader, namespaces) for _ in range(reader.count(_SMALLEST_RESULT))]


def _answer(reader: Reader, namespaces: Sequence[str]) -> Answer:
    status = reader.u32()
    more = reader.octets()
    links = [_link(reader, namespaces) for _ in range(reader.count(_SMALLEST_LINK))]
    return Answer(status, more or None, links)


def _link(reader: Reader, namespaces: Sequence[str]) -> Link:
    kind = _node(reader, namespaces) or b"\0\0"
    reader.u8()  # is it forward: as it was asked for
    node = _node(reader, namespaces)
    reader.u16()
    name = reader.text() or ""
    mask = reader.u8()
    if mask & 1:
        reader.octets()
    text = (reader.text() or "") if mask & 2 else ""
    node_class = reader.u32()
    return Link(kind, node, name, text, node_class, _node(reader, namespaces))


def _node(reader: Reader, namespaces: Sequence[str]) -> bytes | None:
    """None for the null node and for one of another server."""
    data, at = reader.data, reader.pos
    form = reader.u8()
    if form <= 1:
        reader.skip(1 if form == 0 else 3)
        raw = data[at : reader.pos]
        short = form == 0 or (raw[1] == 0 and raw[3] == 0)
        if short and form == 1:
            raw = bytes((0, raw[2]))
        return None if raw == b"\0\0" else raw
    kind = form & 0x3F
    if form == 2:
        namespace, identifier = reader.u16(), reader.u32()
        return number(identifier, namespace)
    if form in (3, 5):
        reader.u16()
        reader.octets()
        return data[at : reader.pos]
    if form == 4:
        reader.skip(18)
        return data[at : reader.pos]
    if kind > 5:
        raise BadEncoding(f"NodeId of unknown form {kind}")
    reader.pos = at
    return _expanded(reader, namespaces)


def _expanded(reader: Reader, namespaces: Sequence[str]) -> bytes | None:
    """With a namespace's URI, or the number of another server."""
    text = reader.node()
    if text.startswith("svr="):
        return None
    try:
        return encoded(parse(text), namespaces)
    except (LookupError, ValueError):
        return None


def text_of(node: bytes, namespaces: Sequence[str]) -> str:
    """As an address says it: with the namespace's URI, which stays when the server numbers anew. Namespace 1 is
    the server's own and stays number 1 (OPC 10000-5, 6.3.1)."""
    text = Reader(node).node()
    head, _, rest = text.partition(";")
    if not rest or not head.startswith("ns="):
        return text
    index = int(head[3:])
    if index < 2 or index >= len(namespaces):
        return text
    return f"nsu={namespaces[index].replace('%', '%25').replace(';', '%3B')};{rest}"
