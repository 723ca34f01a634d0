"""Looking for machines: on the local segment by listening, and at addresses that were given, nowhere else."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

import anyio

from weft.connect import Discovers, Place, Scope
from weft.onboard import mdns
from weft.runtime import Denied, Invalid, WeftError, get_logger, plugins

__all__ = ["MOST_HOSTS", "addresses", "look"]

log = get_logger(__name__)

MOST_HOSTS: Final = 4096
GROUP: Final = "weft.connectors"


def addresses(given: Sequence[str]) -> tuple[str, ...]:
    """Hosts from names, addresses, networks (``10.0.0.0/28``) and ranges (``10.0.0.5-20``). Raises Invalid for more
    than 4,096 of them: that is no plant, and takes too long."""
    hosts: dict[str, None] = {}
    for text in given:
        for host in _hosts(text.strip()):
            hosts[host] = None
            if len(hosts) > MOST_HOSTS:
                raise Invalid(
                    f"{', '.join(given)} are more than {MOST_HOSTS:,} addresses.",
                    remedy="Give smaller ranges.",
                )
    return tuple(hosts)


def _hosts(text: str) -> Iterable[str]:
    try:
        if "/" in text:
            network = ipaddress.ip_network(text, strict=False)
            return map(str, network.hosts() if network.num_addresses > 2 else network)
        start, dash, end = text.rpartition("-")
        if dash and _is_address(start):
            first = ipaddress.IPv4Address(start)
            # "10.0.0.5-20" counts in the last byte.
            last = ipaddress.IPv4Address(end if "." in end else f"{start.rpartition('.')[0]}.{end}")
            if last < first:
                raise ValueError("it ends before it begins")
            return (str(ipaddress.IPv4Address(number)) for number in range(int(first), int(last) + 1))
    except ValueError as error:
        raise Invalid(
            f"{text!r} is no range of addresses: {error}.", remedy="Like 10.0.0.0/28 or 10.0.0.5-20."
        ) from error
    return [text]


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


async def look(
    scope: Scope, *, protocols: Sequence[str] = (), interface: str = ""
) -> tuple[list[Place], list[str]]:
    """(what answers, what could not be asked and why), each place once, the surest way of finding it first."""
    found: list[Place] = []
    remarks: list[str] = []

    async def listening() -> None:
        try:
            found.extend(await mdns.listen(scope.seconds))
        except OSError as error:
            remarks.append(f"mDNS cannot be listened to: {error.strerror or error}.")

    async def stations() -> None:
        try:
            found.extend(await _stations(interface, scope.seconds))
        except (Denied, OSError) as error:
            remarks.append(str(error))

    async def asking(kind: Discovers) -> None:
        found.extend([place async for place in _walk(kind, scope)])

    async with anyio.create_task_group() as group:
        for name in protocols or plugins.names(GROUP):
            kind = _kind(name, remarks)
            if kind is not None:
                group.start_soon(asking, kind)
        if scope.listen:
            group.start_soon(listening)
            if interface:
                group.start_soon(stations)
    once = {(place.protocol, place.address): place for place in reversed(found)}
    return sorted(once.values(), key=lambda place: (place.address, place.protocol)), remarks


async def _walk(kind: Discovers, scope: Scope) -> AsyncIterator[Place]:
    async for place in kind.discover(scope):
        yield place


def _kind(name: str, remarks: list[str]) -> Discovers | None:
    try:
        kind = plugins.load(GROUP, name)
    except WeftError as error:
        remarks.append(error.message)
        return None
    return kind if hasattr(kind, "discover") else None


async def _stations(interface: str, seconds: float) -> list[Place]:
    from weft.onboard.dcp import identify_all

    return [
        Place(
            protocol="profinet",
            address=station.address or station.mac,
            config={},
            title=" ".join(
                filter(None, [station.name, station.vendor, f"({station.role})" if station.role else ""])
            ),
            how=f"PROFINET DCP, {station.mac}",
        )
        for station in await identify_all(interface, seconds)
    ]
