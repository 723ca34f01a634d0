"""What the lathe's adapter says (SHDR) and its agent shows (MTConnect 2.0)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

from weft.demo.lathe import BAR, LEAST_GAP, LEAST_POWER, LIFE, MOST_POWER, PHASES, ROUGH, Lathe
from weft.demo.machine import Cause, State
from weft.demo.sensor import Sensor, Value
from weft.model import ValueType as T

__all__ = ["CONDITIONS", "DEVICE", "LATHE", "Condition", "device_file"]

DEVICE: Final = "Lathe1"
_EXECUTION: Final = {
    State.EXECUTE: "ACTIVE",
    State.SUSPENDED: "WAIT",
    State.HELD: "FEED_HOLD",
    State.ABORTED: "INTERRUPTED",
    State.IDLE: "READY",
    State.STOPPED: "STOPPED",
}


class Condition(NamedTuple):
    """A condition and the causes of stops that are faults of it; ``warns`` says when it is a warning, and why."""

    id: str
    type: str
    component: str
    causes: frozenset[Cause]
    warns: Callable[[Lathe], str]


def _heat(lathe: Lathe) -> str:
    return "Little heat is carried off" if lathe.process - lathe.air < LEAST_GAP + 0.5 else ""


def _load(lathe: Lathe) -> str:
    low, high = LEAST_POWER * 1.1, MOST_POWER * 0.95
    roughing = lathe.running and lathe.phase is PHASES[ROUGH] and lathe.rpm > 0.95 * lathe.wanted_rpm
    return "Spindle power near its limit" if roughing and not low < lathe.power < high else ""


CONDITIONS: Final = (
    Condition("system", "SYSTEM", "Controller", frozenset({Cause.MICRO_STOP, Cause.RANDOM}), lambda m: ""),
    Condition(
        "tool",
        "HARDWARE",
        "Path",
        frozenset({Cause.TOOL_WEAR, Cause.OVERSTRAIN, Cause.TOOL_CHANGE}),
        lambda m: "Tool nearly used up" if m.wear > 0.95 * LIFE[0] else "",
    ),
    Condition("spindle_load_condition", "LOAD", "Rotary", frozenset({Cause.POWER}), _load),
    Condition("spindle_heat", "TEMPERATURE", "Rotary", frozenset({Cause.HEAT_DISSIPATION}), _heat),
)


def _sample(
    name: str,
    read: Callable[[Lathe], Value],
    *,
    unit: str,
    description: str,
    key: str,
    kind: str,
    every: float = 0.2,
    high: float | None = None,
) -> Sensor[Lathe]:
    """``kind``: ``component/TYPE/units`` with a subtype behind the type after a dot."""
    limits = {} if high is None else {"high": high}
    return Sensor(
        name,
        T.DOUBLE,
        read,
        unit,
        description,
        every,
        limits=limits,
        address={"id": key},
        key=kind,
    )


def _event(
    name: str, type: T, read: Callable[[Lathe], Value], *, description: str, key: str, kind: str
) -> Sensor[Lathe]:
    return Sensor(
        name,
        type,
        read,
        description=description,
        step=True,
        address={"id": key},
        key=kind,
    )


def _noisy(value: float, spread: float, lathe: Lathe, channel: int, digits: int) -> float:
    return round(value + spread * lathe.noise(lathe.clock, channel), digits)


def _rpm(lathe: Lathe) -> float:
    return _noisy(lathe.rpm, 2.0, lathe, 1, 1) if lathe.rpm > 1.0 else 0.0


def _torque(lathe: Lathe) -> float:
    return _noisy(lathe.torque, 0.3, lathe, 2, 2) if lathe.torque > 0.1 else 0.0


LATHE: Final[tuple[Sensor[Lathe], ...]] = (
    _event("execution", T.STRING, lambda m: _EXECUTION[m.state], description="What the control does", key="execution", kind="Path/EXECUTION"),
    _event("mode", T.STRING, lambda m: "MANUAL" if m.state is State.ABORTED else "AUTOMATIC", description="Mode of the control", key="mode", kind="Controller/CONTROLLER_MODE"),
    _event("program", T.STRING, lambda m: f"SHAFT-{m.quality.name}", description="Program", key="program", kind="Path/PROGRAM"),
    _event("block", T.STRING, lambda m: m.phase.name, description="Part of the program", key="block", kind="Path/BLOCK"),
    _event("serial", T.STRING, lambda m: m.serial or "NONE", description="Shaft in the chuck", key="serial", kind="Path/PART_ID"),
    _event("part-count", T.INT64, lambda m: m.parts, description="Shafts made", key="parts", kind="Path/PART_COUNT.ALL"),
    _event("scrap-count", T.INT64, lambda m: m.scrap, description="Shafts scrapped", key="scrap", kind="Path/PART_COUNT.BAD"),
    _event("tool", T.STRING, lambda m: f"T{m.tool:02d}", description="Tool in use", key="toolid", kind="Path/TOOL_NUMBER"),
    _event("stop", T.STRING, lambda m: m.cause.name, description="Why it stands", key="stop", kind="Controller/x:STOP_CAUSE"),
    _sample("spindle-speed", _rpm, unit="{rev}/min", description="Spindle speed", key="rpm", kind="Rotary/ROTARY_VELOCITY.ACTUAL/REVOLUTION/MINUTE", high=3300.0),
    _sample("spindle-torque", _torque, unit="N.m", description="Spindle torque", key="torque", kind="Rotary/TORQUE.ACTUAL/NEWTON_METER", high=90.0),
    _sample("spindle-power", lambda m: round(m.power, 1), unit="W", description="Power at the spindle", key="power", kind="Rotary/WATTAGE.ACTUAL/WATT", high=9000.0),
    _sample("x-position", lambda m: round(m.x, 3), unit="mm", description="Cross slide", key="xpos", kind="Linear:X/POSITION.ACTUAL/MILLIMETER"),
    _sample("z-position", lambda m: round(m.z, 3), unit="mm", description="Carriage", key="zpos", kind="Linear:Z/POSITION.ACTUAL/MILLIMETER"),
    _sample("air-temperature", lambda m: _noisy(m.air, 0.03, m, 3, 2), unit="Cel", description="Air around the machine", key="air", kind="Environmental/TEMPERATURE/CELSIUS", every=1.0),
    _sample("process-temperature", lambda m: _noisy(m.process, 0.05, m, 4, 2), unit="Cel", description="At the cut", key="process", kind="Rotary/TEMPERATURE/CELSIUS", every=1.0),
    _sample("coolant-pressure", lambda m: _noisy(max(0.0, m.coolant) * 1e5, 2000.0, m, 5, 0), unit="Pa", description="Coolant at the nozzle", key="coolant", kind="Coolant/PRESSURE/PASCAL", every=1.0),
    _sample("tool-wear", lambda m: round(60.0 * m.wear, 1), unit="s", description="Use of the tool", key="wear", kind="Path/ACCUMULATED_TIME/SECOND", every=1.0, high=12_000.0),
    _sample("bar-left", lambda m: round(100.0 * m.left / BAR, 1), unit="%", description="Rest of the bar", key="bar", kind="Stock/FILL_LEVEL/PERCENT", every=1.0),
)  # fmt: skip


def device_file() -> str:
    """The MTConnectDevices document of the lathe."""
    root = ET.Element("MTConnectDevices", {"xmlns": "urn:mtconnect.org:MTConnectDevices:2.0"})
    devices = ET.SubElement(root, "Devices")
    about = {"id": "lathe1", "name": DEVICE, "uuid": "weft-model-factory-lathe-1"}
    device = ET.SubElement(devices, "Device", about)
    _item(device, "avail", "EVENT", "AVAILABILITY")
    holders: dict[str, ET.Element] = {}
    for sensor in LATHE:
        component, type, units = [*sensor.key.split("/", 2), ""][:3]
        category = "SAMPLE" if sensor.type is T.DOUBLE else "EVENT"
        holder = _component(device, holders, component)
        _item(holder, sensor.address["id"], category, type, units)
    for condition in CONDITIONS:
        _item(_component(device, holders, condition.component), condition.id, "CONDITION", condition.type)
    return ET.tostring(root, encoding="unicode")


def _component(device: ET.Element, holders: dict[str, ET.Element], name: str) -> ET.Element:
    if name in holders:
        return holders[name]
    kind, _, label = name.partition(":")
    parent = _parent(device, holders, kind)
    inner = parent.find("Components")
    inner = ET.SubElement(parent, "Components") if inner is None else inner
    about = {"id": name.lower().replace(":", "_"), "name": label or kind.lower()}
    holders[name] = ET.SubElement(inner, kind, about)
    return holders[name]


def _parent(device: ET.Element, holders: dict[str, ET.Element], kind: str) -> ET.Element:
    above = {"Linear": "Axes", "Rotary": "Axes", "Path": "Controller", "Coolant": "Systems"}
    return _component(device, holders, above[kind]) if kind in above else device


def _item(holder: ET.Element, id: str, category: str, type: str, units: str = "") -> None:
    items = holder.find("DataItems")
    if items is None:
        items = ET.Element("DataItems")
        holder.insert(0, items)
    bare, _, sub = type.partition(".")
    about = {"id": id, "category": category, "type": bare}
    about |= {"subType": sub} if sub else {}
    about |= {"units": units, "nativeUnits": units} if units else {}
    ET.SubElement(items, "DataItem", about)
