"""Siemens S7 (S7-300/400/1200/1500 by PUT/GET, LOGO!): data blocks, flags, inputs and outputs."""

from weft.connect.s7.address import Address, Config
from weft.connect.s7.connector import S7

__all__ = ["S7", "Address", "Config"]
