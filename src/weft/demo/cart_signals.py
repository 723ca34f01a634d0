"""What the cart says over MQTT (VDA 5050 2.0): fields of its state and of its visualization."""

from __future__ import annotations

import json
from typing import Any, Final

from weft.demo.sensor import Sensor, Value
from weft.model import ValueType as T

__all__ = ["CART", "MANUFACTURER", "SERIAL"]

MANUFACTURER, SERIAL = "weft", "cart-1"


def _field(path: str) -> Any:
    """Reads a field of a message; ``length`` behind a list is how many it has, a list itself is its JSON."""

    def read(message: Any) -> Value:
        for key in path.split("."):
            message = len(message) if key == "length" else message[key]
        return json.dumps(message) if isinstance(message, (list, dict)) else message

    return read


def _of(
    topic: str, name: str, type: T, path: str, description: str, unit: str = "", **more: Any
) -> Sensor[Any]:
    address = {"cart": f"{MANUFACTURER}/{SERIAL}", "path": path, "topic": topic}
    return Sensor(name, type, _field(path), unit, description, topic=topic, key=path, address=address, **more)


CART: Final[tuple[Sensor[Any], ...]] = (
    _of("visualization", "x", T.DOUBLE, "agvPosition.x", "Position on the map", "m"),
    _of("visualization", "y", T.DOUBLE, "agvPosition.y", "Position on the map", "m"),
    _of("visualization", "heading", T.DOUBLE, "agvPosition.theta", "Orientation", "rad"),
    _of("visualization", "speed", T.DOUBLE, "velocity.vx", "Speed forward", "m/s"),
    _of("state", "battery", T.DOUBLE, "batteryState.batteryCharge", "State of charge", "%",
        limits={"minimum": 0.0, "low": 20.0, "maximum": 100.0}),
    _of("state", "battery-voltage", T.DOUBLE, "batteryState.batteryVoltage", "Battery", "V"),
    _of("state", "charging", T.BOOLEAN, "batteryState.charging", "It charges", step=True),
    _of("state", "driving", T.BOOLEAN, "driving", "It drives", step=True),
    _of("state", "paused", T.BOOLEAN, "paused", "It was paused", step=True),
    _of("state", "operating-mode", T.STRING, "operatingMode", "Operating mode", step=True),
    _of("state", "order", T.STRING, "orderId", "Order", step=True),
    _of("state", "order-update", T.INT64, "orderUpdateId", "Update of the order", step=True),
    _of("state", "last-node", T.STRING, "lastNodeId", "Last node reached", step=True),
    _of("state", "nodes-left", T.INT64, "nodeStates.length", "Nodes still before it", "1", step=True),
    _of("state", "loads", T.INT64, "loads.length", "Loads it carries", "1", step=True),
    _of("state", "errors", T.INT64, "errors.length", "Errors it has", "1", step=True),
    _of("state", "emergency-stop", T.STRING, "safetyState.eStop", "Emergency stop", step=True),
)  # fmt: skip
