"""OPC UA: sessions and crypto by asyncua, values by an own decoder."""

from weft.connect.opcua.config import Address, Config
from weft.connect.opcua.connector import OpcUa

__all__ = ["Address", "Config", "OpcUa"]
