"""What a connection keeps beyond its line, also beyond this process: the session at the server, the subscription and
its items. With it nothing is created anew after an outage, and the server hands over what it has held back.

The authentication token is a secret. It is written down all the same, in a file for this user alone beside the
private key of the same connection: without it a restart of Weft could not take over its own session, and on a
secured channel it is worth nothing without that key (OPC 10000-4, 5.7.3).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from weft.connect.api import Point
from weft.connect.opcua.config import Address, Config

__all__ = ["Facts", "Item", "digest", "pack", "unpack"]

_LARGEST: Final = 900_000  # of the 1 MiB that a line remembers
_MOST_ITEMS: Final = 1_000_000


class Facts(msgspec.Struct, kw_only=True):
    """``whose`` tells whether they belong to this configuration. ``token`` is the NodeId's bytes, ``policies``
    are (id, token type, security policy) of the server's logins, ``started`` is the server's start in its own
    ticks: another one is another server, whose numbers mean something else. ``read_size`` is how many values a call
    was good for when reading in batches, measured."""

    whose: str = ""
    token: bytes = b""
    nonce: bytes = b""
    policies: list[tuple[str, int, str]] = []
    started: int = 0
    subscription: int = 0
    silence: float = 0.0
    items: bytes = b""
    events: dict[str, int] = {}
    read_size: int = 0

    def forget_session(self) -> None:
        self.token = self.nonce = b""

    def forget_subscription(self) -> None:
        self.subscription, self.items, self.events = 0, b"", {}

    def document(self) -> dict[str, Any]:
        """For a line to remember."""
        found: dict[str, Any] = msgspec.to_builtins(self, builtin_types=(bytes,))
        return found

    @classmethod
    def of(cls, document: Mapping[str, Any], config: Config) -> Facts:
        """Empty when what is remembered is not this configuration's."""
        try:
            facts = msgspec.convert(document, cls, builtin_types=(bytes,))
        except msgspec.ValidationError:
            facts = cls()
        whose = owner(config)
        return facts if facts.whose == whose else cls(whose=whose)


class Item(NamedTuple):
    """A monitored item: the signal, the number that it has in messages, the number that the server gave it, and how
    many samples the server keeps."""

    signal: int
    client: int
    server: int
    digest: int
    queue: int


def owner(config: Config) -> str:
    login = config.user or config.user_certificate
    return f"{config.endpoint}|{config.listen}|{config.security}|{config.policy}|{login}"


def digest(point: Point) -> int:
    """Tells whether a signal is still monitored as its address asks for."""
    address: Address = point.address
    wish = (address.node, address.path, address.sampling_interval, address.queue_size, address.deadband)
    return zlib.crc32(repr(wish).encode())


def pack(items: Iterable[Item]) -> bytes:
    """Small: 100,000 items take half a megabyte. Empty when they are too many to be remembered."""
    rows = np.array(list(items), dtype=np.int64).reshape(-1, 5)
    if not len(rows):
        return b""
    rows[:, :3] = np.diff(rows[:, :3], axis=0, prepend=0)
    packed = zlib.compress(np.ascontiguousarray(rows.T).astype("<i8").tobytes(), 6)
    return packed if len(packed) <= _LARGEST else b""


def unpack(packed: bytes) -> list[Item]:
    """Raises ValueError."""
    if not packed:
        return []
    inflate = zlib.decompressobj()
    try:
        raw = inflate.decompress(packed, _MOST_ITEMS * 40)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not inflate.eof or len(raw) % 40:
        raise ValueError("a part of an item")
    rows = np.frombuffer(raw, "<i8").reshape(5, -1).T.copy()
    rows[:, :3] = np.cumsum(rows[:, :3], axis=0)
    return [Item(*row) for row in rows.tolist()]
