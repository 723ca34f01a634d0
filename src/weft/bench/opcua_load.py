"""An OPC UA server at a rate that no server of the registries sends.

asyncua does the handshake; what its subscriptions publish is pre-encoded and only patched, so that the load
costs little beside the client that is measured. Any node may be monitored. Each step changes every item once:
its value is the step's number (of a UInt16 its lowest 16 bits, of a Boolean its lowest bit), its source time
the step's, so that a consumer can count what it got. Nothing is dropped: without a PublishRequest the server
waits.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Final

import anyio
import numpy as np
from asyncua.server import binary_server_asyncio as binary_server
from asyncua.server import uaprocessor
from asyncua.server.server import Server
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, struct_to_binary

from weft.model.instant import to_filetime
from weft.ua.stack import ua

__all__ = ["TYPES", "serve"]

_IDS: Final = ua.ObjectIds
_MESSAGE: Final = 10_000  # items in one response
_BACKLOG: Final = 50  # messages that may wait for a PublishRequest before the steps wait too
_QUIET: Final = 0.3  # s after the last item was created
TYPES: Final = {
    "doubles": [(11, "<f8")],
    "mixed": [(11, "<f8"), (6, "<i4"), (10, "<f4"), (5, "<u2"), (1, "u1")],
}
_Processor: Final[Any] = uaprocessor.UaProcessor


class Load:
    """Data changes of one session, encoded once; a step is a few column writes."""

    def __init__(self, handles: list[int], types: list[tuple[int, str]]) -> None:
        self._parts = []
        self.items = len(handles)
        for i, (kind, dtype) in enumerate(types):
            own = handles[i :: len(types)]
            for at in range(0, len(own), _MESSAGE):
                self._parts.append(_columns(own[at : at + _MESSAGE], kind, dtype))

    def step(self, number: int, ns: int) -> list[bytes]:
        """The DataChangeNotification bodies of a step."""
        ticks = to_filetime(ns)
        bodies: list[list[bytes]] = [[]]
        counts = [0]
        for part in self._parts:
            part["source"] = part["server"] = ticks
            width = part.dtype["value"]
            part["value"] = (
                number % 2 if part["type"][0] == 1 else number % 65536 if width == "<u2" else number
            )
            if counts[-1] + len(part) > _MESSAGE:
                bodies.append([])
                counts.append(0)
            bodies[-1].append(part.tobytes())
            counts[-1] += len(part)
        none = (0).to_bytes(4, "little")
        return [
            n.to_bytes(4, "little") + b"".join(body) + none for n, body in zip(counts, bodies, strict=True)
        ]


def _columns(handles: list[int], kind: int, dtype: str) -> Any:
    layout = [
        ("handle", "<u4"),
        ("mask", "u1"),
        ("type", "u1"),
        ("value", dtype),
        ("source", "<i8"),
        ("server", "<i8"),
    ]
    columns = np.zeros(len(handles), dtype=layout)
    columns["handle"], columns["mask"], columns["type"] = handles, 0x0D, kind
    return columns


class Stream:
    """What one session is sent."""

    def __init__(self, processor: LoadProcessor) -> None:
        self.handles: list[int] = []
        self.changed = 0.0
        self.steps = 0
        self.requests: deque[tuple[int, int]] = deque()  # request handle, request id
        self.subscription = 1
        self.processor = processor
        self._load = Load([], [])
        self._waiting: deque[bytes] = deque()
        self._sequence = 0

    def tick(self, now: float, kinds: str, most: int) -> None:
        if not self.handles or now - self.changed < _QUIET:
            return  # the client is still creating items
        if self._load.items != len(self.handles):
            self._load = Load(self.handles, TYPES[kinds])
        if len(self._waiting) < _BACKLOG and not (most and self.steps >= most):
            self.steps += 1
            self._waiting.extend(self._load.step(self.steps, time.time_ns()))
        self.flush()

    def flush(self) -> None:
        while self._waiting and self.requests:
            handle, request = self.requests.popleft()
            self._sequence += 1
            change = ua.ExtensionObject(
                TypeId=ua.NodeId(_IDS.DataChangeNotification_Encoding_DefaultBinary),
                Body=self._waiting.popleft(),
            )
            response = ua.PublishResponse()
            response.ResponseHeader.RequestHandle = handle
            response.Parameters.SubscriptionId = self.subscription
            response.Parameters.NotificationMessage.SequenceNumber = self._sequence
            response.Parameters.NotificationMessage.NotificationData = [change]
            self.processor.answer(response, request)


class LoadProcessor(_Processor):  # type: ignore[misc]  # asyncua is not typed there
    """asyncua's, with subscriptions of our own."""

    streams: Final[list[Stream]] = []

    def answer(self, response: Any, request: int) -> None:
        data = self._connection.message_to_binary(struct_to_binary(response), request_id=request)
        self._transport.write(data)

    async def process_message(self, seqhdr: Any, body: Any) -> Any:
        rest = body.copy()
        kind = nodeid_from_binary(rest).Identifier
        header = struct_from_binary(ua.RequestHeader, rest)
        if kind == _IDS.PublishRequest_Encoding_DefaultBinary:
            stream = self._stream()
            stream.requests.append((header.RequestHandle, seqhdr.RequestId))
            stream.flush()
            return True
        if kind == _IDS.CreateSubscriptionRequest_Encoding_DefaultBinary:
            response = _subscribed(struct_from_binary(ua.CreateSubscriptionParameters, rest))
        elif kind == _IDS.CreateMonitoredItemsRequest_Encoding_DefaultBinary:
            response = self._monitored(struct_from_binary(ua.CreateMonitoredItemsParameters, rest))
        else:
            return await super().process_message(seqhdr, body)
        response.ResponseHeader.RequestHandle = header.RequestHandle
        self.answer(response, seqhdr.RequestId)
        return True

    async def close(self) -> None:
        self.streams[:] = [stream for stream in self.streams if stream.processor is not self]
        await super().close()

    def _stream(self) -> Stream:
        for stream in self.streams:
            if stream.processor is self:
                return stream
        self.streams.append(Stream(self))
        return self.streams[-1]

    def _monitored(self, asked: Any) -> Any:
        stream = self._stream()
        response = ua.CreateMonitoredItemsResponse()
        for item in asked.ItemsToCreate:
            stream.handles.append(item.RequestedParameters.ClientHandle)
            result = ua.MonitoredItemCreateResult(MonitoredItemId=len(stream.handles))
            result.RevisedSamplingInterval = item.RequestedParameters.SamplingInterval
            result.RevisedQueueSize = item.RequestedParameters.QueueSize
            response.Results.append(result)
        stream.changed = anyio.current_time()
        return response


def _subscribed(asked: Any) -> Any:
    response = ua.CreateSubscriptionResponse()
    response.Parameters.SubscriptionId = 1
    response.Parameters.RevisedPublishingInterval = asked.RequestedPublishingInterval
    response.Parameters.RevisedLifetimeCount = asked.RequestedLifetimeCount
    response.Parameters.RevisedMaxKeepAliveCount = asked.RequestedMaxKeepAliveCount
    return response


async def serve(
    port: int, items: int, rate: float, kinds: str = "mixed", steps: int = 0, *, spread: bool = False
) -> None:
    """Serves until cancelled, and prints its port. ``rate`` is value changes per second of a client that
    monitors ``items``; ``steps`` ends a session's changes after that many, 0 never. ``spread``: the sessions'
    steps follow each other at even distances instead of all at once."""
    setattr(binary_server, "UaProcessor", LoadProcessor)  # noqa: B010  # asyncua has no place to ask for it
    server: Any = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    async with server:
        print(server.bserver.port, flush=True)
        due = anyio.current_time()
        while True:
            begun = list(LoadProcessor.streams)
            for turn in [[stream] for stream in begun] if spread and begun else [begun]:
                pause = items / rate / (len(begun) if spread and begun else 1)
                due = max(due + pause, anyio.current_time() - 1.0)  # a second of delay is made up for
                await anyio.sleep(max(0.0, due - anyio.current_time()))
                for stream in turn:
                    stream.tick(anyio.current_time(), kinds, steps)
