"""Weft's own OPC UA server, in a process of its own: the plant's model, its live values, writes on the way of
every command."""

from weft.destinations.opcua.config import Config
from weft.destinations.opcua.destination import OpcUaServer

__all__ = ["Config", "OpcUaServer"]
