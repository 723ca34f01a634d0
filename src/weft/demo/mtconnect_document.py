"""The XML documents of an MTConnect agent: devices, streams, assets, errors."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from weft.demo.mtconnect_model import Component, Device, element_name
from weft.demo.mtconnect_store import UNAVAILABLE, Asset, Observation, Store, now

__all__ = ["assets", "devices", "error", "streams"]

_GROUPS: Final = {"SAMPLE": "Samples", "EVENT": "Events", "CONDITION": "Condition"}
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def devices(store: Store, some: Iterable[Device]) -> bytes:
    body = "".join(ET.tostring(device.element, encoding="unicode") for device in some)
    return _document(store, "Devices", _header(store, more=_assets_held(store)), f"<Devices>{body}</Devices>")


def streams(store: Store, some: Iterable[Device], seen: Iterable[Observation], following: int) -> bytes:
    """``following`` is the sequence number to go on with."""
    by_device: dict[str, dict[Component, dict[str, list[Observation]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for one in seen:
        by_device[one.item.device][one.item.component][one.item.category].append(one)
    body = "".join(_device_stream(device, by_device[device.name]) for device in some)
    numbers = {"nextSequence": following, "firstSequence": store.first, "lastSequence": store.next - 1}
    header = _header(store, more=numbers)
    return _document(store, "Streams", header, f"<Streams>{body}</Streams>")


def assets(store: Store, some: Iterable[Asset]) -> bytes:
    uuids = {device.name: device.uuid for device in store.model.devices}
    body = "".join(_asset(asset, uuids.get(asset.device, "")) for asset in some)
    header = _header(store, buffer=False, more=_assets_held(store))
    return _document(store, "Assets", header, f"<Assets>{body}</Assets>")


def error(store: Store, code: str, text: str, uri: str, *, culprit: tuple[str, str] | None = None) -> bytes:
    """``culprit`` is the parameter of the query, or the asset (named ``assetId``), that is wrong. Since 2.6 each
    error is an element of its own."""
    if float(store.model.version) < 2.6:
        body = f"<Error errorCode={quoteattr(code)}>{escape(text)}</Error>"
    else:
        name = {"INVALID_XPATH": "InvalidXPath"}.get(code) or element_name(code)
        body = f"<URI>{escape(uri)}</URI><ErrorMessage>{escape(text)}</ErrorMessage>"
        if culprit is not None and culprit[0] == "assetId":
            body += f"<AssetId>{escape(culprit[1])}</AssetId>"
        elif culprit is not None:
            body += f"<QueryParameter name={quoteattr(culprit[0])}><Value>{escape(culprit[1])}</Value></QueryParameter>"
        body = f"<{name}>{body}</{name}>"
    return _document(store, "Error", _header(store), f"<Errors>{body}</Errors>")


def _document(store: Store, kind: str, header: str, body: str) -> bytes:
    name = f"urn:mtconnect.org:MTConnect{kind}:{store.model.version}"
    text = f'<MTConnect{kind} xmlns="{name}">{header}{body}</MTConnect{kind}>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def _header(store: Store, *, buffer: bool = True, more: dict[str, int] | None = None) -> str:
    attributes: dict[str, object] = {
        "creationTime": now(),
        "sender": "weft-demo",
        "instanceId": store.instance,
        "version": f"{store.model.version}.0.0",
        "deviceModelChangeTime": "2026-01-01T00:00:00Z",
        **(more or {}),
    }
    if buffer:
        attributes["bufferSize"] = store.size
    if float(store.model.version) < 1.7:  # the attribute is as old as that version
        del attributes["deviceModelChangeTime"]
    return f"<Header{_attributes(attributes)}/>"


def _assets_held(store: Store) -> dict[str, int]:
    kept = sum(not asset.removed for asset in store.assets.values())
    return {"assetBufferSize": store.most_assets, "assetCount": kept}


def _attributes(attributes: Iterable[tuple[str, object]] | dict[str, object] | dict[str, str]) -> str:
    pairs = attributes.items() if isinstance(attributes, dict) else attributes
    return "".join(f" {name}={quoteattr(_clean(str(value)))}" for name, value in pairs if value != "")


def _clean(text: str) -> str:
    return _NOT_XML.sub("", text)


def _device_stream(device: Device, components: dict[Component, dict[str, list[Observation]]]) -> str:
    body = "".join(_component_stream(component, groups) for component, groups in components.items())
    return f"<DeviceStream{_attributes({'name': device.name, 'uuid': device.uuid})}>{body}</DeviceStream>"


def _component_stream(component: Component, groups: dict[str, list[Observation]]) -> str:
    about = {"component": component.kind, "name": component.name, "componentId": component.id}
    body = "".join(
        f"<{name}>{''.join(map(_observation, groups[category]))}</{name}>"
        for category, name in _GROUPS.items()
        if groups.get(category)
    )
    return f"<ComponentStream{_attributes(about)}>{body}</ComponentStream>"


def _observation(seen: Observation) -> str:
    item = seen.item
    attributes: dict[str, object] = {
        "dataItemId": item.id,
        "timestamp": seen.time,
        "name": item.name,
        "sequence": seen.sequence,
        "subType": item.sub_type,
        "compositionId": item.composition,
        **seen.attributes,
    }
    if seen.level:
        name = seen.level.capitalize()
        attributes["type"] = item.type
        if seen.level in ("WARNING", "FAULT"):
            attributes.setdefault("conditionId", seen.code or item.id)
    else:
        name = item.element
    if item.representation in ("DATA_SET", "TABLE") and seen.entries is None:
        attributes["count"] = 0
    if item.type.startswith("ASSET_") and seen.text == UNAVAILABLE:
        attributes["assetType"] = UNAVAILABLE
    if item.representation == "TIME_SERIES" and "sampleCount" not in seen.attributes:
        attributes["sampleCount"] = 0
    if seen.entries is not None:
        attributes["count"] = len(seen.entries)
        body = "".join(_entry("Entry", key, value) for key, value in seen.entries.items())
    else:
        body = escape(_clean(seen.text))
    return (
        f"<{name}{_attributes(attributes)}>{body}</{name}>" if body else f"<{name}{_attributes(attributes)}/>"
    )


def _entry(name: str, key: str, value: str | dict[str, str] | None) -> str:
    if value is None:
        return f"<{name}{_attributes({'key': key, 'removed': 'true'})}/>"
    if isinstance(value, dict):
        body = "".join(_entry("Cell", cell, text) for cell, text in value.items())
    else:
        body = escape(_clean(value))
    return f"<{name}{_attributes({'key': key})}>{body}</{name}>"


def _asset(asset: Asset, uuid: str) -> str:
    """The body as the adapter gave it, with what the agent knows of it on its outer element."""
    try:
        root = ET.fromstring(asset.text)  # noqa: S314  # the factory's own
    except ET.ParseError:
        return ""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    root.set("assetId", asset.id)
    root.set("deviceUuid", uuid)
    root.set("timestamp", asset.time)
    if asset.removed:
        root.set("removed", "true")
    return ET.tostring(root, encoding="unicode")
