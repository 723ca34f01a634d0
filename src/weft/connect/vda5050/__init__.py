"""VDA 5050: carts (automated guided vehicles) over MQTT, from the side of the master control."""

from weft.connect.vda5050.address import Address, Config
from weft.connect.vda5050.connector import Vda5050

__all__ = ["Address", "Config", "Vda5050"]
