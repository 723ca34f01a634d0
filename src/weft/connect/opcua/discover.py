"""OPC UA servers: asked at given addresses for themselves and for those they know (OPC 10000-4, 5.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlsplit

from asyncua.client.client import Client

from weft.connect.api import Place, Scope
from weft.connect.opcua.faults import LOSSES
from weft.connect.probing import everywhere
from weft.runtime import Retry
from weft.ua import guard
from weft.ua.stack import ua

__all__ = ["discover"]

PORTS: Final = (4840, 4841, 48010, 48020, 49320, 53530, 62541)
NONE: Final = "http://opcfoundation.org/UA/SecurityPolicy#None"


async def discover(scope: Scope) -> AsyncIterator[Place]:
    guard.install()

    async def ask(host: str, port: int) -> list[Place]:
        return await _ask(host, port, scope.seconds / 2)

    told: set[str] = set()
    for place in await everywhere(scope.hosts, scope.ports or PORTS, ask, seconds=scope.seconds):
        if place.address not in told:
            told.add(place.address)
            yield place


async def _ask(host: str, port: int, seconds: float) -> list[Place]:
    url = f"opc.tcp://{host}:{port}"
    client = Client(url, timeout=seconds)
    try:
        servers = await client.connect_and_find_servers()
        endpoints = await client.connect_and_get_server_endpoints()
    except (*LOSSES, ua.UaStatusCodeError) as error:
        raise Retry(f"{url} does not answer.") from error
    own = [server for server in servers if any(_port(u) == port for u in server.DiscoveryUrls or [])]
    places = [_place(url, _title(own or servers), endpoints, "asked it for its endpoints")]
    others = [
        server
        for server in servers
        if server not in own and server.ApplicationType != ua.ApplicationType.Client
    ]
    # What a discovery server tells is dialled by nobody here: its addresses were not given to look at.
    places += [
        _place(known, _title([server]), None, f"registered at {url}")
        for server in others
        for known in (server.DiscoveryUrls or [])[:1]
    ]
    return places


def _place(url: str, title: str, endpoints: list[Any] | None, how: str) -> Place:
    policies = {endpoint.SecurityPolicyUri for endpoint in endpoints or []}
    config: dict[str, Any] = {"endpoint": url}
    if policies == {NONE}:
        config["security"] = "none"
    else:
        config["trust_on_first_use"] = True
    return Place(protocol="opcua", address=url, config=config, title=title, how=how)


def _title(servers: list[Any]) -> str:
    return ", ".join(str(server.ApplicationName.Text or server.ApplicationUri) for server in servers[:1])


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None
