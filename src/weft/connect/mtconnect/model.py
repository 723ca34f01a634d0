"""What an agent says about its devices: the answer to a probe (MTConnect part 2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from weft.runtime import NotFound
from weft.runtime.xml import Element, below, local

__all__ = ["Item", "Model", "model_of"]

_SETS: Final = ("DATA_SET", "TABLE")


class Item(NamedTuple):
    """A data item as the probe describes it; ``place`` are the names of the components above it."""

    id: str
    name: str
    type: str
    sub_type: str
    category: str
    representation: str
    units: str
    native_units: str
    rate: float
    statistic: str
    device: str
    uuid: str
    place: tuple[str, ...]
    minimum: float | None
    maximum: float | None

    @property
    def is_set(self) -> bool:
        return self.representation in _SETS

    @property
    def is_series(self) -> bool:
        return self.representation == "TIME_SERIES"


class Model:
    """The data items by id, and by name within their device."""

    def __init__(self, items: list[Item], devices: dict[str, str]) -> None:
        self.items = {item.id: item for item in items}
        self.devices = devices
        self._names: dict[str, list[Item]] = {}
        for item in items:
            if item.name:
                self._names.setdefault(item.name, []).append(item)

    def find(self, id: str, device: str) -> Item:
        """Raises NotFound for none, and for several of one name."""
        found = self.items.get(id)
        if found is not None and device in ("", found.device, found.uuid):
            return found
        named = [item for item in self._names.get(id, ()) if device in ("", item.device, item.uuid)]
        if not named:
            where = f" of the device {device!r}" if device else ""
            raise NotFound(f"The agent has no data item {id!r}{where}.", remedy="See weft browse.")
        if len(named) > 1:
            places = ", ".join(sorted({f"{item.device}: {item.id}" for item in named})[:5])
            raise NotFound(
                f"Several data items are called {id!r}.", remedy=f"Name one by its id or device: {places}."
            )
        return named[0]


def model_of(root: Element) -> Model:
    """The devices of an MTConnectDevices document."""
    items: list[Item] = []
    devices: dict[str, str] = {}
    for group in below(root, "Devices"):
        for device in group:
            name, uuid = device.get("name", ""), device.get("uuid", "")
            devices[name or uuid] = uuid
            items += _items(device, name or uuid, uuid, ())
    return Model(items, devices)


def _items(element: Element, device: str, uuid: str, place: tuple[str, ...]) -> Iterator[Item]:
    for group in below(element, "DataItems"):
        for item in below(group, "DataItem"):
            yield _item(item, device, uuid, place)
    for group in below(element, "Components"):
        for component in group:
            name = component.get("name") or local(component.tag)
            yield from _items(component, device, uuid, (*place, name))


def _item(item: Element, device: str, uuid: str, place: tuple[str, ...]) -> Item:
    limits = {
        local(bound.tag): _number(bound.text)
        for constraints in below(item, "Constraints")
        for bound in constraints
    }
    return Item(
        id=item.get("id", ""),
        name=item.get("name", ""),
        type=item.get("type", ""),
        sub_type=item.get("subType", ""),
        category=item.get("category", "EVENT").upper(),
        representation=item.get("representation", "VALUE").upper(),
        units=item.get("units", ""),
        native_units=item.get("nativeUnits", ""),
        rate=_number(item.get("sampleRate")) or 0.0,
        statistic=item.get("statistic", ""),
        device=device,
        uuid=uuid,
        place=place,
        minimum=limits.get("Minimum"),
        maximum=limits.get("Maximum"),
    )


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if number - number == 0 else None
