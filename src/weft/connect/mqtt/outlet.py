"""What is published for a write: topic and payload of each signal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import anyio
import msgspec

from weft.connect.api import Write
from weft.connect.mqtt.address import Address
from weft.model import quality
from weft.model.instant import text
from weft.mqtt.session import Session
from weft.runtime import Denied, Invalid, Retry

__all__ = ["payload_of", "write"]

_PLACE: Final = re.compile(r"\$(value|raw|time|ms)\b")
_json = msgspec.json.Encoder().encode


def payload_of(address: Address, value: Any, now: int) -> bytes:
    """The template with ``$value`` (as JSON), ``$raw`` (as text), ``$time`` (ISO 8601, in quotes) and ``$ms``
    filled in; without a template the value as text. Raises Invalid for a value that JSON cannot carry."""
    filled = {"raw": _raw(value), "time": f'"{text(now, 3)}"', "ms": str(now // 1_000_000)}
    template = address.write_template or "$raw"
    if "$value" in template:
        try:
            filled["value"] = _json(value).decode()
        except (TypeError, ValueError) as error:
            raise Invalid(f"The value cannot be written as JSON: {error}.") from error
    return _PLACE.sub(lambda match: filled[match[1]], template).encode()


def _raw(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    try:
        return _json(value).decode()
    except (TypeError, ValueError):
        return ""


async def write(session: Session, writes: Sequence[Write], now: int, qos: int, timeout: float) -> list[int]:
    """One StatusCode each. What the broker has acknowledged is done; with QoS 0, what the socket took."""
    statuses: list[int] = []
    for one in writes:
        statuses.append(await _write(session, one, now, qos, timeout))
        if statuses[-1] == quality.BAD_TIMEOUT:
            break  # the line hangs: what follows was not sent
    return statuses + [quality.BAD_NO_COMMUNICATION] * (len(writes) - len(statuses))


async def _write(session: Session, one: Write, now: int, qos: int, timeout: float) -> int:
    address: Address = one.point.address
    if not address.write_topic:
        return quality.BAD_NOT_WRITABLE
    status = quality.BAD_TIMEOUT  # sent and not acknowledged: it may have arrived
    with anyio.move_on_after(timeout):
        try:
            payload = payload_of(address, one.value, now)
            await session.publish(address.write_topic, payload, qos=qos, retain=address.write_retain)
        except Denied:
            status = quality.BAD_USER_ACCESS_DENIED
        except Invalid:
            status = quality.BAD_CONFIGURATION_ERROR
        except Retry:
            status = quality.BAD_TIMEOUT
        else:
            status = quality.GOOD
    return status
