"""The parts of a Sparkplug B payload as they are on the wire (Sparkplug 3.0, 6.4).

A field that is absent is None. Numbers are as the wire has them: an Int32 of -12 is the ``int_value`` 4294967284;
:mod:`weft.sparkplug.value` reads it by its datatype. For many plain metrics at once there is
:mod:`weft.sparkplug.columns`.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from weft.sparkplug.datatype import Field

__all__ = [
    "Cell",
    "DataSet",
    "MetaData",
    "Metric",
    "Parameter",
    "Payload",
    "PropertySet",
    "PropertyValue",
    "Template",
]


class Cell(Struct):
    """A cell of a data set; ``field`` 1 int, 2 long, 3 float, 4 double, 5 boolean, 6 string, 0 none."""

    field: int = 0
    value: Any = None


class DataSet(Struct):
    """A table (6.4.12)."""

    num_of_columns: int | None = None
    columns: list[str] = []
    types: list[int] = []
    rows: list[list[Cell]] = []


class PropertyValue(Struct):
    """``field`` 3 int, 4 long, 5 float, 6 double, 7 boolean, 8 string, 9 property set, 10 list of them, 0 none."""

    type: int | None = None
    is_null: bool | None = None
    field: int = 0
    value: Any = None


class PropertySet(Struct):
    """Keys and their values (6.4.10); a well-formed one has as many of each."""

    keys: list[str] = []
    values: list[PropertyValue] = []

    def get(self, key: str) -> PropertyValue | None:
        """The first of that key."""
        for i, name in enumerate(self.keys[: len(self.values)]):
            if name == key:
                return self.values[i]
        return None


class MetaData(Struct):
    """About a metric's value (6.4.9)."""

    is_multi_part: bool | None = None
    content_type: str | None = None
    size: int | None = None
    seq: int | None = None
    file_name: str | None = None
    file_type: str | None = None
    md5: str | None = None
    description: str | None = None


class Parameter(Struct):
    """A template's parameter (6.4.15); ``field`` 3 int, 4 long, 5 float, 6 double, 7 boolean, 8 string, 0 none."""

    name: str | None = None
    type: int | None = None
    field: int = 0
    value: Any = None


class Metric(Struct):
    """One value (6.4.6). ``spoiled``: its text was not UTF-8; the wrong bytes read as U+FFFD."""

    name: str | None = None
    alias: int | None = None
    timestamp: int | None = None
    datatype: int | None = None
    is_historical: bool | None = None
    is_transient: bool | None = None
    is_null: bool | None = None
    metadata: MetaData | None = None
    properties: PropertySet | None = None
    field: int = Field.NONE
    value: Any = None
    spoiled: bool = False


class Template(Struct):
    """A definition or an instance of one (6.4.14)."""

    version: str | None = None
    metrics: list[Metric] = []
    parameters: list[Parameter] = []
    template_ref: str | None = None
    is_definition: bool | None = None


class Payload(Struct):
    """A message (6.4.4)."""

    timestamp: int | None = None
    metrics: list[Metric] = []
    seq: int | None = None
    uuid: str | None = None
    body: bytes | None = None

    def named(self, name: str) -> Metric | None:
        """The first metric of that name."""
        return next((metric for metric in self.metrics if metric.name == name), None)
