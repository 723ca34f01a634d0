"""Protocol connectors: one folder each, found by entry point, imported when used."""

from weft.connect.api import Browses, Connector, Found, Link, Point, Probes
from weft.connect.line import Line, LineState, Status
from weft.connect.testing import Recorder

__all__ = [
    "Browses",
    "Connector",
    "Found",
    "Line",
    "LineState",
    "Link",
    "Point",
    "Probes",
    "Recorder",
    "Status",
]
