"""UMH: inputs of a benthos-umh or UMH Core configuration (YAML)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from weft.onboard.draft import Draft, Line, Row
from weft.onboard.registers import modbus_type, opcua_type, s7_address

__all__ = ["is_config", "read"]

INPUTS: Final = ("opcua", "modbus", "s7comm", "mqtt")
_TABLES: Final = {"coil": "coil", "discrete": "discrete", "holding": "holding", "input": "input"}
_ORDERS: Final = {"ABCD": "ABCD", "DCBA": "DCBA", "BADC": "BADC", "CDAB": "CDAB"}
_LOCATION: Final = re.compile(
    r"msg\.meta\.(location_path|tag_name|data_contract)\s*=\s*[\"']([^\"'`$+]+)[\"']\s*;"
)


def is_config(document: Any) -> bool:
    return isinstance(document, Mapping) and any(True for _ in _inputs(document))


def read(document: Mapping[str, Any]) -> Draft:
    """Every input that speaks to a machine; where the tag processor gives a fixed location, under that."""
    draft = Draft()
    asset = _location(document)
    for kind, settings, place in _inputs(document):
        {"opcua": _opcua, "modbus": _modbus, "s7comm": _s7, "mqtt": _mqtt}[kind](
            draft, settings, asset, place
        )
    if _scripted(document):
        draft.note(
            "pipeline", "Scripts of the tag processor are not carried over, but for a fixed location path."
        )
    return draft


def _inputs(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """(kind, settings, place) of each, also inside brokers and protocol converters."""

    def walk(node: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any], str]]:
        if isinstance(node, Mapping):
            for key, value in node.items():
                here = f"{place}.{key}".strip(".")
                if key in INPUTS and isinstance(value, Mapping) and "output" not in place:
                    yield key, value, here
                else:
                    yield from walk(value, here)
        elif isinstance(node, list):
            for number, value in enumerate(node):
                yield from walk(value, f"{place}[{number}]")

    yield from walk(document, "")


def _scripted(document: Any) -> bool:
    if isinstance(document, Mapping):
        return any(
            key in {"tag_processor", "nodered_js", "bloblang"} or _scripted(value)
            for key, value in document.items()
        )
    return isinstance(document, list) and any(map(_scripted, document))


def _location(document: Mapping[str, Any]) -> str:
    """The location path that a script sets to a plain text, without the enterprise and site."""
    found = {match[1]: match[2] for match in _LOCATION.finditer(_texts(document))}
    path = found.get("location_path", "").split(".")
    return "/".join(part for part in path[2:] if part) or "/".join(part for part in path[-1:] if part)


def _texts(node: Any) -> str:
    if isinstance(node, Mapping):
        return "\n".join(map(_texts, node.values()))
    if isinstance(node, list):
        return "\n".join(map(_texts, node))
    return node if isinstance(node, str) else ""


def _opcua(draft: Draft, settings: Mapping[str, Any], asset: str, place: str) -> None:
    endpoint = str(settings.get("endpoint", ""))
    if urlsplit(endpoint).scheme != "opc.tcp":
        draft.note(place, f"The endpoint {endpoint!r} is none.")
        return
    config: dict[str, Any] = {"endpoint": endpoint}
    mode = str(settings.get("securityMode", ""))
    config |= {"security": "none"} if mode in {"", "None"} else {"security": mode, "trust_on_first_use": True}
    if settings.get("username"):
        config["user"] = str(settings["username"])
        draft.note(place, "The password is not taken over: put it into a file or variable and name that.")
    name = draft.add_line(urlsplit(endpoint).hostname or "opcua", Line(protocol="opcua", config=config))
    for node in _texts_of(settings.get("nodeIDs")):
        if node.startswith("i="):
            draft.note(
                f"{place}.nodeIDs",
                f"{node} is a folder of every server: browse it with `weft onboard {endpoint}`.",
            )
            continue
        last = re.split(r"[./|\\]", node.partition("=")[2].rpartition(";")[2].partition("=")[2] or node)[-1]
        draft.add(Row(asset=asset or name, name=last.strip("\"'[]") or node, connection=name,
                      address={"node": node}, place=f"{place}.nodeIDs"))  # fmt: skip
        draft.note(
            f"{place}.nodeIDs", f"{node} is taken for a variable; where it is a folder, browse it instead."
        )


def _modbus(draft: Draft, settings: Mapping[str, Any], asset: str, place: str) -> None:
    parts = urlsplit(str(settings.get("controller", "")))
    if parts.scheme != "tcp" or not parts.hostname:
        draft.note(place, f"The controller {settings.get('controller')!r} is not reached over TCP.")
        return
    config: dict[str, Any] = {"host": parts.hostname, "port": parts.port or 502}
    if str(settings.get("transmissionMode", "TCP")).casefold() == "rtuovertcp":
        config["transport"] = "rtu_over_tcp"
    if settings.get("slaveIDs") or settings.get("slaveID") is not None:
        config["unit"] = int((settings.get("slaveIDs") or [settings["slaveID"]])[0])
    order = _ORDERS.get(str(settings.get("byteOrder", "ABCD")), "ABCD")
    name = draft.add_line(parts.hostname, Line(protocol="modbus", config=config))
    for number, entry in enumerate(settings.get("addresses") or []):
        here = f"{place}.addresses[{number}]"
        if not isinstance(entry, Mapping) or not isinstance(entry.get("address"), int):
            draft.note(here, "It has no address.")
            continue
        kind = modbus_type(str(entry.get("type", "UINT16")))
        if kind is None:
            draft.note(here, f"The type {entry.get('type')!r} is not known.")
            continue
        table = _TABLES.get(str(entry.get("register", "holding")), "holding")
        address: dict[str, Any] = {"register": entry["address"], "table": table}
        if table in {"holding", "input"}:
            address |= {"type": kind[0], "order": order}
            if kind[0] == "string":
                address["length"] = int(entry.get("length") or 1)
        scale = entry.get("scale")
        scaled = isinstance(scale, (int, float)) and scale not in {0, 1}
        draft.add(Row(asset=asset or name, name=str(entry.get("name", f"{table}{entry['address']}")), connection=name,
                      address=address, type="" if scaled else kind[1], scale=float(scale) if scaled and scale else 1.0,
                      place=here))  # fmt: skip


def _s7(draft: Draft, settings: Mapping[str, Any], asset: str, place: str) -> None:
    host, _, port = str(settings.get("tcpDevice", "")).partition(":")
    if not host:
        draft.note(place, "It names no device.")
        return
    config: dict[str, Any] = {
        "host": host,
        "rack": int(settings.get("rack", 0)),
        "slot": int(settings.get("slot", 1)),
    }
    config |= {"port": int(port)} if port.isdecimal() and len(port) < 6 else {}
    name = draft.add_line(host, Line(protocol="s7", config=config))
    for number, entry in enumerate(settings.get("addresses") or []):
        text = str(entry.get("address", "") if isinstance(entry, Mapping) else entry)
        address = s7_address(text)
        if address is None:
            draft.note(f"{place}.addresses[{number}]", f"The address {text!r} is not known.")
            continue
        draft.add(Row(asset=asset or name, name=text, connection=name, address=address,
                      place=f"{place}.addresses[{number}]"))  # fmt: skip


def _mqtt(draft: Draft, settings: Mapping[str, Any], asset: str, place: str) -> None:
    urls = _texts_of(settings.get("urls"))
    parts = urlsplit(urls[0] if urls else "")
    if not parts.hostname:
        draft.note(place, "It names no broker.")
        return
    secure = parts.scheme in {"ssl", "tls", "mqtts"}
    config: dict[str, Any] = {"host": parts.hostname, "port": parts.port or (8883 if secure else 1883)}
    config |= {"tls": True} if secure else {}
    name = draft.add_line(parts.hostname, Line(protocol="mqtt", config=config))
    for topic in _texts_of(settings.get("topics")):
        if "#" in topic or "+" in topic:
            draft.note(
                f"{place}.topics",
                f"{topic} is a pattern: `weft onboard mqtt://{parts.hostname}` lists what is on it.",
            )
            continue
        draft.add(Row(asset=asset or name, name=topic.rpartition("/")[2], connection=name, address={"topic": topic},
                      type=opcua_type(""), place=f"{place}.topics"))  # fmt: skip


def _texts_of(value: Any) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else [str(value)] if value else []
