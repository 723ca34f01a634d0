"""Destinations: where the plant's samples go besides its own history, each with a cursor of its own."""

from weft.destinations.api import Delivery, Destination, Feed

__all__ = ["Delivery", "Destination", "Feed"]
