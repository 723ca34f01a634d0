"""SHDR: the line protocol of MTConnect adapters (pipe-separated text over TCP)."""

from weft.connect.shdr.address import Address, Category, Config
from weft.connect.shdr.connector import Shdr

__all__ = ["Address", "Category", "Config", "Shdr"]
