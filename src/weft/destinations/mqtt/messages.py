"""Samples as MQTT messages: topic and payload of each, in the format that was chosen."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import numpy as np

from weft.destinations.api import Delivery
from weft.destinations.mqtt.config import Config
from weft.destinations.mqtt.names import percent, strict
from weft.model import Batch, Signal, ValueType, instant
from weft.model.quality import status_name
from weft.mqtt.outgoing import LONGEST_TOPIC, Publication
from weft.runtime import get_logger

__all__ = ["Messages"]

log = get_logger(__name__)


def _plain(value: Any) -> Any:
    """JSON has no word for it: text that says it best."""
    return b64encode(value).decode() if isinstance(value, memoryview | bytearray) else str(value)


_encode: Final = msgspec.json.Encoder(enc_hook=_plain).encode
_KNOWN: Final = (str, bytes, bool, int, float, type(None), list, tuple, dict, date, datetime, UUID)


class Messages:
    """The messages of deliveries. Topics are made once per signal; one that is too long is told and left out."""

    def __init__(self, config: Config, signals: Sequence[Signal]) -> None:
        self._config = config
        self._make = {"json": _json, "columns": _columns, "umh": _umh}[config.format]
        self._routes: dict[int, _Route] = {}
        self.left_out = 0
        for signal in signals:
            route = _route(config, signal)
            if len(route.topic.encode()) > LONGEST_TOPIC // 2:
                self.left_out += 1
                log.warning("a signal's topic is too long, it is not sent", signal=signal.path)
            else:
                self._routes[signal.handle] = route

    def of(self, delivery: Delivery) -> Iterator[Publication]:
        """In the order of the samples; of the columnar format one message per signal."""
        config = self._config
        retain = config.retain and delivery.live
        for topic, payload in self._make(self._routes, delivery.batch, delivery.live):
            yield Publication(topic, payload, config.qos, retain)


class _Route(msgspec.Struct, frozen=True):
    topic: str
    unit: bytes
    tag: bytes


def _route(config: Config, signal: Signal) -> _Route:
    form = strict if config.format == "umh" else percent
    places = {
        "path": form(signal.path),
        "asset": form(signal.asset),
        "name": form(signal.name),
        "contract": config.contract,
    }
    # UMH's own contract names the tag in the payload; its later ones always say "value".
    tag = strict(signal.name) if config.contract == "_historian" else "value"
    return _Route(config.template.format(**places), _encode(signal.unit), _encode(tag))


def _values(batch: Batch) -> list[Any]:
    """As JSON says them: dates as text, bytes as base64, what is no number as null."""
    values = batch.values()
    for i in np.flatnonzero(batch.type == ValueType.DATETIME).tolist():
        if values[i] is not None:
            values[i] = instant.text(instant.from_filetime(values[i]))
    return values


def _said(value: Any) -> bytes:
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError):  # a key that is no text, a lone surrogate
        return _encode(repr(value))


def _json(routes: Mapping[int, _Route], batch: Batch, live: bool) -> Iterable[tuple[str, bytes]]:
    end = b"}" if live else b',"historical":true}'
    rows = zip(batch.signal.tolist(), batch.time.tolist(), _values(batch), batch.status.tolist(), strict=True)
    for handle, time, value, status in rows:
        route = routes.get(handle)
        if route is not None:
            yield (
                route.topic,
                b'{"value":%b,"time":"%b","status":"%b","unit":%b%b'
                % (
                    _said(value),
                    instant.text(time).encode(),
                    status_name(status).encode(),
                    route.unit,
                    end,
                ),
            )


def _columns(routes: Mapping[int, _Route], batch: Batch, live: bool) -> Iterable[tuple[str, bytes]]:
    end = b"}" if live else b',"historical":true}'
    values = _values(batch)
    handles, first = np.unique(batch.signal, return_index=True)
    for handle in handles[np.argsort(first)].tolist():
        route = routes.get(handle)
        if route is None:
            continue
        rows = np.flatnonzero(batch.signal == handle)
        times = [instant.text(time) for time in batch.time[rows].tolist()]
        names = [status_name(status) for status in batch.status[rows].tolist()]
        said = b",".join(_said(values[i]) for i in rows.tolist())
        yield (
            route.topic,
            b'{"value":[%b],"time":%b,"status":%b,"unit":%b%b'
            % (said, _encode(times), _encode(names), route.unit, end),
        )


def _umh(routes: Mapping[int, _Route], batch: Batch, live: bool) -> Iterable[tuple[str, bytes]]:
    """Milliseconds, one value, and no other key: UMH refuses payloads that have any. It knows no quality, so what
    is not good or has no value is not sent."""
    good = (batch.status < 0x40000000).tolist()
    rows = zip(batch.signal.tolist(), batch.time.tolist(), _values(batch), good, strict=True)
    for handle, time, value, is_good in rows:
        route = routes.get(handle)
        if route is None or not is_good or value is None or value != value:  # noqa: PLR0124  # not a number
            continue
        said = value if isinstance(value, bool | int | float | str) else _said(value).decode()
        yield (
            route.topic,
            b'{"timestamp_ms":%d,%b:%b}' % (time // 1_000_000, route.tag, _said(said)),
        )
