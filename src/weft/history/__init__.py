"""The historian: what signals were, kept in files that anything can read."""

from weft.history.api import History
from weft.history.routes import router
from weft.history.service import run
from weft.history.sql import SqlLimits
from weft.history.store import Store

__all__ = ["History", "SqlLimits", "Store", "router", "run"]
