"""Destinations: where the plant's samples go besides its own history, each with a cursor of its own."""

from weft.destinations.api import Delivery, Destination, Feed
from weft.destinations.outlet import Outlet
from weft.destinations.reading import Pace
from weft.destinations.status import Status

__all__ = ["Delivery", "Destination", "Feed", "Outlet", "Pace", "Status"]
