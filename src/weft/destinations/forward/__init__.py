"""From an edge's own streams to the hub's: nothing lost, nothing twice, in order."""

from weft.destinations.forward.forwarder import Forwarder
from weft.destinations.forward.reception import EdgeStatus, Reception

__all__ = ["EdgeStatus", "Forwarder", "Reception"]
