"""Modbus: registers, coils and discrete inputs over TCP, RTU over TCP and serial lines; SunSpec and own maps."""

from weft.connect.modbus.address import Address, Config, Device, DeviceClock, SerialPort
from weft.connect.modbus.connector import Modbus

__all__ = ["Address", "Config", "Device", "DeviceClock", "Modbus", "SerialPort"]
