"""EtherNet/IP: tags of Logix and Micro800 controllers, and attributes of any CIP object."""

from weft.connect.ethernetip.address import Address, Config
from weft.connect.ethernetip.connector import EtherNetIp

__all__ = ["Address", "Config", "EtherNetIp"]
