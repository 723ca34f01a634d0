"""OPC UA: sessions and crypto by asyncua, values by an own decoder."""

from weft.connect.opcua.client import OpcUa
from weft.connect.opcua.config import Address, Config

__all__ = ["Address", "Config", "OpcUa"]
