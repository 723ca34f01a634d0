"""Services that announce themselves on the local segment (multicast DNS, RFC 6762; OPC 10000-12, 4.3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import anyio

from weft.connect import Place

__all__ = ["SERVICES", "listen"]

# Service type -> protocol and scheme of its address.
SERVICES: Final = {
    "_opcua-tcp._tcp.local.": ("opcua", "opc.tcp"),
    "_mqtt._tcp.local.": ("mqtt", "mqtt"),
    "_secure-mqtt._tcp.local.": ("mqtt", "mqtts"),
    "_mtconnect._tcp.local.": ("mtconnect", "http"),
}
ASK: Final = 1.0


async def listen(seconds: float, interfaces: Sequence[str] | None = None) -> list[Place]:
    """What announces itself within ``seconds``; ``interfaces`` are our addresses to listen on, None is all."""
    from zeroconf import InterfaceChoice, ServiceStateChange
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

    heard: dict[str, str] = {}

    def change(zeroconf: Any, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is not ServiceStateChange.Removed:
            heard[name] = service_type

    zeroconf = AsyncZeroconf(interfaces=list(interfaces) if interfaces else InterfaceChoice.All)
    try:
        browser = AsyncServiceBrowser(zeroconf.zeroconf, list(SERVICES), handlers=[change])
        await anyio.sleep(seconds)
        await browser.async_cancel()
        places = []
        for name, kind in heard.items():
            info = AsyncServiceInfo(kind, name)
            if await info.async_request(zeroconf.zeroconf, ASK * 1000):
                places += _places(name, kind, info)
        return places
    finally:
        await zeroconf.async_close()


def _places(name: str, kind: str, info: Any) -> list[Place]:
    protocol, scheme = SERVICES[kind]
    properties = {
        key.decode(): (value or b"").decode("utf-8", "replace") for key, value in info.properties.items()
    }
    path = properties.get("path", "")
    hosts = [address for address in info.parsed_addresses() if ":" not in address]
    return [
        Place(
            protocol=protocol,
            address=f"{scheme}://{host}:{info.port}{path}",
            config=_config(protocol, scheme, host, info.port, path),
            title=name.removesuffix("." + kind),
            how="announced itself (mDNS)",
        )
        for host in hosts[:1]
    ]


def _config(protocol: str, scheme: str, host: str, port: int, path: str) -> dict[str, Any]:
    if protocol == "opcua":
        return {"endpoint": f"{scheme}://{host}:{port}{path}", "trust_on_first_use": True}
    if protocol == "mtconnect":
        return {"url": f"{scheme}://{host}:{port}{path}"}
    return {"host": host, "port": port, **({"tls": True} if scheme == "mqtts" else {})}
