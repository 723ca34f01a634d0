"""The address space: the standard's nodes, and the plant's under Objects. It follows the plant while clients are
connected; what stays keeps its node."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

import anyio.lowlevel
from asyncua.server.address_space import AddressSpace, AttributeValue, NodeManagementService
from asyncua.server.standard_address_space.standard_address_space import fill_address_space

from weft.destinations.opcua.nodes import (
    HAS_COMPONENT,
    HAS_PROPERTY,
    ORGANIZES,
    Method,
    Node,
    Object,
    Property,
    Reference,
    Standard,
)
from weft.destinations.opcua.pipe import Model, Place, Point
from weft.destinations.opcua.values import Values
from weft.destinations.opcua.variable import Variable
from weft.model import ARRAY, ValueType
from weft.ua.guard import FAULTS
from weft.ua.stack import ua

__all__ = ["OBJECTS", "WRITE_WITH_REASON", "Space", "id_of"]

OBJECTS: Final = "i=85"
WRITE_WITH_REASON: Final = "WriteWithReason"
_HAS_SUBTYPE: Final = 45
_MAX_KEPT: Final = 10_000
_AT_ONCE: Final = 500


def id_of(path: str) -> str:
    return f"ns=2;s={path}"


class Space:
    """``gone`` is told of every variable that leaves."""

    def __init__(self, values: Values, namespaces: tuple[str, str], gone: Callable[[Variable], None]) -> None:
        self.values = values
        self._gone = gone
        self._nodes: dict[str, Node] = {}
        self._points: dict[str, Point] = {}
        self._places: dict[str, Place] = {}
        self._known: dict[str, Standard | None] = {}
        self._subtypes: dict[int, frozenset[int]] = {}
        self._standard = AddressSpace()
        fill: Any = fill_address_space  # untyped
        fill(NodeManagementService(self._standard))
        self.set(ua.ObjectIds.Server_NamespaceArray, ["http://opcfoundation.org/UA/", *namespaces], "String")
        self.set(ua.ObjectIds.Server_ServerArray, [namespaces[0]], "String")

    def get(self, id: str) -> Node | None:
        return self._nodes.get(id) or self._of_standard(id)

    def children(self, id: str) -> list[Reference]:
        node = self.get(id)
        return [] if node is None else node.references()

    def subtypes(self, kind: int) -> frozenset[int]:
        """This reference type and all below it."""
        if kind not in self._subtypes:
            below = [
                int(ref.target.removeprefix("i="))
                for ref in self.children(f"i={kind}")
                if ref.kind == _HAS_SUBTYPE and ref.forward
            ]
            self._subtypes[kind] = frozenset({kind}.union(*(self.subtypes(one) for one in below)))
        return self._subtypes[kind]

    def set(self, number: int, value: Any, kind: str) -> None:
        """Gives a variable of the standard's its value."""
        variant = ua.Variant(value, getattr(ua.VariantType, kind), is_array=isinstance(value, list))
        data = ua.DataValue(variant, SourceTimestamp=datetime.now(UTC))
        self._standard[ua.NodeId(number)].attributes[ua.AttributeIds.Value] = AttributeValue(data)

    def compute(self, number: int, value: Callable[[], Any]) -> None:
        """Lets a variable of the standard's be computed when it is read."""
        attribute = self._standard[ua.NodeId(number)].attributes[ua.AttributeIds.Value]
        attribute.value_callback = lambda _node, _attribute: ua.DataValue(ua.Variant(value()))

    async def update(self, model: Model) -> None:
        """Makes the plant's nodes those of ``model``, in portions."""
        points = {point.path: point for point in model.points}
        places = _with_parents({place.path: place for place in model.places}, points)
        for path, point in list(self._points.items()):
            if points.get(path) != point:
                self._remove_point(path, keep=points[path].handle if path in points else None)
        for path in sorted(self._places.keys() - places.keys(), key=len, reverse=True):
            self._remove_place(path)
        for path in sorted(places, key=lambda path: path.count("/")):
            if self._places.get(path) != places[path]:
                self._put_place(places[path])
        for at, (path, point) in enumerate(points.items()):
            if path not in self._points:
                self._add_point(point)
            if at % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
        self._put_methods(places)

    def variable(self, path: str) -> Variable | None:
        found = self._nodes.get(id_of(path))
        return found if isinstance(found, Variable) else None

    def _of_standard(self, id: str) -> Standard | None:
        if id in self._known:
            return self._known[id]
        try:
            data = self._standard.get(ua.NodeId.from_string(id))
        except FAULTS:
            data = None
        found = None if data is None else Standard(id, data, self._standard)
        if found is not None or len(self._known) < _MAX_KEPT:
            self._known[id] = found
        return found

    def _put_place(self, place: Place) -> None:
        id = id_of(place.path)
        parent, _, name = place.path.rpartition("/")
        node = self._nodes.get(id)
        if node is None:
            node = Object(id, name)
            self._nodes[id] = node
            self._join(id_of(parent) if parent else OBJECTS, node, ORGANIZES)
        node.description = place.description
        self._places[place.path] = place
        if place.level:
            self._put(Property(id, "Level", ValueType.STRING, place.level))

    def _remove_place(self, path: str) -> None:
        del self._places[path]
        self._drop(id_of(path))

    def _add_point(self, point: Point) -> None:
        slot = self.values.add(point.handle)
        parent, _, _ = point.path.rpartition("/")
        above = id_of(parent) if parent else OBJECTS
        variable = Variable(id_of(point.path), above, point, slot, self.values)
        self._nodes[variable.id] = variable
        self._join(above, variable, HAS_COMPONENT)
        for one in variable.properties():
            self._put(one)
        self._points[point.path] = point

    def _remove_point(self, path: str, keep: int | None) -> None:
        """``keep`` is the handle the signal has from now on: with the same one its value stays."""
        point = self._points.pop(path)
        variable = self._nodes[id_of(path)]
        self._drop(variable.id)
        if keep != point.handle:
            if isinstance(variable, Variable):
                self._gone(variable)
            self.values.remove(point.handle)

    def _put_methods(self, places: dict[str, Place]) -> None:
        """WriteWithReason of each site; of the whole plant when no site is named."""
        sites = [id_of(path) for path, place in places.items() if place.level == "site"] or [OBJECTS]
        wanted = {_method_id(site): site for site in sites}
        for id in [id for id, node in self._nodes.items() if isinstance(node, Method) and id not in wanted]:
            self._drop(id)
        for id, site in wanted.items():
            if id not in self._nodes:
                method = Method(
                    id, WRITE_WITH_REASON, "Writes a signal, saying why; goes the way of every command."
                )
                self._nodes[id] = method
                self._join(site, method, HAS_COMPONENT)
                self._put(Property(id, "InputArguments", _STRUCTURES, _ARGUMENTS, 296))

    def _join(self, parent: str, node: Node, kind: int) -> None:
        node.parent = Reference(kind, False, parent)
        above = self.get(parent)
        if above is not None:
            above.children[node.id] = Reference(kind, True, node.id)

    def _put(self, one: Property) -> None:
        self._nodes[one.id] = one
        if one.parent is not None:
            above = self.get(one.parent.target)
            if above is not None:
                above.children[one.id] = Reference(HAS_PROPERTY, True, one.id)

    def _drop(self, id: str) -> None:
        node = self._nodes.pop(id)
        for child in list(node.children.values()):
            if child.kind == HAS_PROPERTY:
                self._nodes.pop(child.target, None)
        above = self.get(node.parent.target) if node.parent is not None else None
        if above is not None:
            above.children.pop(id, None)


def _method_id(site: str) -> str:
    return f"{id_of('')}#{WRITE_WITH_REASON}" if site == OBJECTS else f"{site}#{WRITE_WITH_REASON}"


def _with_parents(places: dict[str, Place], paths: Iterable[str]) -> dict[str, Place]:
    """Also the assets above what is shown, whether they are described or not."""
    for path in [*places, *paths]:
        above = path.rpartition("/")[0]
        while above and above not in places:
            places[above] = Place(above, "", "")
            above = above.rpartition("/")[0]
    return places


def _argument(name: str, data_type: int, words: str) -> dict[str, Any]:
    description = {"locale": None, "text": words}
    body = {
        "Name": name,
        "DataType": f"i={data_type}",
        "ValueRank": -1 if data_type != 24 else -2,
        "Description": description,
    }
    return {"type": "Argument", "body": body}


_STRUCTURES: Final = ValueType.EXTENSIONOBJECT | ARRAY
_ARGUMENTS: Final = [
    _argument("Path", 12, "The signal's path in the plant"),
    _argument("Value", 24, "In the signal's type and unit"),
    _argument("Reason", 12, "Why; it is written into the record"),
]
