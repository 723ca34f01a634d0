"""The HTTP kernel: application, access, errors as problems, server."""

from weft.web.access import Access, Identity
from weft.web.app import LOOPBACK, create
from weft.web.problems import Page, Problem
from weft.web.server import serve

__all__ = ["LOOPBACK", "Access", "Identity", "Page", "Problem", "create", "serve"]
