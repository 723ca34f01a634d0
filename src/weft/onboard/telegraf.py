"""Telegraf: inputs of its configuration that speak to machines (TOML)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from weft.onboard.draft import Draft, Line, Row
from weft.onboard.registers import modbus_type, opcua_type, s7_address

__all__ = ["is_config", "read"]

_TABLES: Final = {
    "discrete_inputs": "discrete",
    "coils": "coil",
    "holding_registers": "holding",
    "input_registers": "input",
}
_ORDERS: Final = {"AB": "ABCD", "BA": "DCBA", "ABCD": "ABCD", "DCBA": "DCBA", "BADC": "BADC", "CDAB": "CDAB",
                  "ABCDEFGH": "ABCD", "HGFEDCBA": "DCBA", "BADCFEHG": "BADC", "GHEFCDAB": "CDAB"}  # fmt: skip
_PARTS: Final = re.compile(r"(?:8|16)?(?P<half>[LH])$")


def is_config(document: Any) -> bool:
    return isinstance(document, Mapping) and isinstance(document.get("inputs"), Mapping)


def read(document: Mapping[str, Any]) -> Draft:
    """Every input of OPC UA, Modbus, S7 and MQTT; each other one is noted."""
    draft = Draft()
    for plugin, settings, place in _plugins(document["inputs"]):
        reader = _READERS.get(plugin)
        if reader is None:
            draft.note(place, f"The input {plugin!r} has no counterpart.")
        else:
            reader(draft, settings, place)
    for part in ("processors", "aggregators", "outputs"):
        for plugin in document.get(part) or {}:
            draft.note(f"{part}.{plugin}", "Only inputs are taken over.")
    return draft


def _plugins(inputs: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    for plugin, entries in inputs.items():
        for number, settings in enumerate(entries if isinstance(entries, list) else [entries]):
            if isinstance(settings, Mapping):
                yield plugin, settings, f"inputs.{plugin}[{number}]"


# --- OPC UA ---------------------------------------------------------------------------------------------------


def _opcua(draft: Draft, settings: Mapping[str, Any], place: str) -> None:
    endpoint = str(settings.get("endpoint", ""))
    if urlsplit(endpoint).scheme != "opc.tcp":
        draft.note(place, f"The endpoint {endpoint!r} is none.")
        return
    mode = str(settings.get("security_mode", "auto"))
    config: dict[str, Any] = {"endpoint": endpoint}
    config |= {"security": "none"} if mode == "None" else {"trust_on_first_use": True}
    if settings.get("username"):
        config["user"] = str(settings["username"])
        draft.note(place, "The password is not taken over: put it into a file or variable and name that.")
    name = draft.add_line(
        str(settings.get("name") or urlsplit(endpoint).hostname), Line(protocol="opcua", config=config)
    )
    for node, group, here in _nodes(settings, place):
        address = _node(node, group)
        if address is None:
            draft.note(here, "Its node id is not complete.")
            continue
        draft.add(
            Row(
                asset=str(group.get("name") or name),
                name=str(node.get("name") or address.rpartition("=")[2]),
                connection=name,
                address={"node": address, **_monitoring(node)},
                place=here,
            )
        )
    for event in settings.get("events") or []:
        draft.note(place, f"Events ({event.get('event_type_node', '')}) are set on the connection: `events`.")


def _nodes(
    settings: Mapping[str, Any], place: str
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], str]]:
    """(node, its group, place)."""
    for number, node in enumerate(settings.get("nodes") or []):
        yield node, {}, f"{place}.nodes[{number}]"
    for g, group in enumerate(settings.get("group") or []):
        for number, node in enumerate(group.get("nodes") or []):
            yield node, group, f"{place}.group[{g}].nodes[{number}]"


def _node(node: Mapping[str, Any], group: Mapping[str, Any]) -> str | None:
    if node.get("id"):
        return str(node["id"])
    kind = node.get("identifier_type") or group.get("identifier_type")
    identifier = node.get("identifier")
    if kind not in {"s", "i", "g", "b"} or identifier in (None, ""):
        return None
    uri = node.get("namespace_uri") or group.get("namespace_uri")
    space = f"nsu={uri}" if uri else f"ns={node.get('namespace') or group.get('namespace') or 0}"
    return f"{space};{kind}={identifier}"


def _monitoring(node: Mapping[str, Any]) -> dict[str, Any]:
    told = node.get("monitoring_params")
    if not isinstance(told, Mapping):
        return {}
    filled: dict[str, Any] = {}
    seconds = _seconds(told.get("sampling_interval"))
    if seconds:
        filled["sampling_interval"] = seconds
    if isinstance(told.get("queue_size"), int) and told["queue_size"] > 0:
        filled["queue_size"] = told["queue_size"]
    change = told.get("data_change_filter")
    if isinstance(change, Mapping) and change.get("deadband_type") == "Absolute":
        filled["deadband"] = float(change.get("deadband_value") or 0.0)
    return filled


def _seconds(text: Any) -> float:
    match = re.fullmatch(r"([\d.]+)(ms|us|s|m|h)", str(text or ""))
    return (
        float(match[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}[match[2]]
        if match
        else 0.0
    )


# --- Modbus ---------------------------------------------------------------------------------------------------


def _modbus(draft: Draft, settings: Mapping[str, Any], place: str) -> None:
    parts = urlsplit(str(settings.get("controller", "")))
    mode = str(settings.get("transmission_mode", "")).casefold()
    if "ascii" in mode:
        draft.note(place, "Modbus ASCII has no counterpart.")
        return
    config = _line(settings, mode)
    if config is None:
        draft.note(place, f"The controller {settings.get('controller')!r} is not known.")
        return
    title = str(settings.get("name") or parts.hostname or "modbus")
    if settings.get("configuration_type", "register") == "register":
        line = draft.add_line(
            title, Line(protocol="modbus", config={**config, "unit": int(settings.get("slave_id", 1))})
        )
        for key, table in _TABLES.items():
            for number, field in enumerate(settings.get(key) or []):
                _register(draft, line, title, field, table, f"{place}.{key}[{number}]")
        return
    line = draft.add_line(title, Line(protocol="modbus", config=config))
    for r, request in enumerate([*(settings.get("request") or []), *(settings.get("metric") or [])]):
        for number, field in enumerate(request.get("fields") or []):
            _requested(draft, line, title, request, field, f"{place}.request[{r}].fields[{number}]")


def _line(settings: Mapping[str, Any], mode: str) -> dict[str, Any] | None:
    parts = urlsplit(str(settings.get("controller", "")))
    if parts.scheme == "tcp" and parts.hostname:
        config: dict[str, Any] = {"host": parts.hostname, "port": parts.port or 502}
        return {**config, "transport": "rtu_over_tcp"} if mode == "rtuovertcp" else config
    device = parts.path if parts.scheme == "file" else ""
    if not device:
        return None
    parity = {"N": "none", "E": "even", "O": "odd"}.get(str(settings.get("parity", "N")), "none")
    serial = {"device": device, "baudrate": int(settings.get("baud_rate", 9600)), "parity": parity}
    return {"transport": "serial", "serial": {**serial, "stopbits": int(settings.get("stop_bits", 1))}}


def _register(draft: Draft, line: str, title: str, field: Mapping[str, Any], table: str, place: str) -> None:
    """A field of the style in which registers are listed by table."""
    places = field.get("address") or []
    if not places:
        draft.note(place, "It has no address.")
        return
    address: dict[str, Any] = {"register": int(places[0]), "table": table}
    if table in {"coil", "discrete"}:
        _add(draft, line, str(field.get("measurement") or title), field, address, "Boolean", 1.0, place)
        return
    word = str(field.get("data_type", "UINT16"))
    if word.startswith(("FIXED", "UFIXED")):  # a float: its size is that of its registers
        word = ("U" if word.startswith("U") else "") + f"INT{16 * len(places)}"
    kind = modbus_type(word)
    if kind is None or (_PARTS.search(word) and word[-1] in "LH"):
        draft.note(place, f"The type {word!r} has no counterpart.")
        return
    address |= {"type": kind[0], "order": _ORDERS.get(str(field.get("byte_order", "ABCD")), "ABCD")}
    if kind[0] == "string":
        address["length"] = len(places)
    _add(
        draft,
        line,
        str(field.get("measurement") or title),
        field,
        address,
        kind[1],
        float(field.get("scale", 1.0)),
        place,
    )


def _requested(
    draft: Draft, line: str, title: str, request: Mapping[str, Any], field: Mapping[str, Any], place: str
) -> None:
    """A field of the styles in which fields are listed by request or metric."""
    table = {"coil": "coil", "discrete": "discrete", "holding": "holding", "input": "input"}.get(
        str(field.get("register") or request.get("register", "holding")), "holding"
    )
    if field.get("omit") or not isinstance(field.get("address"), int):
        return
    address: dict[str, Any] = {
        "register": field["address"],
        "table": table,
        "unit": int(request.get("slave_id", 1)),
    }
    kind = modbus_type("bool" if table in {"coil", "discrete"} else str(field.get("type", "UINT16")))
    if kind is None:
        draft.note(place, f"The type {field.get('type')!r} has no counterpart.")
        return
    if table in {"holding", "input"}:
        address |= {"type": kind[0], "order": _ORDERS.get(str(request.get("byte_order", "ABCD")), "ABCD")}
        if kind[0] == "string":
            address["length"] = int(field.get("length") or 1)
    asset = str(field.get("measurement") or request.get("measurement") or title)
    _add(draft, line, asset, field, address, kind[1], float(field.get("scale") or 1.0), place)


def _add(
    draft: Draft,
    line: str,
    asset: str,
    field: Mapping[str, Any],
    address: dict[str, Any],
    kind: str,
    scale: float,
    place: str,
) -> None:
    scaled = scale not in {0.0, 1.0}
    draft.add(
        Row(
            asset=asset,
            name=str(field.get("name", "")),
            connection=line,
            address=address,
            type="" if scaled else kind,
            scale=scale if scaled else 1.0,
            place=place,
        )
    )


# --- S7 and MQTT ----------------------------------------------------------------------------------------------


def _s7(draft: Draft, settings: Mapping[str, Any], place: str) -> None:
    host, _, port = str(settings.get("server", "")).partition(":")
    if not host:
        draft.note(place, "It names no server.")
        return
    config: dict[str, Any] = {
        "host": host,
        "rack": int(settings.get("rack", 0)),
        "slot": int(settings.get("slot", 0)),
    }
    config |= {"port": int(port)} if port.isdecimal() and len(port) < 6 else {}
    line = draft.add_line(host, Line(protocol="s7", config=config))
    for m, metric in enumerate(settings.get("metric") or []):
        for number, field in enumerate(metric.get("fields") or []):
            here = f"{place}.metric[{m}].fields[{number}]"
            address = s7_address(str(field.get("address", "")))
            if address is None:
                draft.note(here, f"The address {field.get('address')!r} is not known.")
                continue
            draft.add(Row(asset=str(metric.get("name") or host), name=str(field.get("name", "")), connection=line,
                          address=address, place=here))  # fmt: skip


def _mqtt(draft: Draft, settings: Mapping[str, Any], place: str) -> None:
    servers = settings.get("servers") or []
    parts = urlsplit(str(servers[0]) if servers else "")
    if not parts.hostname:
        draft.note(place, "It names no broker.")
        return
    secure = parts.scheme in {"ssl", "tls", "mqtts"}
    config: dict[str, Any] = {"host": parts.hostname, "port": parts.port or (8883 if secure else 1883)}
    config |= {"tls": True} if secure else {}
    line = draft.add_line(parts.hostname, Line(protocol="mqtt", config=config))
    form = str(settings.get("data_format", "influx"))
    for topic in settings.get("topics") or []:
        if "#" in topic or "+" in topic or form not in {"value", "json"}:
            draft.note(
                f"{place}.topics",
                f"{topic} ({form}): `weft onboard mqtt://{parts.hostname}` lists what is on it.",
            )
            continue
        draft.add(Row(asset=line, name=topic.rpartition("/")[2], connection=line, address={"topic": topic},
                      type=opcua_type(str(settings.get("data_type", ""))), place=f"{place}.topics"))  # fmt: skip


_READERS: Final[dict[str, Callable[[Draft, Mapping[str, Any], str], None]]] = {
    "opcua": _opcua,
    "opcua_listener": _opcua,
    "modbus": _modbus,
    "s7comm": _s7,
    "mqtt_consumer": _mqtt,
}
