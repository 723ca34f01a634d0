"""The far side: what Weft's destinations have published, each value with the moment it came."""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import anyio
from soak.wire import Peer

from weft.sparkplug.decode import decode

__all__ = ["Heard", "Recorder"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Heard(NamedTuple):
    """``time`` is the value's own, ``at`` when it came, both ns."""

    value: int
    time: int
    live: bool
    at: int


class Recorder:
    """``uns`` and ``spb``: ``{signal: [Heard, …]}`` in the order of coming; only good numbers that are counted."""

    def __init__(self, port):
        self._port = port
        self.uns, self.spb = {}, {}
        self._aliases = {}
        self.problems = []

    async def run(self):
        """Listens for ever; while the broker is away it tries again."""
        while True:
            peer = Peer(self._port, "soak-recorder")
            try:
                await peer.open("uns/v1/#", "spBv1.0/#")
                async for topic, payload in peer.messages():
                    self._take(topic, payload)
            except (OSError, EOFError):
                pass
            finally:
                peer.close()
            await anyio.sleep(0.1)

    @asynccontextmanager
    async def running(self):
        async with anyio.create_task_group() as group:
            group.start_soon(self.run)
            yield self
            group.cancel_scope.cancel()

    @property
    def count(self):
        """Of all values so far, both ways."""
        return sum(len(heard) for where in (self.uns, self.spb) for heard in where.values())

    def newest(self, where, name):
        """The highest value so far."""
        return max((heard.value for heard in getattr(self, where).get(name, ())), default=0)

    def _take(self, topic, payload):
        if topic.startswith("uns/"):
            self._document(topic.rpartition("/")[2], json.loads(payload))
        elif "/STATE/" not in topic:
            self._payload(topic.split("/"), decode(payload))

    def _document(self, name, said):
        if said["status"] == "Good" and isinstance(said["value"], int):
            time_ = _ns(said["time"])
            heard = Heard(said["value"], time_, not said.get("historical"), time.time_ns())
            self.uns.setdefault(name, []).append(heard)

    def _payload(self, place, payload):
        kind, device = place[2], "/".join(place[4:])
        for metric in payload.metrics:
            if kind.endswith("BIRTH"):
                if metric.alias is not None:
                    self._aliases[metric.alias] = metric.name
                continue  # the newest value once more
            name = metric.name or self._aliases.get(metric.alias)
            if name is None:
                self.problems.append(f"an alias {metric.alias} of {device} that no birth has named")
            elif kind == "DDATA" and isinstance(metric.value, int) and _good(metric):
                self._metric(name, metric)

    def _metric(self, name, metric):
        when = (metric.timestamp or 0) * 10**6
        heard = Heard(metric.value, when, not metric.is_historical, time.time_ns())
        self.spb.setdefault(name, []).append(heard)


def _good(metric):
    """Only what is not good says how it is."""
    return metric.properties is None or metric.properties.get("Quality") is None


def _ns(text):
    whole, _, rest = text.rstrip("Z").partition(".")
    seconds = int((datetime.fromisoformat(whole).replace(tzinfo=UTC) - EPOCH).total_seconds())
    return seconds * 10**9 + int(rest.ljust(9, "0")[:9] or 0)
