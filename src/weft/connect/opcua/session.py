"""One activated session with a server: opened, used, closed. Its services are the few that reading needs."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import anyio.to_thread
from asyncua.client.client import _first_cert_from_chain
from asyncua.crypto import security_policies
from asyncua.ua.ua_binary import struct_from_binary
from cryptography import x509

from weft.connect.opcua import trust
from weft.connect.opcua.channel import Dialogue
from weft.connect.opcua.config import Config
from weft.connect.opcua.decode import read_values
from weft.connect.opcua.faults import LOSSES, explained
from weft.connect.opcua.places import Places
from weft.runtime import NeedsHuman
from weft.ua import certificate, nodes
from weft.ua.stack import NodeId, ua

__all__ = ["Session", "discover", "session"]

_SESSION_TIMEOUT: Final = 60_000  # ms: a session that nobody closed is soon forgotten by the server
_GOODBYE: Final = 1.0
_SHORTEST_LIFETIME: Final = 10.0  # s: whatever the server says, the channel is not renewed more often


class Session:
    """``namespaces`` is the server's NamespaceArray."""

    def __init__(self, config: Config, dialogue: Dialogue) -> None:
        self.config = config
        self.namespaces: list[str] = []
        self.places = Places(self)
        self._dialogue = dialogue
        self.explained = functools.partial(explained, config.endpoint, dialogue)

    async def call(self, request: Any, answer: type[Any], timeout: float | None = None) -> Any:
        """One service. Raises what asyncua raises: use inside ``explained``."""
        data = await self._dialogue.uaclient._send_request(request, timeout)  # noqa: SLF001  # its public methods start tasks of their own
        result = struct_from_binary(answer, data)
        result.ResponseHeader.ServiceResult.check()
        return result

    async def raw(self, request: Any) -> bytes:
        """The response's bytes, for our own decoder."""
        return bytes(await self._dialogue.uaclient._send_request(request))  # noqa: SLF001  # see above

    async def read(self, wanted: Sequence[tuple[NodeId, int]]) -> list[tuple[int, int, Any]]:
        """(status, type, plain value) of each (node, attribute)."""
        request = ua.ReadRequest()
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Neither
        request.Parameters.NodesToRead = [
            ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds(attribute)) for node, attribute in wanted
        ]
        return read_values(await self.raw(request))

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


@asynccontextmanager
async def session(config: Config) -> AsyncIterator[Session]:
    """An activated session. Raises Retry or NeedsHuman."""
    dialogue = Dialogue(config.endpoint, config.timeout)
    dialogue.session_timeout = _SESSION_TIMEOUT
    dialogue.name = dialogue.description = "Weft"
    dialogue.product_uri = "urn:weft"
    try:
        with explained(config.endpoint, dialogue):
            await _secure(config, dialogue)
            await dialogue.connect_socket()
            await dialogue.send_hello()
            await dialogue.open_secure_channel()
            await dialogue.create_session()
            await _log_in(config, dialogue)
            opened = Session(config, dialogue)
            opened.namespaces = await _namespaces(opened)
        yield opened
    finally:
        await _close(dialogue)


async def discover(config: Config) -> list[Any]:
    """What the server offers, asked without security and without a session."""
    dialogue = Dialogue(config.endpoint, config.timeout)
    with explained(config.endpoint, dialogue):
        return list(await dialogue.connect_and_get_server_endpoints())


async def _secure(config: Config, dialogue: Dialogue) -> None:
    if config.security == "none":
        dialogue.application_uri = "urn:weft"
        return
    identity = await anyio.to_thread.run_sync(certificate.own_identity, config.folder)
    policy = getattr(security_policies, f"SecurityPolicy{config.policy}")
    mode = ua.MessageSecurityMode[config.security]
    shown = trust.pinned(config) if config.server_certificate else None
    if shown is None:
        offered = await discover(config)
        endpoint = Dialogue.find_endpoint(offered, mode, policy.URI)
        shown = _first_cert_from_chain(endpoint.ServerCertificate or b"")
        trust.trust(config, shown)
    dialogue.application_uri = identity.uri
    server: Any = x509.load_der_x509_certificate(shown)
    dialogue.security_policy = policy(server, identity.certificate, identity.key, mode)
    dialogue.uaclient.set_security(dialogue.security_policy)


async def _log_in(config: Config, dialogue: Dialogue) -> None:
    if not config.user:
        await dialogue.activate_session()
        return
    policy = dialogue.server_policy(ua.UserTokenType.UserName)
    readable = policy.SecurityPolicyUri in (None, "", security_policies.SecurityPolicyNone.URI)
    if readable and config.security != "SignAndEncrypt" and not config.password_in_clear:
        raise NeedsHuman(
            f"The password would travel to {config.endpoint} readable for everybody on the way.",
            remedy='Use security = "SignAndEncrypt", or say password_in_clear = true.',
        )
    await dialogue.activate_session(config.user, config.secret())


async def _namespaces(opened: Session) -> list[str]:
    node = ua.NodeId(ua.ObjectIds.Server_NamespaceArray)
    [(status, _, value)] = await opened.read([(node, ua.AttributeIds.Value)])
    ua.StatusCode(status).check()
    return [str(uri) for uri in value or []]


async def _close(dialogue: Dialogue) -> None:
    """Leaves politely within a second; a server that does not answer forgets the session by itself."""
    with anyio.move_on_after(_GOODBYE, shield=True):
        try:
            await dialogue.close_session()
            await dialogue.close_secure_channel()
        except LOSSES:
            pass  # it is lost already
    dialogue.disconnect_socket()
