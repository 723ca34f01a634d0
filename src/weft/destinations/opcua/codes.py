"""Status codes by their names, and the refusal that carries one to the client."""

from __future__ import annotations

from typing import Any, Final

from weft.ua.stack import ua

__all__ = ["Refused", "code"]

code: Final[Any] = ua.StatusCodes
"""``code.BadCertificateUntrusted`` …: OPC 10000-6, A.2."""


class Refused(Exception):
    """A request that is answered with ``status``. ``hint`` is for the one who looks after the server."""

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(reason)
        self.status = int(status)
        self.reason = reason
        self.hint = ""

    def __str__(self) -> str:
        return (
            f"{ua.StatusCode(self.status).name}: {self.reason}"
            if self.reason
            else ua.StatusCode(self.status).name
        )
