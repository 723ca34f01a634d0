"""How a plant's folder describes an OPC UA connection and a signal on it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from weft.connect.opcua import paths, profile
from weft.runtime import NeedsHuman
from weft.ua import nodes

__all__ = ["Address", "Config", "Mode", "Policy", "Security"]

Security = Literal["SignAndEncrypt", "Sign", "none"]
Policy = Literal["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"]
Mode = Literal["auto", "subscribe", "read"]


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server. Times are seconds; ``sampling_interval`` None is as fast as published.

    ``security`` none must be said. ``certificates`` is the folder of the own certificate and of the trusted
    ones. ``password`` is the password itself, ``env:NAME`` or ``file:path``; it is in no message and no log.
    ``user_certificate`` and ``user_key`` (files) log a person or a role in instead. ``listen`` waits there for the
    server to connect (reverse connect), which must call itself ``server_uri``. ``outage_budget`` is how long a line
    may be away without a sample being lost: queues and lifetimes at the server are asked for by it; ``queue_size``
    None follows from it. ``events`` are nodes whose alarms and conditions are received, i=2253 is the whole server.
    ``profile`` says what kind of server it is (profiles.toml), ``mode`` how values are had: ``subscribe``, ``read``
    (every ``publishing_interval`` all of them in batches), or as the profile says.
    ``only_changes`` False hands over every reading, also one that says the same as the last.
    """

    endpoint: str
    security: Security = "SignAndEncrypt"
    policy: Policy = "Basic256Sha256"
    certificates: str = "~/.local/state/weft/pki"
    server_certificate: str = ""
    trust_on_first_use: bool = False
    user: str = ""
    password: str = ""
    password_in_clear: bool = False
    user_certificate: str = ""
    user_key: str = ""
    listen: str = ""
    server_uri: str = ""
    publishing_interval: float = 0.5
    sampling_interval: float | None = None
    queue_size: int | None = None
    outage_budget: float = 60.0
    publish_requests: int = 3
    timeout: float = 5.0
    events: tuple[str, ...] = ()
    profile: str = profile.AUTO
    mode: Mode = "auto"
    only_changes: bool = True

    def __post_init__(self) -> None:
        url = urlsplit(self.endpoint)
        if url.scheme != "opc.tcp" or not url.hostname:
            raise ValueError(f"endpoint {self.endpoint!r} is not like opc.tcp://host:4840")
        if url.username or url.password:
            raise ValueError("endpoint holds a user or password; they belong into `user` and `password`")
        if not 0.001 <= self.publishing_interval <= 3600:
            raise ValueError("publishing_interval must be between 0.001 and 3600 seconds")
        if not 0.1 <= self.timeout <= 600:
            raise ValueError("timeout must be between 0.1 and 600 seconds")
        if not 1 <= self.publish_requests <= 50:
            raise ValueError("publish_requests must be between 1 and 50")
        if self.queue_size is not None and not 1 <= self.queue_size <= 1_000_000:
            raise ValueError("queue_size must be between 1 and 1000000")
        if not 0 <= self.outage_budget <= 86_400:
            raise ValueError("outage_budget must be between 0 and 86400 seconds")
        if self.profile not in profile.known():
            raise ValueError(f"there is no profile {self.profile!r}; there are {', '.join(profile.known())}")
        self._check_way_in()
        for node in self.events:
            nodes.parse(node)

    def _check_way_in(self) -> None:
        if bool(self.user_certificate) != bool(self.user_key):
            raise ValueError("user_certificate and user_key belong together")
        if self.user and self.user_certificate:
            raise ValueError("user and user_certificate are two ways to log in: only one of them")
        if not self.listen:
            return
        url = urlsplit(self.listen)
        if url.scheme != "opc.tcp" or not url.hostname or not url.port:
            raise ValueError(f"listen {self.listen!r} is not like opc.tcp://127.0.0.1:4841")
        if not self.server_uri:
            raise ValueError("listen needs server_uri: anybody could connect there")

    def __repr__(self) -> str:
        return f"Config(endpoint={self.endpoint!r}, security={self.security!r}, user={self.user!r})"

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.endpoint).port or 4840

    @property
    def folder(self) -> Path:
        return Path(self.certificates).expanduser()

    def secret(self) -> str:
        """The password itself. Raises NeedsHuman when its reference leads nowhere."""
        kind, _, name = self.password.partition(":")
        if kind == "env":
            if name not in os.environ:
                raise NeedsHuman(
                    f"The password of {self.endpoint} is expected in the environment variable {name}, which is not set.",
                    remedy=f"Set {name} and start again.",
                )
            return os.environ[name]
        if kind == "file":
            try:
                return Path(name).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise NeedsHuman(
                    f"The password of {self.endpoint} is expected in {name}, which cannot be read ({type(error).__name__}).",
                    remedy="Write it there, readable for this user only.",
                ) from error
        return self.password


class Address(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node: ``i=2258``, ``ns=2;s=Mill.Load`` or, independent of the server's namespace order,
    ``nsu=urn:mill;s=Load`` (OPC 10000-6, 5.3.1.10). With ``path`` the names from there down
    (``2:Spindle/2:Load``, ``nsu=urn:mill;Spindle``; :mod:`paths`), looked up when connecting; without ``node``
    it begins at the Objects folder. The rest overrides the connection for this signal; ``deadband`` is absolute,
    in the server's number, and asked of the server."""

    node: str = ""
    path: str = ""
    sampling_interval: float | None = None
    queue_size: int | None = None
    deadband: float = 0.0

    def __post_init__(self) -> None:
        if self.node or not self.path:
            nodes.parse(self.node)
        if self.path:
            paths.parse(self.path)
        if self.deadband < 0:
            raise ValueError("deadband must not be negative")
        if self.queue_size is not None and not 1 <= self.queue_size <= 1_000_000:
            raise ValueError("queue_size must be between 1 and 1000000")

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.node} {self.path}".strip()
