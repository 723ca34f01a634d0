"""Destinations: where the plant's samples go besides its own history, each with a cursor of its own."""

from weft.destinations.api import Delivery, Destination, Feed
from weft.destinations.outlet import Outlet
from weft.destinations.reading import Pace
from weft.destinations.status import Status

from weft.destinations.forward import EdgeStatus, Forwarder, Reception  # isort: skip  # uses those above

__all__ = [
    "Delivery",
    "Destination",
    "EdgeStatus",
    "Feed",
    "Forwarder",
    "Outlet",
    "Pace",
    "Reception",
    "Status",
]
