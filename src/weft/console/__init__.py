"""The console: pages of the plant, server-rendered and live."""

from weft.console.api import House
from weft.console.routes import page, router

__all__ = ["House", "page", "router"]
