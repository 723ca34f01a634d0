"""The stations' part of the plant's folder: their types, assets and connections, a derived signal and a rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from weft.demo import palletiser_signals, press_signals
from weft.demo.cart_signals import MANUFACTURER, SERIAL
from weft.demo.field import HOST_ID, Ports
from weft.demo.inspection_signals import GROUP
from weft.demo.layout import PATHS, ROBOT_NAME
from weft.demo.opcua_nodes import NAMESPACE, node_name
from weft.demo.sensor import Sensor
from weft.demo.toml import table

__all__ = ["DERIVED", "address_of", "assets", "connections", "logic"]

HOST: Final = "127.0.0.1"
FASTEST: Final = 0.005  # s between two polls
DESCRIPTIONS: Final = {
    "lathe": "Turning of shafts",
    "press": "Drawing of covers",
    "robot": "Assembly by a robot",
    "inspection": "Measuring and looking",
    "palletiser": "Conveyor and palletiser",
    "cart": "Cart to the warehouse",
}
# Signals that no machine shows: computed from those that one does.
DERIVED: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "lathe": {
        "temperature-gap": {
            "description": "How much warmer the cut is than the air; below 8.6 K heat is not carried off",
            "unit": "K",
            "derive": "{process-temperature} - {air-temperature}",
            "limits": {"low": 9.1},
        }
    },
    "inspection": {
        "yield": {
            "description": "Share of the assemblies that passed",
            "unit": "%",
            "derive": "100 * {passed-count} / {inspected-count} if {inspected-count} > 0 else 100",
            "limits": {"minimum": 0.0, "low": 90.0, "maximum": 100.0},
        }
    },
}


def address_of(station: str, sensor: Sensor[Any]) -> dict[str, Any]:
    """A signal's address as its connector wants it."""
    if station == "robot":
        return {"node": f"nsu={NAMESPACE};s={{control}}.{node_name(sensor.name)}"}
    address = dict(sensor.address)
    if station == "cart" and address["topic"] == "state":
        del address["topic"]
    return address


def assets(stations: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Asset paths and their fields."""
    for name in stations:
        fields: dict[str, Any] = {"description": DESCRIPTIONS[name], "type": name, "connection": name}
        yield PATHS[name], fields | ({"parameters": {"control": ROBOT_NAME}} if name == "robot" else {})


def connections(ports: Ports, speed: float) -> Iterator[tuple[str, str]]:
    """Names and texts of the stations' connection files."""
    broker = {"host": HOST, "port": ports.broker, "user": ports.user, "password": ports.password}
    # Twice as often as the controllers change: polled at their own pace, every slip would lose a value.
    press = max(FASTEST, round(press_signals.PERIOD / 2 / speed, 4))
    palletiser = max(FASTEST, round(palletiser_signals.PERIOD / 2 / speed, 4))
    control = f"nsu={NAMESPACE};s={ROBOT_NAME}"
    made: dict[str, tuple[str, str, dict[str, Any], list[str]]] = {
        "lathe": ("The lathe's agent", "mtconnect", {"url": f"http://{HOST}:{ports.lathe}"}, []),
        "press": ("The press's controller", "s7", {"host": HOST, "port": ports.press, "interval": press}, []),
        "robot": (
            "The robot cell's control",
            "opcua",
            {
                "endpoint": f"opc.tcp://{HOST}:{ports.robot}/model-factory",
                "security": "none",
                "publishing_interval": 0.25,
                "queue_size": 1000,
            },
            [f"{control}/*"],
        ),
        "inspection": (
            "The edge nodes of line 1",
            "sparkplug",
            broker | {"host_id": HOST_ID, "groups": [GROUP]},
            [],
        ),
        "palletiser": (
            "The palletiser's controller",
            "ethernetip",
            {"host": HOST, "port": ports.palletiser, "interval": palletiser},
            [],
        ),
        "cart": ("The carts of the hall", "vda5050", broker, [f"{MANUFACTURER}/{SERIAL}/*"]),
    }
    for name in ports.stations:
        description, protocol, fields, methods = made[name]
        head = f'description = "{description}"\n'
        head += f"methods = {methods!r}\n".replace("'", '"') if methods else ""
        yield f"connections/{name}.toml", f"{head}\n{table((protocol,), fields)}"


def logic(stations: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """A rule of local logic, where its station is there."""
    if "palletiser" not in stations:
        return
    path = PATHS["palletiser"]
    temperature = f"{{{path}/motor-temperature}}"
    rule = {
        "description": "A hot conveyor drive runs slower until it has cooled down",
        "when": f"{temperature} > 70",
        "until": f"{temperature} < 55",
        "for": 5.0,
        "set": {f"{path}/speed-setpoint": 0.15},
        "else": {f"{path}/speed-setpoint": 0.25},
    }
    lines = table(("rule",), rule).partition("\n")[2]
    yield "logic/spare-the-conveyor.toml", lines
