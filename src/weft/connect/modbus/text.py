"""Texts of registers: strings, and the addresses that SunSpec counts among them."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Final

__all__ = ["reader_of"]


def reader_of(kind: str) -> Callable[[bytes], str]:
    """What makes the text of a kind out of its bytes."""
    return _READERS[kind]


def _string(raw: bytes) -> str:
    """Up to the first NUL, without the padding; bytes that are no UTF-8 are read as Latin-1."""
    data = raw.partition(b"\0")[0].rstrip(b" ")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


_READERS: Final[dict[str, Callable[[bytes], str]]] = {
    "string": _string,
    "ipaddr": lambda raw: str(IPv4Address(raw)),
    "ipv6addr": lambda raw: str(IPv6Address(raw)),
    "eui48": lambda raw: raw[-6:].hex(":"),
}
