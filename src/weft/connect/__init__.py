"""Protocol connectors: one folder each, found by entry point, imported when used."""

from weft.connect.api import (
    Browses,
    Calls,
    Connector,
    Discovers,
    Found,
    Link,
    Place,
    Point,
    Probes,
    Reads,
    Scope,
    Write,
    Writes,
)
from weft.connect.line import Line, LineState, Status
from weft.connect.testing import Recorder

__all__ = [
    "Browses",
    "Calls",
    "Connector",
    "Discovers",
    "Found",
    "Line",
    "LineState",
    "Link",
    "Place",
    "Point",
    "Probes",
    "Reads",
    "Recorder",
    "Scope",
    "Status",
    "Write",
    "Writes",
]
