"""How a plant's folder describes Weft's own OPC UA server."""

from __future__ import annotations

import ipaddress
from typing import Final, Literal

import msgspec

__all__ = ["MODES", "POLICIES", "Config", "Mode", "Policy", "User"]

Policy = Literal["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"]
Mode = Literal["SignAndEncrypt", "Sign"]

POLICIES: Final[tuple[Policy, ...]] = ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
MODES: Final[tuple[Mode, ...]] = ("SignAndEncrypt", "Sign")


class User(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may log in: with a password (``env:NAME`` or ``file:path``; the password itself only in trials) or
    with the certificate in a file (DER or PEM), or both. ``write`` lets this user ask for writes; what is
    allowed, the signal's guard rails decide."""

    password: str = ""
    certificate: str = ""
    write: bool = False

    def __post_init__(self) -> None:
        if not self.password and not self.certificate:
            raise ValueError("a user needs a password or a certificate")

    def __repr__(self) -> str:
        return f"User(certificate={self.certificate!r}, write={self.write})"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server. Times are seconds.

    ``certificates`` is the folder of the own certificate, of the trusted and of the rejected ones; empty: the
    destination's own folder. ``insecure`` also offers connections without signature and encryption.
    ``anonymous`` lets everybody with a trusted application read. ``addresses`` are names and IP addresses under
    which clients reach the server, for its certificate. ``require_revocation_list`` refuses certificates of an
    authority whose list is absent or out of date.
    """

    host: str = "127.0.0.1"
    port: int = 4840
    name: str = "Weft"
    addresses: tuple[str, ...] = ()
    namespace: str = "urn:weft:plant"
    policies: tuple[Policy, ...] = POLICIES
    modes: tuple[Mode, ...] = MODES
    insecure: bool = False
    anonymous: bool = False
    users: dict[str, User] = {}
    certificates: str = ""
    require_revocation_list: bool = True
    max_connections: int = 100
    max_connections_per_address: int = 20
    max_sessions: int = 50
    max_subscriptions: int = 50
    max_monitored_items: int = 50_000
    max_message_mb: int = 16
    hello_timeout: float = 5.0
    login_timeout: float = 20.0
    write_timeout: float = 10.0
    max_memory_mb: int = 1024
    nice: int = 5
    heartbeat: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError("port must be between 0 (any free one) and 65535")
        if not self.users and not self.anonymous:
            raise ValueError(
                "nobody could log in: name `users`, or say anonymous = true (then only for reading)"
            )
        if not self.insecure and not (self.policies and self.modes):
            raise ValueError("no policy or no mode is left; clients could not connect")
        if "//" not in self.namespace and not self.namespace.startswith("urn:"):
            raise ValueError(f"namespace {self.namespace!r} is not a URI like urn:weft:plant")
        self._check_numbers()

    def _check_numbers(self) -> None:
        for name, low, high in (
            ("max_connections", 1, 10_000),
            ("max_connections_per_address", 1, 10_000),
            ("max_sessions", 1, 1_000),
            ("max_subscriptions", 1, 1_000),
            ("max_monitored_items", 1, 1_000_000),
            ("max_message_mb", 1, 256),
            ("max_memory_mb", 256, 1 << 20),
            ("nice", 0, 19),
            ("hello_timeout", 0.1, 600),
            ("login_timeout", 0.1, 600),
            ("write_timeout", 0.1, 600),
            ("heartbeat", 0.2, 600),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be between {low} and {high}")

    @property
    def loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
