"""One activated session with a server: opened or taken up again, used, left. Its services are the few that reading
needs."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
from asyncua.ua.ua_binary import struct_from_binary

from weft.connect.opcua import login
from weft.connect.opcua.channel import Dialogue
from weft.connect.opcua.config import Config
from weft.connect.opcua.decode import Value, read_timed, read_values
from weft.connect.opcua.faults import LOSSES, explained
from weft.connect.opcua.memory import Facts
from weft.connect.opcua.places import Places
from weft.connect.opcua.profile import Profile
from weft.connect.opcua.structures import Structures
from weft.ua import nodes
from weft.ua.stack import NodeId, ua

__all__ = ["Session", "discover", "session"]

SHORTEST: Final = 30.0  # s: an outage that the session outlives in any case
SPARE: Final = 30.0  # s: for coming back after it
_GOODBYE: Final = 1.0
_SHORTEST_LIFETIME: Final = 10.0  # s: whatever the server says, the channel is not renewed more often
_START_TIME: Final = ua.NodeId(ua.ObjectIds.Server_ServerStatus_StartTime)


class Session:
    """``namespaces`` is the server's NamespaceArray, ``started`` its start in ticks (0: it does not say).
    ``resumed``: it was there already, with what is subscribed in it. ``notes`` is for people."""

    def __init__(self, config: Config, dialogue: Dialogue) -> None:
        self.config = config
        self.namespaces: list[str] = []
        self.places = Places(self)
        self.profile = Profile()
        self.structures = Structures(self)
        self.started = 0
        self.resumed = False
        self.notes: list[str] = []
        self._dialogue = dialogue
        self.explained = functools.partial(explained, config.endpoint, dialogue)

    async def call(self, request: Any, answer: type[Any], timeout: float | None = None) -> Any:
        """One service. Raises what asyncua raises: use inside ``explained``."""
        data = await self._dialogue.uaclient._send_request(request, timeout)  # noqa: SLF001  # its public methods start tasks of their own
        result = struct_from_binary(answer, data)
        result.ResponseHeader.ServiceResult.check()
        return result

    async def raw(self, request: Any, timeout: float | None = None) -> bytes:
        """The response's bytes, for our own decoder."""
        return bytes(await self._dialogue.uaclient._send_request(request, timeout))  # noqa: SLF001  # see above

    async def read(self, wanted: Sequence[tuple[NodeId, int]]) -> list[tuple[int, int, Any]]:
        """(status, type, plain value) of each (node, attribute)."""
        request = ua.ReadRequest()
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Neither
        request.Parameters.NodesToRead = [
            ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds(attribute)) for node, attribute in wanted
        ]
        return read_values(await self.raw(request))

    async def values(self, wanted: Sequence[NodeId]) -> list[Value]:
        """What the nodes' values are now, each with its times."""
        request = ua.ReadRequest()
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.NodesToRead = [
            ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value) for node in wanted
        ]
        data = await self.raw(request)
        found = await self.structures.reading(lambda known, strange: read_timed(data, known, strange))
        if len(found) != len(wanted):
            raise ValueError(f"{len(found)} results for {len(wanted)} reads")
        return found

    def publish(self, request: Any) -> asyncio.Future[Any]:
        """Sends a PublishRequest without a time limit; the future brings the response's bytes."""
        return self._dialogue.channel._send_request(request, 0)  # noqa: SLF001  # asyncua keeps only one outstanding

    def node(self, text: str) -> NodeId:
        """Raises LookupError when the server has no such namespace."""
        node = nodes.parse(text)
        kinds = {"i": "Numeric", "s": "String", "g": "Guid", "b": "ByteString"}
        index = node.index_in(self.namespaces)
        return ua.NodeId(node.identifier, ua.Int16(index), ua.NodeIdType[kinds[node.kind]])

    async def keep_open(self) -> None:
        """Renews the channel's keys at three quarters of their life (OPC 10000-4, 5.5.2.1), for ever."""
        with self.explained():
            while True:
                lifetime = self._dialogue.secure_channel_timeout / 1000
                await anyio.sleep(max(lifetime, _SHORTEST_LIFETIME) * 0.75)
                await self._dialogue.open_secure_channel(renew=True)
                self._dialogue.uaclient.revolve_security_token()

    async def product(self) -> str:
        """What the server calls itself; empty when it does not say."""
        names = (
            ua.ObjectIds.Server_ServerStatus_BuildInfo_ProductName,
            ua.ObjectIds.Server_ServerStatus_BuildInfo_SoftwareVersion,
        )
        found = await self.read([(ua.NodeId(name), ua.AttributeIds.Value) for name in names])
        return " ".join(value for _, _, value in found if isinstance(value, str) and value)[:120]

    async def look_round(self) -> None:
        """Learns which server this is and what it calls its namespaces."""
        wanted = (ua.NodeId(ua.ObjectIds.Server_NamespaceArray), _START_TIME)
        names, started = await self.read([(node, ua.AttributeIds.Value) for node in wanted])
        ua.StatusCode(names[0]).check()
        self.namespaces = [str(uri) for uri in names[2] or []]
        self.started = started[2] if isinstance(started[2], int) else 0


@asynccontextmanager
async def session(config: Config, facts: Facts | None = None) -> AsyncIterator[Session]:
    """An activated session. With ``facts`` it is the one that they tell of where that is possible, and it is left
    behind open: what is subscribed in it lives on. Without, it is closed. Raises Retry or NeedsHuman."""
    dialogue = Dialogue(config.endpoint, config.timeout)
    dialogue.session_timeout = int(1000 * (max(config.outage_budget, SHORTEST) + SPARE))
    dialogue.name = dialogue.description = "Weft"
    dialogue.product_uri = "urn:weft"
    opened = Session(config, dialogue)
    try:
        with explained(config.endpoint, dialogue):
            opened.notes += await login.secure(config, dialogue)
            await login.reach(config, dialogue)
            await dialogue.send_hello()
            await dialogue.open_secure_channel()
            await _enter(opened, dialogue, facts)
        yield opened
    finally:
        await _leave(dialogue, close=facts is None or not facts.subscription)


async def discover(config: Config) -> list[Any]:
    """What the server offers, asked without security and without a session."""
    return await login.discover(config)


async def _enter(opened: Session, dialogue: Dialogue, facts: Facts | None) -> None:
    if facts is not None and facts.token and await _resume(opened, dialogue, facts):
        opened.resumed = True
    else:
        await dialogue.create_session()
        await login.log_in(opened.config, dialogue)
        await opened.look_round()
    if facts is not None:
        facts.token, facts.nonce = login.token_of(dialogue), dialogue.nonce
        facts.policies, facts.started = login.policies_of(dialogue), opened.started


async def _resume(opened: Session, dialogue: Dialogue, facts: Facts) -> bool:
    """Takes over the session on this new channel (OPC 10000-4, 5.7.3). False when there is none any more, or
    when it is another server's: some number their sessions from the same beginning at each start."""
    login.restore(dialogue, facts)
    facts.forget_session()  # whatever happens next, it is not tried twice
    try:
        await login.log_in(opened.config, dialogue)
        await opened.look_round()
    except ua.UaStatusCodeError:
        return False
    return bool(opened.started == facts.started)


async def _leave(dialogue: Dialogue, *, close: bool) -> None:
    """Leaves politely within a second; a server that does not answer forgets the session by itself."""
    with anyio.move_on_after(_GOODBYE, shield=True):
        try:
            if close:
                await dialogue.close_session()
            await dialogue.close_secure_channel()
        except LOSSES:
            pass  # it is lost already
    dialogue.disconnect_socket()
