"""What a browse shows: the fields of the carts' messages with unit and meaning (VDA 5050 2.1, 6.10)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from weft.connect.api import Found
from weft.connect.payload.document import ABSENT, look, steps
from weft.connect.payload.leaves import leaves, short
from weft.connect.payload.values import typed
from weft.connect.vda5050.fleet import Cart
from weft.model import ARRAY, ValueType, quality

__all__ = ["found"]

SHOWN: Final = 200  # characters of a value


class Field(NamedTuple):
    path: str
    type: ValueType
    unit: str
    meaning: str


_T: Final = ValueType
FIELDS: Final = (
    Field("agvPosition.x", _T.DOUBLE, "m", "Position on the map"),
    Field("agvPosition.y", _T.DOUBLE, "m", "Position on the map"),
    Field("agvPosition.theta", _T.DOUBLE, "rad", "Orientation"),
    Field("agvPosition.mapId", _T.STRING, "", "Map"),
    Field("agvPosition.localizationScore", _T.DOUBLE, "1", "How sure the position is, 0 to 1"),
    Field("agvPosition.positionInitialized", _T.BOOLEAN, "", "Whether the position is known"),
    Field("velocity.vx", _T.DOUBLE, "m/s", "Speed forward"),
    Field("velocity.vy", _T.DOUBLE, "m/s", "Speed sideways"),
    Field("velocity.omega", _T.DOUBLE, "rad/s", "Turning speed"),
    Field("batteryState.batteryCharge", _T.DOUBLE, "%", "State of charge"),
    Field("batteryState.batteryVoltage", _T.DOUBLE, "V", "Battery voltage"),
    Field("batteryState.batteryHealth", _T.DOUBLE, "%", "State of health"),
    Field("batteryState.charging", _T.BOOLEAN, "", "Whether it charges"),
    Field("batteryState.reach", _T.DOUBLE, "m", "Reach with the present charge"),
    Field("driving", _T.BOOLEAN, "", "Whether it drives or turns"),
    Field("paused", _T.BOOLEAN, "", "Whether it is paused"),
    Field("newBaseRequest", _T.BOOLEAN, "", "Whether it asks for more of its way"),
    Field("operatingMode", _T.STRING, "", "Operating mode"),
    Field("orderId", _T.STRING, "", "Order"),
    Field("orderUpdateId", _T.INT64, "", "Update of the order"),
    Field("lastNodeId", _T.STRING, "", "Last node reached"),
    Field("lastNodeSequenceId", _T.INT64, "", "Its place in the order"),
    Field("distanceSinceLastNode", _T.DOUBLE, "m", "Way since the last node"),
    Field("nodeStates.length", _T.INT64, "", "Nodes still before it"),
    Field("edgeStates.length", _T.INT64, "", "Edges still before it"),
    Field("actionStates.length", _T.INT64, "", "Actions of the order"),
    Field("loads.length", _T.INT64, "", "Loads it carries"),
    Field("errors.length", _T.INT64, "", "Errors it has"),
    Field("safetyState.eStop", _T.STRING, "", "Emergency stop"),
    Field("safetyState.fieldViolation", _T.BOOLEAN, "", "Whether something is in its protective field"),
)
_KNOWN: Final = {field.path for field in FIELDS}
_HEADER: Final = frozenset({"headerId", "timestamp", "version", "manufacturer", "serialNumber"})


def found(cart: Cart) -> Iterator[Found]:
    """The standard's fields, then what else this cart sends."""
    status = quality.GOOD if cart.state else quality.BAD_WAITING_FOR_INITIAL_DATA
    connection = {"cart": cart.id, "path": "connectionState", "topic": "connection"}
    yield Found(
        name="connection", address=connection, type=_T.STRING, value=cart.connection or None, folder=cart.id,
        description="ONLINE, OFFLINE or CONNECTIONBROKEN",
    )  # fmt: skip
    for field in FIELDS:
        value = _value(cart.state, field.path)
        if cart.state and value is ABSENT:
            continue
        yield Found(
            name=field.path,
            address={"cart": cart.id, "path": field.path},
            type=field.type,
            unit=field.unit,
            description=field.meaning,
            value=None if value is ABSENT else value,
            status=status,
            folder=cart.id,
        )
    for pointer, value in leaves(cart.state):
        path = short(pointer)
        if path not in _KNOWN | _HEADER and not isinstance(value, list):
            shown, code, state = typed(value, None)
            kind = ValueType(code) if code and code < ARRAY else None
            if isinstance(shown, str):
                shown = shown[:SHOWN]
            yield Found(
                name=path, address={"cart": cart.id, "path": path}, type=kind, value=shown, status=state,
                folder=cart.id,
            )  # fmt: skip


def _value(state: dict[str, Any], path: str) -> Any:
    if path.endswith(".length"):
        entries = look(state, steps(path.removesuffix(".length")))
        return len(entries) if isinstance(entries, list) else ABSENT
    return look(state, steps(path))
