"""OPC UA: our decoder of responses, asyncua's with our bounds, and the channel below both."""

from __future__ import annotations

import struct
import uuid
from datetime import UTC, datetime

import asyncua.ua.ua_binary as binary
import numpy as np
from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.utils import Buffer
from fuzz.target import Target, pieces

from weft.connect.opcua.change import read_changes
from weft.connect.opcua.channel import Channel
from weft.connect.opcua.decode import Decoder, read_call, read_history, read_timed, read_values
from weft.connect.opcua.handles import Handles
from weft.connect.opcua.walk import walk
from weft.model import ValueType, decode, encode
from weft.ua.definition import OPTIONAL, UNION, Definition, Field
from weft.ua.guard import FAULTS
from weft.ua.variant import BadEncoding, Reader

RECEIVED = 1_790_000_000_123_456_789
MOMENT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
POINT = Definition("Point", 0, (Field("x", ValueType.DOUBLE), Field("names", ValueType.STRING, 1)))
KNOWN = {
    "ns=2;i=1": POINT,
    "ns=2;i=2": Definition(
        "Optional",
        OPTIONAL,
        (
            Field("a", ValueType.INT32, optional=True),
            Field("m", ValueType.BYTE, 2),
            Field("p", 0, 1, inner=POINT),
        ),
    ),
    "ns=2;i=3": Definition("Union", UNION, (Field("a", ValueType.VARIANT), Field("b", 0, inner=POINT))),
    "ns=2;i=4": None,
}


def _variants() -> list[ua.Variant]:
    kind = ua.VariantType
    node = ua.NodeId("a", 2)
    values = [
        (True, kind.Boolean), (-1, kind.SByte), (255, kind.Byte), (-2, kind.Int16), (3, kind.UInt16),
        (-4, kind.Int32), (5, kind.UInt32), (-(2**62), kind.Int64), (2**63, kind.UInt64), (1.5, kind.Float),
        (-2.5, kind.Double), ("äbc", kind.String), (MOMENT, kind.DateTime), (uuid.UUID(int=7), kind.Guid),
        (b"\x00\xff", kind.ByteString), (ua.XmlElement("<a/>"), kind.XmlElement), (node, kind.NodeId),
        (ua.StatusCode(0x80310000), kind.StatusCode), (ua.QualifiedName("q", 1), kind.QualifiedName),
        (ua.LocalizedText("text", "en"), kind.LocalizedText), (ua.Range(0.0, 9.0), kind.ExtensionObject),
        (ua.DataValue(ua.Variant(1.0)), kind.DataValue),
        (ua.DiagnosticInfo(SymbolicId=1, AdditionalInfo="more"), kind.DiagnosticInfo),
    ]  # fmt: skip
    made = [ua.Variant(value, name) for value, name in values]
    made += [ua.Variant([value] * 3, name, is_array=True) for value, name in values]
    made.append(ua.Variant([[1, 2], [3, 4]], kind.Int32, Dimensions=[2, 2], is_array=True))
    made.append(ua.Variant([ua.Variant(1.0), ua.Variant("x")], kind.Variant, is_array=True))
    point = struct.pack("<di", 1.5, 2) + struct.pack("<i1si2s", 1, b"a", 2, b"bc")
    for number, body in (
        (1, point),
        (2, struct.pack("<Ii", 1, 7) + struct.pack("<iiiI", 2, 1, 2, 9)),
        (4, b"??"),
    ):
        made.append(ua.Variant(ua.ExtensionObject(ua.NodeId(number, 2), body), kind.ExtensionObject))
    return made


def _items(copies: int = 1) -> list[ua.MonitoredItemNotification]:
    made = []
    for number, value in enumerate(_variants() * copies, 1):
        stamps = (MOMENT if number % 3 else None, MOMENT if number % 2 else None)
        made.append(
            ua.MonitoredItemNotification(
                number, ua.DataValue(value, ua.StatusCode(0x480 if number % 5 == 0 else 0), *stamps)
            )
        )
    return made


def _publish(*notifications: object) -> bytes:
    response = ua.PublishResponse()
    response.Parameters.SubscriptionId = 7
    response.Parameters.AvailableSequenceNumbers = [1, 2]
    response.Parameters.NotificationMessage.SequenceNumber = 2
    response.Parameters.NotificationMessage.NotificationData = list(notifications)
    return bytes(binary.struct_to_binary(response))


def _publish_seeds() -> list[bytes]:
    items = _items()
    doubles = [
        ua.MonitoredItemNotification(n, ua.DataValue(ua.Variant(float(n)), SourceTimestamp=MOMENT))
        for n in range(1, 170)
    ]
    event = ua.EventNotificationList([ua.EventFieldList(1, [ua.Variant("alarm"), ua.Variant(500)])])
    status = ua.StatusChangeNotification(ua.StatusCode(0x800A0000))
    seeds = [_publish(ua.DataChangeNotification(part)) for part in ([], doubles, items[:8], items[20:40])]
    seeds += [_publish(ua.DataChangeNotification([item])) for item in items]
    seeds += [_publish(event), _publish(status), _publish(), _publish(ua.DataChangeNotification(doubles * 2))]
    return [b"\0" + seed for seed in seeds] + [bytes((200,)) + seed for seed in seeds[4:40]]


HANDLES = Handles()
for _number in range(1, 400):
    HANDLES.give(_number)


def _decoder() -> Decoder:
    return Decoder(HANDLES, KNOWN)


def _publish_run(data: bytes) -> None:
    """The same message twice, the second time perhaps by its layout, is the same; what it holds can travel. With a
    first byte that is not 0, its items also as a long message: both ways through it find the same."""
    if not data:
        return
    decoder, copies, data = _decoder(), data[0], data[1:]
    try:
        note = decoder.publish(data, RECEIVED)
    except FAULTS:
        return
    again = decoder.publish(data, RECEIVED)
    for one, other in zip(note.batches, again.batches, strict=True):
        assert one.bits.tobytes() == other.bits.tobytes()
        assert one.time.tobytes() == other.time.tobytes()
        assert repr(one.heap) == repr(other.heap)
        assert len(decode(encode(one))) == len(one)  # type: ignore[arg-type]  # a batch comes back as one
    if copies:
        _both_ways(data[60:], copies)


def _both_ways(data: bytes, n: int) -> None:
    def outcome(read: object) -> object:
        try:
            return read(Reader(data, known=KNOWN))  # type: ignore[operator]
        except FAULTS:
            return None

    walked = outcome(lambda reader: walk(reader, n))
    changes = outcome(lambda reader: read_changes(reader, n))
    if walked is None or changes is None:
        return  # a message that is cut off, or with picoseconds, which walk leaves alone
    found = walked[0]  # type: ignore[index]
    for name in ("handle", "type", "bits", "status", "source", "server"):
        assert np.array_equal(getattr(found, name), getattr(changes, name)), name
    assert repr(found.heap) == repr(changes.heap)  # type: ignore[attr-defined]


def _variant_seeds() -> list[bytes]:
    seeds = [bytes(binary.variant_to_binary(value)) for value in _variants()]
    return [bytes((form,)) + seed for seed in seeds for form in (0, 1)]


def _variant_run(data: bytes) -> None:
    """With the server's own structures, or without any."""
    reader = Reader(data, 1, known=KNOWN if data[:1] > b"\x7f" else None, strange=set())
    try:
        while reader.pos < reader.end:
            reader.variant()
            assert reader.pos <= reader.end
    except (BadEncoding, struct.error):
        return


def _responses() -> list[object]:
    values = [ua.DataValue(value, SourceTimestamp=MOMENT) for value in _variants()]
    read = ua.ReadResponse()
    read.Results = values[:12]
    call = ua.CallResponse()
    call.Results = [
        ua.CallMethodResult(OutputArguments=_variants()[:4], InputArgumentResults=[ua.StatusCode(0)])
    ]
    history = ua.HistoryReadResponse()
    history.Results = [
        ua.HistoryReadResult(HistoryData=ua.HistoryData(DataValues=values[:5]), ContinuationPoint=b"more")
    ]
    fault = ua.ServiceFault()
    fault.ResponseHeader.ServiceResult = ua.StatusCode(0x80100000)
    republish = ua.RepublishResponse()
    republish.NotificationMessage.NotificationData = [ua.DataChangeNotification(_items()[:4])]
    return [read, call, history, fault, republish]


_SERVICES = (
    read_values,
    lambda data: read_timed(data, KNOWN, set()),
    lambda data: read_history(data, KNOWN),
    lambda data: read_call(data, KNOWN),
    lambda data: _decoder().republish(data, 7, RECEIVED),
)


def _service_seeds() -> list[bytes]:
    made = [bytes(binary.struct_to_binary(response)) for response in _responses()]
    return [bytes((number,)) + data for data in made for number in range(len(_SERVICES))]


def _service_run(data: bytes) -> None:
    if data:
        try:
            _SERVICES[data[0] % len(_SERVICES)](data[1:])
        except FAULTS:
            return


_STACK = (
    ua.CreateSessionRequest, ua.ActivateSessionRequest, ua.CreateSubscriptionRequest, ua.ReadRequest, ua.WriteRequest,
    ua.CreateMonitoredItemsRequest, ua.BrowseRequest, ua.CallRequest, ua.HistoryReadRequest, ua.PublishRequest,
    ua.TranslateBrowsePathsToNodeIdsRequest, ua.GetEndpointsResponse, ua.CreateSessionResponse, ua.BrowseResponse,
    ua.CreateMonitoredItemsResponse, ua.ReadResponse, ua.HistoryReadResponse, ua.OpenSecureChannelResponse,
)  # fmt: skip


def _stack_seeds() -> list[bytes]:
    made = [bytes((number,)) + bytes(binary.struct_to_binary(kind())) for number, kind in enumerate(_STACK)]
    made += [bytes((200,)) + bytes(binary.variant_to_binary(value)) for value in _variants()]
    made += [bytes((15,)) + bytes(binary.struct_to_binary(_responses()[0]))]
    write = ua.WriteRequest()
    write.Parameters.NodesToWrite = [
        ua.WriteValue(ua.NodeId("x", 2), ua.AttributeIds.Value, None, ua.DataValue(value))
        for value in _variants()
    ]
    return [*made, bytes((4,)) + bytes(binary.struct_to_binary(write))]


def _stack_run(data: bytes) -> None:
    if not data:
        return
    try:
        if data[0] >= 200:
            binary.variant_from_binary(Buffer(data[1:]))
        elif data[0] >= 190:
            binary.extensionobject_from_binary(Buffer(data[1:]))
        else:
            binary.struct_from_binary(_STACK[data[0] % len(_STACK)], Buffer(data[1:]))
    except FAULTS:
        return


class _Transport:
    closed = False

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


_POLICY = Client("opc.tcp://localhost").security_policy


def _channel_seeds() -> list[bytes]:
    acknowledge = bytes(
        binary.uatcp_to_binary(ua.MessageType.Acknowledge, ua.Acknowledge(0, 65535, 65535, 0, 0))
    )
    error = bytes(
        binary.uatcp_to_binary(ua.MessageType.Error, ua.ErrorMessage(ua.StatusCode(0x80010000), "why"))
    )
    body = bytes(binary.struct_to_binary(ua.ServiceFault()))
    message = struct.pack("<III", 0, 0, 0) + struct.pack("<I", 1) + body
    chunk = b"MSGF" + struct.pack("<I", 8 + len(message)) + message
    part = b"MSGC" + struct.pack("<I", 8 + len(message)) + message
    return [b"\0" + acknowledge, b"\x07" + error, b"\0" + acknowledge + chunk, b"\x40" + part + chunk]


def _channel_run(data: bytes) -> None:
    """Whatever comes: the channel closes itself, or goes on; it keeps no more than a chunk may have."""
    channel = Channel(1.0, _POLICY)
    channel.connection_made(_Transport())
    for piece in pieces(data):
        channel.data_received(piece)
    assert len(channel._inbox) <= len(data)


publish = Target(_publish_run, _publish_seeds)
variant = Target(_variant_run, _variant_seeds)
services = Target(_service_run, _service_seeds)
stack = Target(_stack_run, _stack_seeds)
channel = Target(_channel_run, _channel_seeds)
