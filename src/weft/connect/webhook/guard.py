"""Who may post: a token, or a signature of the body (HMAC-SHA256, RFC 2104)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from weft.connect.webhook.address import Config
from weft.runtime import Denied
from weft.runtime.secret import resolve

__all__ = ["Guard"]


class Guard:
    """Checks what a request brings. Header names in small letters."""

    def __init__(self, config: Config) -> None:
        self._header = config.header.lower()
        self._signature = config.signature.lower()
        token, secret = resolve(config.token, "token"), resolve(config.secret, "secret")
        self._token = token.encode()
        self._secret = secret.encode()

    def check_token(self, headers: Mapping[str, str]) -> None:
        """Before the body is read. Raises Denied."""
        if not self._token:
            return
        given = headers.get(self._header, "")
        if self._header == "authorization":
            scheme, _, given = given.partition(" ")
            given = given.strip() if scheme.lower() == "bearer" else ""
        # A header is decoded as Latin-1: this is what was sent, and senders mean UTF-8.
        if not hmac.compare_digest(given.encode("latin-1"), self._token):
            raise Denied("The token is missing or wrong.", remedy=f"Send it in the header {self._header}.")

    def check_signature(self, headers: Mapping[str, str], body: bytes) -> None:
        """``sha256=`` and the hexadecimal HMAC of the body, the prefix optional. Raises Denied."""
        if not self._secret:
            return
        given = headers.get(self._signature, "").strip().removeprefix("sha256=").lower()
        if not hmac.compare_digest(given.encode(), hmac.digest(self._secret, body, "sha256").hex().encode()):
            raise Denied(
                "The signature of the body is missing or wrong.",
                remedy=f"Send its HMAC-SHA256 in the header {self._signature}.",
            )
