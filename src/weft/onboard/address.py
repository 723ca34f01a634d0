"""An address as a person has it at hand, as a connection."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from weft.connect import Scope
from weft.onboard.draft import Line, worded
from weft.onboard.look import look
from weft.runtime import Invalid, plugins

__all__ = ["SCHEMES", "line_of", "offered", "recognised"]

# Scheme -> protocol, where they differ.
SCHEMES: Final = {
    "opc.tcp": "opcua", "mqtts": "mqtt", "enip": "ethernetip", "http": "mtconnect", "https": "mtconnect",
}  # fmt: skip
_USUAL: Final = {"opcua": {"trust_on_first_use": True}}


def line_of(address: str, given: Mapping[str, Any], *, usual: bool = True) -> tuple[str, Line]:
    """(a name for it, the connection) of ``opc.tcp://…``, ``modbus://…``, ``mqtt(s)://…``, ``s7://…``, ``enip://…``,
    ``shdr://…`` or ``http://…`` (an MTConnect agent). ``given`` are fields of the connection that go before;
    ``usual`` adds what most plants would say. Raises Invalid."""
    parts = _parts(address)
    protocol = SCHEMES.get(parts.scheme, parts.scheme)
    kind = plugins.load("weft.connectors", protocol)
    fields = {field.encode_name for field in msgspec.structs.fields(kind.Config)}
    known: dict[str, Any] = {
        "endpoint": address,
        "url": address,
        "host": parts.hostname,
        "port": parts.port,
        "tls": True if parts.scheme == "mqtts" else None,
        **(_USUAL.get(protocol, {}) if usual else {}),
    }
    config = {key: value for key, value in known.items() if key in fields and value is not None}
    config |= {key: _typed(value) for key, value in given.items()}
    if config.get("security") == "none":
        config.pop("trust_on_first_use", None)
    try:
        msgspec.convert(config, kind.Config, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(
            f"{address}: {error}.", remedy="Fields of the connection go by --set KEY=VALUE."
        ) from error
    return worded((parts.hostname or protocol).replace(".", "-")), Line(protocol=protocol, config=config)


async def recognised(address: str, seconds: float) -> str:
    """The address with its scheme; of a bare ``host`` or ``host:port`` the one that answers there. Raises Invalid
    when none or several do."""
    if "://" in address:
        return address
    host, _, port = address.rpartition(":") if address.rpartition(":")[2].isdecimal() else (address, "", "")
    scope = Scope(hosts=(host,), ports=(int(port),) if port else (), listen=False, seconds=seconds)
    places, _ = await look(scope)
    if len(places) == 1:
        return places[0].address
    if not places:
        raise Invalid(f"Nothing that is known answers at {address}.", remedy="Is it on, and the port right?")
    listed = ", ".join(place.address for place in places)
    raise Invalid(f"Several answer at {address}: {listed}.", remedy="Give one of them.")


async def offered(address: str, seconds: float) -> dict[str, Any]:
    """What the other side itself says of how to connect to it, such as that it offers no security; empty when it
    says nothing. Raises as :func:`line_of`."""
    parts = _parts(address)
    kind = plugins.load("weft.connectors", SCHEMES.get(parts.scheme, parts.scheme))
    if not hasattr(kind, "discover") or parts.port is None:
        return {}
    scope = Scope(hosts=(parts.hostname or "",), ports=(parts.port,), listen=False, seconds=seconds)
    async with aclosing(kind.discover(scope)) as places:
        async for place in places:
            if urlsplit(place.address).port == parts.port and place.protocol == SCHEMES.get(
                parts.scheme, parts.scheme
            ):
                return {key: value for key, value in place.config.items() if key not in {"endpoint", "url"}}
    return {}


def _parts(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        raise Invalid(
            f"{address!r} is no address: {error}.", remedy="Write it like opc.tcp://host:4840."
        ) from error
    if not parts.scheme or not parts.hostname:
        raise Invalid(
            f"{address!r} is no address.",
            remedy="Write it like opc.tcp://host:4840; `weft discover` finds some.",
        )
    return parts


def _typed(value: Any) -> Any:
    """A field from the command line as TOML would have it."""
    if not isinstance(value, str):
        return value
    if value in {"true", "false"}:
        return value == "true"
    try:
        return int(value) if value.lstrip("-").isdecimal() else float(value)
    except ValueError:
        return value
