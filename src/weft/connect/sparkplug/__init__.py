"""Sparkplug B: a host application that reads edge nodes and their devices, and writes to them."""

from weft.connect.sparkplug.address import Address, Config
from weft.connect.sparkplug.connector import Sparkplug

__all__ = ["Address", "Config", "Sparkplug"]
