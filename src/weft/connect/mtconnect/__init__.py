"""MTConnect agents: probe, current, sample streaming and assets over HTTP."""

from weft.connect.mtconnect.address import Address, Config
from weft.connect.mtconnect.connector import MtConnect

__all__ = ["Address", "Config", "MtConnect"]
