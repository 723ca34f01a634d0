"""The model factory as a plant's folder: what somebody who has this factory would write by hand."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from weft.demo import meter_signals, plant_stations, washer_signals
from weft.demo.field import Ports
from weft.demo.layout import (
    LINE,
    METER_PATHS,
    MILL_NAME,
    MILL_PATH,
    PACKING_PATH,
    WASHER_PATH,
    meter_sensors,
    station_sensors,
)
from weft.demo.mill_signals import MILL
from weft.demo.opcua_nodes import NAMESPACE, node_name
from weft.demo.packing_signals import MESSAGES, PACKING, PREFIX
from weft.demo.sensor import Place, Sensor
from weft.demo.toml import table
from weft.model.values import type_name

__all__ = ["ENTERPRISE", "SITE", "write"]

ENTERPRISE: Final = "weft"
SITE: Final = "model-factory"
MARK: Final = "# The model factory writes this folder anew at every start, unless this line is deleted.\n"
FASTEST: Final = 0.005  # s between two polls
LIMITS: Final = ("minimum", "low", "high", "maximum")


def write(folder: Path, ports: Ports, *, speed: float = 1.0) -> None:
    """Writes the plant into ``folder``, which is made when absent. Without the first line of ``plant.toml`` the
    folder is its owner's: only the connections are written, for their ports. ``speed`` is the field's: the
    Modbus devices are polled as much faster.

    Raises FileExistsError when another plant lives there.
    """
    plant = folder / "plant.toml"
    kept = plant.exists() and not plant.read_text(encoding="utf-8").startswith(MARK)
    if kept and f'"{SITE}"' not in plant.read_text(encoding="utf-8"):
        raise FileExistsError(f"{folder} holds another plant. Give the model factory a folder of its own.")
    for name, text in _files(ports, speed):
        if not kept or name.startswith("connections/"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _files(ports: Ports, speed: float) -> Iterator[tuple[str, str]]:
    yield "plant.toml", _plant()
    yield "assets/line-1.toml", _line(ports)
    yield "assets/utilities.toml", _utilities()
    if "cart" in ports.stations:
        yield "assets/logistics.toml", _logistics(ports)
    mill = [(s, {"node": f"nsu={NAMESPACE};s={{control}}.{node_name(s.name)}"}) for s in MILL]
    yield "types/mill.toml", _type("CNC mill with a four-tool magazine", mill)
    washer = [(s, _registers(s.place)) for s in washer_signals.WASHER if s.place is not None]
    yield "types/washer.toml", _type("Basket washer with a heated bath", washer)
    yield "types/packing.toml", _type("Packing machine with a camera", [(s, _topic(s)) for s in PACKING])
    yield "signals/meters.csv", _meters()
    yield from _connections(ports, speed)
    for name in ports.stations:
        signals = [(s, plant_stations.address_of(name, s)) for s in station_sensors(name)]
        derived = plant_stations.DERIVED.get(name, {})
        yield f"types/{name}.toml", _type(plant_stations.DESCRIPTIONS[name], signals, derived)
    yield from plant_stations.connections(ports, speed)
    yield from plant_stations.logic(ports.stations)


def _plant() -> str:
    return MARK + table(
        ("plant",),
        {
            "name": "Model factory",
            "enterprise": ENTERPRISE,
            "site": SITE,
            "timezone": "Europe/Berlin",
            "description": "A simulated line: housings, shafts and covers become assemblies, packs and pallets",
            "owner": "plant engineering",
            "retention": 365,
        },
    )


def _line(ports: Ports) -> str:
    tables: list[tuple[str, dict[str, Any]]] = [
        ("production", {"description": "Machining and packing"}),
        (LINE, {"description": "Line 1: housings and flanges"}),
        (
            MILL_PATH,
            {
                "description": "Milling",
                "type": "mill",
                "connection": "mill",
                "parameters": {"control": MILL_NAME},
            },
        ),
        (WASHER_PATH, {"description": "Washing", "type": "washer", "connection": "washer"}),
        (PACKING_PATH, {"description": "Inspection and packing", "type": "packing", "connection": "packing"}),
    ]
    tables += [(path, {"description": "Energy meter"}) for path in METER_PATHS if path.startswith(LINE)]
    tables += [asset for asset in plant_stations.assets(ports.stations) if asset[0].startswith(LINE)]
    return "\n".join(table((path,), fields) for path, fields in tables)


def _logistics(ports: Ports) -> str:
    tables = [("logistics", {"description": "Carts and warehouse", "owner": "logistics"})]
    tables += [asset for asset in plant_stations.assets(ports.stations) if asset[0].startswith("logistics")]
    return "\n".join(table((path,), fields) for path, fields in tables)


def _utilities() -> str:
    fields: list[tuple[str, dict[str, Any]]] = [
        ("utilities", {"description": "Power and compressed air", "owner": "facility management"}),
        ("utilities/power/incoming", {"description": "Incoming supply with the main meter"}),
    ]
    return "\n".join(table((path,), values) for path, values in fields)


def _type(
    description: str,
    signals: Sequence[tuple[Sensor[Any], dict[str, Any]]],
    derived: Mapping[str, dict[str, Any]] | None = None,
) -> str:
    tables = [f'description = "{description}"\n']
    tables += [table(("signals", s.name), {**_fields(s), "address": address}) for s, address in signals]
    tables += [table(("signals", name), fields) for name, fields in (derived or {}).items()]
    return "\n".join(tables)


def _fields(sensor: Sensor[Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {"description": sensor.description, "unit": sensor.unit}
    if sensor.topic or "id" in sensor.address:  # JSON and MTConnect know fewer types than the machine
        fields["type"] = type_name(sensor.type)
    if sensor.scaled:
        fields |= {"scale": sensor.scale, "offset": sensor.offset}
    fields |= {"limits": sensor.limits, "states": sensor.states, "step": sensor.step, **sensor.more}
    return {name: value for name, value in fields.items() if value}


def _registers(place: Place) -> dict[str, Any]:
    address: dict[str, Any] = {"register": place.register, "type": place.kind}
    if place.order != "ABCD":
        address["order"] = place.order
    for name in ("bit", "bits", "length"):
        if (value := getattr(place, name)) is not None:
            address[name] = value
    return address


def _topic(sensor: Sensor[Any]) -> dict[str, Any]:
    message = next(message for message in MESSAGES if message.topic == sensor.topic)
    address = {"topic": f"{PREFIX}/{sensor.topic}", "path": sensor.key, "time": "ts"}
    return address if message.iso else {**address, "time_unit": "ms"}


def _meters() -> str:
    out = io.StringIO()
    head = ["asset", "name", "connection", "unit", "description", "scale", *LIMITS]
    address = ["unit", "table", "register", "type", "order"]
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow([*head, *(f"address.{field}" for field in address)])
    for meter, asset in enumerate(METER_PATHS):
        for _, sensor in meter_sensors(meter):
            place = sensor.place
            if place is not None:
                scale = sensor.scale if sensor.scaled else ""
                limits = [sensor.limits.get(name, "") for name in LIMITS]
                where = [meter + 1, "input", place.register, place.kind, place.order]
                known = [asset, sensor.name, "meters", sensor.unit, sensor.description, scale]
                rows.writerow([*known, *limits, *where])
    return out.getvalue()


def _connections(ports: Ports, speed: float) -> Iterator[tuple[str, str]]:
    host = "127.0.0.1"
    mill = {
        "endpoint": f"opc.tcp://{host}:{ports.mill}/model-factory",
        "security": "none",
        "publishing_interval": 0.25,
        "queue_size": 1000,
    }
    yield "connections/mill.toml", _connection("The mill's control", "opcua", mill)
    for name, port, clock, table_name, period in (
        ("washer", ports.washer, washer_signals.CLOCK_REGISTER, "holding", washer_signals.PERIOD),
        ("meters", ports.meters, meter_signals.CLOCK_REGISTER, "input", meter_signals.PERIOD),
    ):
        fields = {
            "host": host,
            "port": port,
            # Twice as often as the device changes: polled at its own pace, every slip would lose a value.
            "interval": max(FASTEST, round(period / 2 / speed, 4)),
            "clock": {"table": table_name, "register": clock, "type": "uint64", "unit": "ms"},
        }
        yield f"connections/{name}.toml", _connection(f"The {name} over Modbus TCP", "modbus", fields)
    broker = {"host": host, "port": ports.broker, "user": ports.user, "password": ports.password}
    yield "connections/packing.toml", _connection("The packing machine's broker", "mqtt", broker)


def _connection(description: str, protocol: str, fields: dict[str, Any]) -> str:
    return f'description = "{description}"\n\n' + table((protocol,), fields)
