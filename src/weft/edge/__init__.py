"""From connectors to the bus: normalise, believe, derive, thin, store and forward. And the way back: commands."""

from weft.edge.clocks import Clocks
from weft.edge.command import LOGIC, Commands, Policy, doors
from weft.edge.diary import Diary
from weft.edge.logic import Logic
from weft.edge.pipeline import Edge
from weft.edge.rules import Rules
from weft.edge.sieve import Sieve

__all__ = ["LOGIC", "Clocks", "Commands", "Diary", "Edge", "Logic", "Policy", "Rules", "Sieve", "doors"]
