"""The recorded lathe: what its log says by a parser of its own, and a plant folder that reads all of it.

Nothing here uses Weft: both sides of a test must not share their mistakes.
"""

from __future__ import annotations

import csv
import pathlib
import re
import time
from calendar import timegm
from collections import Counter
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

FOLDER = pathlib.Path("machines", "mtconnect", "okuma")
UNITS = {
    "MILLIMETER": "mm",
    "MILLIMETER_3D": "mm",
    "PERCENT": "%",
    "DEGREE": "deg",
    "SECOND": "s",
    "REVOLUTION/MINUTE": "/min",
    "MILLIMETER/MINUTE": "mm/min",
    "MILLIMETER/SECOND": "mm/s",
    "DEGREE/SECOND": "deg/s",
}
CONDITION_NAMES = ("level", "native_code", "native_severity", "qualifier", "message")
ENTERPRISE, SITE, ASSET = "weft", "lathe-works", "turning/lathe"


class Item(NamedTuple):
    """What one signal reads."""

    key: str
    category: str
    part: str = ""


class Sample(NamedTuple):
    """An expected observation; ``value`` None is bad, and ``bad`` says so. Conditions are tuples of fields."""

    time: int
    value: Any
    bad: bool


def log_path(reference: pathlib.Path) -> pathlib.Path:
    return reference / FOLDER / "okuma.txt"


def categories(reference: pathlib.Path) -> dict[str, dict[str, str]]:
    """The attributes of the data items by key, which is their name or their id."""
    root = ET.parse(reference / FOLDER / "Devices.xml").getroot()
    items = {}
    for element in root.iter():
        if element.tag.endswith("}DataItem"):
            items[element.get("id", "")] = dict(element.attrib)
            items[element.get("name") or element.get("id", "")] = dict(element.attrib)
    return items


def nanoseconds(text: str) -> int:
    whole, fraction = text.rstrip("Z").split(".")
    seconds = timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    return seconds * 10**9 + int(fraction) * 10 ** (9 - len(fraction))


def expected(reference: pathlib.Path) -> dict[Item, list[Sample]]:
    """Everything that the log says, in its order, by what a signal would read."""
    known = categories(reference)
    out: dict[Item, list[Sample]] = {}
    lines = log_path(reference).read_text(encoding="utf-8").split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line or line.startswith("*"):
            continue
        stamp, *fields = line.split("|")
        moment = nanoseconds(stamp)
        if fields[0] == "@ASSET@":
            end = lines.index(fields[3], at)
            out.setdefault(Item(fields[1], "asset"), []).append(
                Sample(moment, "\n".join(lines[at:end]), bad=False)
            )
            at = end + 1
        elif fields[0].startswith("@REMOVE"):
            key = fields[1] if fields[0] == "@REMOVE_ASSET@" else "*"
            sample = Sample(moment, "|".join(fields), bad=False)
            out.setdefault(Item(key, "asset", "removed"), []).append(sample)
        else:
            for item, sample in _observations(moment, fields, known):
                out.setdefault(item, []).append(sample)
    return out


def _observations(moment, fields, known):
    while fields:
        key, fields = fields[0], fields[1:]
        category = known.get(key, {}).get("category", "EVENT").lower()
        taken = 5 if category == "condition" else 1
        values, fields = fields[:taken], fields[taken:]
        if values[0] == "UNAVAILABLE":
            value = None
        elif category == "sample":
            numbers = [float(text) for text in values[0].split(" ")]
            value = numbers[0] if len(numbers) == 1 else numbers
        else:
            value = tuple(values) if category == "condition" else values[0]
        yield Item(key, category), Sample(moment, value, bad=value is None)


def pipe_pairs(reference: pathlib.Path) -> tuple[int, Counter[str]]:
    """The naive count of the log: every line that has a pipe, cut at the pipes, its fields after the time taken
    two by two; how many pairs there are, and how often each first of a pair stands there."""
    firsts: Counter[str] = Counter()
    for line in log_path(reference).read_text(encoding="utf-8").split("\n"):
        firsts.update(line.split("|")[1::2])
    return firsts.total(), firsts


def signal_name(item: Item) -> str:
    name = f"tool-{item.key}" if item.category == "asset" else item.key
    name = name.replace("*", "all")
    return f"{name}-{item.part}" if item.part else name


def signal_path(item: Item) -> str:
    return f"{ENTERPRISE}/{SITE}/{ASSET}/{signal_name(item)}"


def plant_folder(reference: pathlib.Path, folder: pathlib.Path, port: int) -> dict[str, Item]:
    """Writes a plant that reads everything in the log from an adapter at ``port`` of this host. Returns what
    each signal reads, by the signal's path."""
    for name in ("assets", "connections", "signals"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "plant.toml").write_text(
        f'[plant]\nname = "Lathe works"\nenterprise = "{ENTERPRISE}"\nsite = "{SITE}"\ntimezone = "UTC"\n'
    )
    (folder / "assets" / "turning.toml").write_text(
        f'["turning"]\ndescription = "Turning"\n\n["{ASSET}"]\ndescription = "Recorded lathe"\n'
        'connection = "lathe"\n'
    )
    (folder / "connections" / "lathe.toml").write_text(
        f'description = "Adapter of the lathe"\n\n[shdr]\nhost = "127.0.0.1"\nport = {port}\n'
    )
    known, items = categories(reference), list(expected(reference))
    with (folder / "signals" / "lathe.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        names = ("asset", "name", "connection", "type", "unit", "description", "step")
        writer.writerow([*names, "address.key", "address.category", "address.part"])
        for item in items:
            writer.writerow(_row(item, known.get(item.key, {})))
    return {signal_path(item): item for item in items}


def _row(item: Item, attributes: dict[str, str]) -> list[str]:
    measured = attributes.get("nativeUnits") or attributes.get("units") or ""
    unit = UNITS.get(measured, "") if item.category == "sample" else ""
    position = attributes.get("units", "").endswith("_3D")
    type_ = ("" if position else "Double") if item.category == "sample" else "String"
    step = "false" if item.category == "sample" else "true"
    description = re.sub(r"[_\s]+", " ", attributes.get("type", "")).capitalize()
    return [ASSET, signal_name(item), "lathe", type_, unit, description, step, *item]
