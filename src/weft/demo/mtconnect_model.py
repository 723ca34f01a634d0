"""Devices of an MTConnect agent: what a device file says, and the words of its documents (MTConnect 2.7, part 2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

__all__ = ["Component", "DataItem", "Device", "Model", "element_name"]

NEWEST: Final = "2.7"
_NAMES: Final = {
    "PH": "PH",
    "AMPERAGE_AC": "AmperageAC",
    "AMPERAGE_DC": "AmperageDC",
    "VOLTAGE_AC": "VoltageAC",
    "VOLTAGE_DC": "VoltageDC",
    "MTCONNECT_VERSION": "MTConnectVersion",
}
_SUFFIX: Final = {"DATA_SET": "DataSet", "TABLE": "Table", "TIME_SERIES": "TimeSeries"}
# What the machine counts in, what the agent publishes in, and the factor between them.
_FACTORS: Final = {
    ("MILLIMETER/MINUTE", "MILLIMETER/SECOND"): 1 / 60,
    ("DEGREE/MINUTE", "DEGREE/SECOND"): 1 / 60,
    ("INCH", "MILLIMETER"): 25.4,
    ("FOOT", "MILLIMETER"): 304.8,
    ("KILOWATT", "WATT"): 1000.0,
    ("REVOLUTION/SECOND", "REVOLUTION/MINUTE"): 60.0,
}


class Component(NamedTuple):
    """The element that holds a data item; ``kind`` is its name, as ``Linear``."""

    kind: str
    id: str
    name: str


class DataItem(NamedTuple):
    """``factor`` turns the machine's numbers into the item's units."""

    id: str
    name: str
    type: str
    sub_type: str
    category: str
    representation: str
    rate: str
    factor: float
    composition: str
    component: Component
    device: str

    @property
    def element(self) -> str:
        """Its element in a streams document."""
        return element_name(self.type) + _SUFFIX.get(self.representation, "")


class Device(NamedTuple):
    id: str
    uuid: str
    name: str
    element: ET.Element
    items: list[DataItem]


def element_name(type: str) -> str:
    """``ROTARY_VELOCITY`` is ``RotaryVelocity``; a vendor's prefix is left out."""
    bare = type.rpartition(":")[2]
    return _NAMES.get(bare) or "".join(word.capitalize() for word in bare.split("_"))


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


class Model:
    """The devices of an MTConnectDevices file. A file without a version is of the newest."""

    def __init__(self, text: str) -> None:
        root = ET.fromstring(text)  # noqa: S314  # the factory's own file
        version = root.tag[1:].partition("}")[0].rpartition(":")[2] if "}" in root.tag else ""
        self.version = version or NEWEST
        for element in root.iter():
            element.tag = _local(element.tag)
        self.devices = [_device(element) for element in root.iterfind(".//Device")]
        self.items = {item.id: item for device in self.devices for item in device.items}
        self._keys: dict[tuple[str, str], DataItem] = {}
        for device in self.devices:
            for item in device.items:
                for key in (item.name, item.id):
                    if key:
                        self._keys.setdefault((device.name, key), item)

    def find(self, key: str) -> DataItem | None:
        """By an adapter's key: ``key`` or ``device:key``, a name or an id."""
        device, colon, bare = key.partition(":")
        if colon and (device, bare) in self._keys:
            return self._keys[device, bare]
        return next(
            (self._keys[device.name, key] for device in self.devices if (device.name, key) in self._keys),
            None,
        )

    def device(self, name: str) -> Device | None:
        """By name or uuid."""
        return next((device for device in self.devices if name in (device.name, device.uuid)), None)

    def select(self, devices: Iterable[Device], path: str) -> set[str]:
        """The ids of the data items at or below what an XPath like ``//Axes//DataItem[@type='LOAD']`` finds.
        Raises ValueError."""
        found: set[str] = set()
        for device in devices:
            holder = ET.Element("Devices")
            holder.append(device.element)
            try:
                matches = holder.findall("." + path if path.startswith("/") else path)
            except (SyntaxError, KeyError) as error:
                raise ValueError(f"the path {path!r} cannot be read") from error
            for match in matches:
                found.update(item.get("id", "") for item in match.iter("DataItem"))
        return found


def _device(element: ET.Element) -> Device:
    id, name = element.get("id", ""), element.get("name", "")
    _add_asset_items(element, id)
    items = [_item(child, holder, name) for holder, child in _data_items(element, element)]
    return Device(id, element.get("uuid", ""), name, element, items)


def _add_asset_items(device: ET.Element, id: str) -> None:
    """Every agent since 1.3 has these two, whether or not the file names them."""
    holder = device.find("DataItems")
    if holder is None:
        holder = ET.SubElement(device, "DataItems")
    there = {item.get("type") for item in device.iter("DataItem")}
    for type, tail in (("ASSET_CHANGED", "asset_chg"), ("ASSET_REMOVED", "asset_rem")):
        if type not in there:
            ET.SubElement(holder, "DataItem", {"category": "EVENT", "id": f"{id}_{tail}", "type": type})


def _data_items(element: ET.Element, holder: ET.Element) -> Iterator[tuple[ET.Element, ET.Element]]:
    for child in element:
        if child.tag == "DataItem":
            yield holder, child
        elif child.tag == "DataItems":
            yield from _data_items(child, holder)
        elif child.tag == "Components":
            for component in child:
                yield from _data_items(component, component)


def _item(item: ET.Element, holder: ET.Element, device: str) -> DataItem:
    units, native = item.get("units", ""), item.get("nativeUnits", "")
    factor = _FACTORS.get((native, units), 1.0) * float(item.get("nativeScale", "1"))
    return DataItem(
        item.get("id", ""),
        item.get("name", ""),
        item.get("type", ""),
        item.get("subType", ""),
        item.get("category", "EVENT"),
        item.get("representation", "VALUE"),
        item.get("sampleRate", ""),
        factor,
        item.get("compositionId", ""),
        Component(holder.tag, holder.get("id", ""), holder.get("name", "")),
        device,
    )
