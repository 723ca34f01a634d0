"""The metrics of the inspection station (Sparkplug B): its device's, and those of the edge node itself."""

from __future__ import annotations

from typing import Any, Final

from weft.demo.inspection import FEATURES, FLAWS, Inspection
from weft.demo.machine import CAUSES, STATES
from weft.demo.picture import picture
from weft.demo.sensor import Sensor
from weft.model import ValueType as T

__all__ = ["DEVICE", "GROUP", "INSPECTION", "NODE"]

GROUP, NODE, DEVICE = "Factory", "Line1", "Inspection"


def _metric(name: str) -> dict[str, Any]:
    return {"group": GROUP, "node": NODE, "device": DEVICE, "metric": name}


def _size(number: int) -> Sensor[Inspection]:
    feature = FEATURES[number]
    low = round(feature.nominal - feature.below / 1000.0, 4)
    high = round(feature.nominal + feature.above / 1000.0, 4)
    return Sensor(
        feature.name,
        T.DOUBLE,
        lambda i: i.sizes[number],
        unit="mm",
        description=f"Measured {feature.name} of the last assembly",
        step=True,
        limits={"low": low, "high": high},
        address=_metric(f"Dimensions/{feature.name.capitalize()}"),
    )


def _picture(inspection: Inspection) -> bytes:
    return picture(inspection.serial, FLAWS[inspection.flaw])


INSPECTION: Final[tuple[Sensor[Inspection], ...]] = (
    Sensor("state", T.INT32, lambda i: int(i.state), description="Machine state (PackML)", step=True, states=STATES, address=_metric("State")),
    Sensor("cause", T.INT32, lambda i: int(i.cause), description="Why it stands", step=True, states=CAUSES, address=_metric("Cause")),
    Sensor("alarm", T.STRING, lambda i: i.alarm, description="Alarm text, empty when none", step=True, address=_metric("Alarm")),
    Sensor("serial", T.STRING, lambda i: i.serial, description="Assembly inspected last", step=True, address=_metric("Serial")),
    Sensor("good", T.BOOLEAN, lambda i: i.good, description="It was good", step=True, address=_metric("Good")),
    Sensor("flaw", T.BYTE, lambda i: i.flaw, description="What the camera found", step=True, states=dict(enumerate(FLAWS)), address=_metric("Flaw")),
    *(_size(number) for number in range(len(FEATURES))),
    Sensor("dimensions", T.DOUBLE, lambda i: i.sizes, unit="mm", description="All dimensions of the last assembly, in the order above", step=True, array=True, address=_metric("Dimensions/All")),
    Sensor("picture", T.BYTESTRING, _picture, description="Picture of the last assembly (PNG)", step=True, address=_metric("Picture")),
    Sensor("inspected-count", T.UINT32, lambda i: i.inspected, unit="1", description="Assemblies inspected", step=True, address=_metric("Count/Inspected")),
    Sensor("passed-count", T.UINT32, lambda i: i.passed, unit="1", description="Assemblies passed", step=True, address=_metric("Count/Passed")),
    Sensor("rejected-count", T.UINT32, lambda i: i.rejected, unit="1", description="Assemblies rejected", step=True, address=_metric("Count/Rejected")),
    Sensor("camera-temperature", T.FLOAT, lambda i: round(i.temperature + 0.05 * i.noise(i.clock, 1), 2), unit="Cel", description="Camera", every=1.0, limits={"minimum": 0.0, "high": 55.0, "maximum": 90.0}, address=_metric("Camera/Temperature")),
    Sensor("lamp", T.FLOAT, lambda i: round(i.lamp, 1), unit="%", description="Brightness of the lamp", every=1.0, limits={"minimum": 0.0, "low": 75.0, "maximum": 110.0}, address=_metric("Camera/Lamp")),
)  # fmt: skip
