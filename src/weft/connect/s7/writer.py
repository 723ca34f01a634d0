"""Writes values, each once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from weft.connect.api import Write
from weft.connect.s7.address import Place
from weft.connect.s7.client import Client, Unanswered
from weft.connect.s7.kinds import BadValue
from weft.connect.s7.pdu import DONE, Item, RequestError
from weft.connect.s7.poll import STATUSES
from weft.model import quality
from weft.runtime import Retry

__all__ = ["write"]

_HEAD: Final = 12 + 12 + 4  # of a request with one item


async def write(client: Client, writes: Sequence[Write]) -> list[int]:
    """One OPC UA status each, one request each: what one value does is never another one's fault. Raises Retry when
    nothing at all was sent."""
    statuses: list[int] = []
    for number, order in enumerate(writes):
        try:
            statuses.append(await _write_one(client, order.point.address.place, order.value))
        except Unanswered:
            statuses.append(quality.BAD_TIMEOUT)
        except Retry:
            if not number:
                raise
            statuses.append(quality.BAD_NOT_CONNECTED)
    return statuses


async def _write_one(client: Client, place: Place, value: object) -> int:
    try:
        content = place.encode(value)
    except BadValue as error:
        return quality.BAD_OUT_OF_RANGE if "range" in str(error) else quality.BAD_TYPE_MISMATCH
    # The first bytes of a text say how many characters fit: they are the controller's, not ours.
    offset = place.offset + {"STRING": 1, "WSTRING": 2}.get(place.name, 0)
    bit = place.bit if place.name == "BOOL" else None
    most = client.pdu - _HEAD
    if len(content) > most:
        return quality.BAD_ENCODING_LIMITS_EXCEEDED  # in two requests, the program would see half of it
    try:
        [code] = await client.write([Item(place.area, place.db, offset, len(content), bit)], [content])
    except RequestError as error:
        code = 0x03 if error.code == 0x04 else 0x01
    return quality.GOOD if code == DONE else STATUSES.get(code, quality.BAD_DEVICE_FAILURE)
