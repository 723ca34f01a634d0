"""plant.toml: what the plant is called, where it stands, and the settings."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from weft.catalog.findings import Report, nearest
from weft.catalog.folder import Document, Folder, bad_name
from weft.catalog.forms import PlantForm
from weft.catalog.shape import convert
from weft.runtime import Invalid
from weft.runtime.settings import TABLES, overrides

__all__ = ["Header", "check_retention", "read_header"]


class Header(msgspec.Struct, frozen=True):
    plant: PlantForm
    settings: dict[str, Any]


STAND_IN: Final[dict[str, Any]] = {"name": "?", "enterprise": "enterprise", "site": "site"}


def read_header(folder: Folder, environ: Mapping[str, str] | None) -> Header:
    """A header that is missing or wrong is stood in for, so that the rest is checked all the same."""
    document = folder.header()
    if document is None:
        return Header(PlantForm(**STAND_IN), {})
    for key in document.data:
        if key != "plant" and key not in TABLES:
            remedy = nearest(key, ["plant", *TABLES], label="Tables are")
            folder.findings.error(document.place(key), f"{key!r} is not a table of plant.toml.", remedy)
    settings = _settings(document, folder.findings, environ)
    if "plant" not in document.data:
        folder.findings.error(
            document.place(), "The table [plant] is missing.", "It needs name, enterprise and site."
        )
        return Header(PlantForm(**STAND_IN), settings)
    table = document.data["plant"]
    plant, problems = convert(table, PlantForm, "[plant]")
    document.report(folder.findings, problems, "plant")
    if plant is None and isinstance(table, dict):
        plant, _ = convert({**STAND_IN, **table}, PlantForm, "[plant]")
    if plant is not None:
        _check(plant, document, folder.findings)
    return Header(plant or PlantForm(**STAND_IN), settings)


def _check(plant: PlantForm, document: Document, findings: Report) -> None:
    for key in ("enterprise", "site"):
        name = getattr(plant, key)
        if reason := bad_name(name):
            findings.error(document.place("plant", key), f"The {key}'s name {name!r} {reason}.")
    if not plant.name.strip():
        findings.error(document.place("plant", "name"), "The plant's name is empty.")
    zones = zoneinfo.available_timezones()
    if plant.timezone not in zones:
        remedy = (
            nearest(plant.timezone, sorted(zones))
            if "/" in plant.timezone
            else _by_city(plant.timezone, zones)
        )
        findings.error(
            document.place("plant", "timezone"), f"There is no time zone {plant.timezone!r}.", remedy
        )
    check_retention(plant.retention, document.place("plant", "retention"), findings)


def _by_city(name: str, zones: set[str]) -> str:
    """People write "Berlin" where the database has "Europe/Berlin"."""
    cities = {zone.rpartition("/")[2]: zone for zone in sorted(zones) if not zone.startswith("posix")}
    remedy = nearest(name, cities)
    for city, zone in cities.items():
        if remedy == f"Did you mean {city!r}?":
            return f"Did you mean {zone!r}?"
    return "Names are like 'Europe/Berlin'."


def check_retention(days: float | None, place: tuple[str, int], findings: Report) -> None:
    if days is not None and not days > 0:  # not a number is wrong too
        findings.error(place, f"'retention' of {days:g} days keeps nothing.", "inf keeps for ever.")


def _settings(document: Document, findings: Report, environ: Mapping[str, str] | None) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, struct in TABLES.items():
        value, problems = convert(document.data.get(name, {}), struct, f"[{name}]")
        document.report(findings, problems, name)
        settings[name] = struct() if value is None else value
    for override in overrides(environ):
        try:
            value = override.value()
        except Invalid as error:
            findings.error((override.variable, 0), error.message, error.remedy)
        else:
            settings[override.table] = msgspec.structs.replace(
                settings[override.table], **{override.key: value}
            )
    return settings
