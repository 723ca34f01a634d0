"""From connectors to the bus: normalise, sieve, store and forward."""

from weft.edge.pipeline import Edge
from weft.edge.rules import Rules
from weft.edge.sieve import Sieve

__all__ = ["Edge", "Rules", "Sieve"]
