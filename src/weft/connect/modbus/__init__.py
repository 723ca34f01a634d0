"""Modbus TCP: reads registers, coils and discrete inputs of one host and the units behind it."""

from weft.connect.modbus.address import Address, Config, DeviceClock
from weft.connect.modbus.connector import Modbus

__all__ = ["Address", "Config", "DeviceClock", "Modbus"]
