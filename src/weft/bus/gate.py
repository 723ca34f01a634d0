"""The door for edges: where a hub's server listens for them, and what each of them may do there.

An edge publishes samples below its home and events, asks for numbers under its own name, and keeps the lease of
its pair. It reads no stream: neither other edges' samples nor commands.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from weft.bus.jetstream import NOTES
from weft.bus.subjects import escape
from weft.runtime import Invalid

__all__ = ["Edge", "Gate", "inbox_of"]

_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # asked for by the setting
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """An edge's login. ``home`` is the path below which it may publish samples; ``pair`` the name of the lease that
    it may hold."""

    name: str
    password: str
    home: str
    pair: str = ""

    def __repr__(self) -> str:
        return f"<Edge {self.name}>"


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """``listen`` is ``host:port``; beyond loopback it needs ``certificate`` and ``key``, both files."""

    listen: str
    certificate: str = ""
    key: str = ""
    edges: tuple[Edge, ...] = ()

    def __post_init__(self) -> None:
        host, colon, port = self.listen.rpartition(":")
        if not colon or not port.isdecimal() or not 0 < int(port[:6]) < 65_536:
            raise Invalid(
                f"{self.listen!r} is no address to listen on.", remedy='Write it like "0.0.0.0:7422".'
            )
        if bool(self.certificate) != bool(self.key):
            raise Invalid("A certificate needs its key, and a key its certificate.")
        if host not in _LOOPBACK and not self.certificate:
            raise Invalid(
                f"The bus would be open without encryption on {self.listen}.",
                remedy="Set certificate and key, or listen on 127.0.0.1.",
            )

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    @property
    def near(self) -> str:
        """The address for those on this machine."""
        return _ANYWHERE.get(self.host, self.host)

    def settings(self) -> dict[str, Any]:
        """For the server's configuration. Weft itself, on this machine, goes in without TLS."""
        if not self.certificate:
            return {}
        tls = {
            "cert_file": self.certificate,
            "key_file": self.key,
            "timeout": 5,
            "handshake_first": "auto",  # edges insist on it; Weft itself waits 50 ms for the greeting
        }
        return {"tls": tls, "allow_non_tls": True}

    def users(self) -> list[dict[str, Any]]:
        return [_user(edge) for edge in self.edges]


def inbox_of(name: str) -> str:
    """Where answers to an edge come; nobody else can listen there."""
    return f"_INBOX_{escape(name)}"


def _user(edge: Edge) -> dict[str, Any]:
    home = ".".join(map(escape, edge.home.split("/")))
    publish = [
        f"uns.v1.{home}.>",
        "events.v1.>",
        f"weft.edge.{escape(edge.name)}.>",
        "weft.nobody",
        "$JS.API.STREAM.LIST",
        f"$JS.API.DIRECT.GET.samples.uns.v1.{home}.>",
        "$JS.API.DIRECT.GET.events.events.v1.>",
    ]
    if edge.pair:
        lease = f"weft.note.lease.{escape(edge.pair)}"
        publish += [lease, f"$JS.API.DIRECT.GET.{NOTES}.{lease}"]
    return {
        "user": edge.name,
        "password": edge.password,
        "allowed_connection_types": ["STANDARD"],
        "permissions": {
            "publish": {"allow": publish},
            "subscribe": {"allow": [f"{inbox_of(edge.name)}.>", "$JS.EVENT.ADVISORY.STREAM.*.*"]},
        },
    }
