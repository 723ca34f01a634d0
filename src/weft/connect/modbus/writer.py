"""Writes values, each once: what was sent and not answered may have happened, and is never sent again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from weft.connect.modbus import frames
from weft.connect.modbus.client import Client, Silence
from weft.connect.modbus.encode import Mask, Unwritable, masks, registers, switch
from weft.connect.modbus.frames import READ, DeviceError
from weft.connect.modbus.place import Place
from weft.connect.modbus.scale import MOST_POWER
from weft.connect.modbus.wire import Unanswered
from weft.model import quality
from weft.runtime import Retry, get_logger

__all__ = ["Order", "Writer"]

log = get_logger(__name__)

BAD_NOT_WRITABLE: Final = 0x803B0000
MOST_REGISTERS: Final = 123  # of function 16 [6.12]
MOST_COILS: Final = 1968  # of function 15 [6.11]
ILLEGAL_FUNCTION: Final = 1
NO_PATH: Final = 10

# An exception tells that nothing was written; but 5 is "I am at it", and 11 "it went through me, and I know no more".
STATUSES: Final = {
    ILLEGAL_FUNCTION: quality.BAD_NOT_SUPPORTED,
    2: quality.BAD_NODE_ID_UNKNOWN,
    3: quality.BAD_OUT_OF_RANGE,
    5: quality.BAD_TIMEOUT,
    NO_PATH: quality.BAD_NO_COMMUNICATION,
    11: quality.BAD_TIMEOUT,
}


class Order(Struct, frozen=True):
    """A value to write, by its number among those that were asked for together."""

    number: int
    place: Place
    value: Any


class _Piece(Struct):
    """One request: the orders in it, in order of registers, and their bytes (of coils: one byte each)."""

    unit: int
    table: str
    start: int
    orders: list[Order]
    data: bytes

    @property
    def end(self) -> int:
        return self.start + (len(self.data) if self.table == "coil" else len(self.data) // 2)


class Writer:
    """Over one client. Orders next to each other go in one request, so that a device gets them together."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lacks: set[tuple[int, int]] = set()  # (unit, function) that a device does not know

    async def write(self, orders: Sequence[Order]) -> dict[int, int]:
        """An OPC UA status by number of order. Raises Retry when nothing at all was sent."""
        done: dict[int, int] = {}
        async with self._client.writing:
            pieces = await self._pieces(orders, done)
            for at, piece in enumerate(pieces):
                try:
                    done |= await self._send(piece)
                except Retry:
                    if at == 0 and not done:
                        raise
                    for rest in pieces[at:]:
                        done |= _all(rest, quality.BAD_NOT_CONNECTED)
                    break
        return done

    async def _pieces(self, orders: Sequence[Order], done: dict[int, int]) -> list[_Piece]:
        """What to send, in the order asked for; what cannot be sent is done with its status."""
        pieces: list[_Piece] = []
        for order in orders:
            try:
                piece = await self._piece(order)
            except Unwritable as error:
                done[order.number] = error.status
                continue
            if pieces and _adjoin(pieces[-1], piece):
                pieces[-1].data += piece.data
                pieces[-1].orders.append(order)
            else:
                pieces.append(piece)
        return pieces

    async def _piece(self, order: Order) -> _Piece:
        place = order.place
        if place.read_only:
            raise Unwritable(BAD_NOT_WRITABLE)
        if place.table == "coil":
            data = bytes((switch(order.value),))
        elif place.bit is not None or place.bits is not None:
            masks(place, order.value)  # whether it can be; what is sent depends on the register's other bits
            data = b""
        else:
            data = registers(place, order.value, await self._power(place))
            if len(data) > MOST_REGISTERS * 2:
                raise Unwritable(quality.BAD_NOT_SUPPORTED)
        return _Piece(place.unit, place.table, place.register, [order], data)

    async def _power(self, place: Place) -> int:
        if place.factor is None:
            return 0
        try:
            data = await self._client.read(place.unit, READ[place.table], place.factor, 1)
        except (DeviceError, Silence):
            raise Unwritable(quality.BAD_CONFIGURATION_ERROR) from None
        power = int.from_bytes(data, "big", signed=True)
        if abs(power) > MOST_POWER:
            raise Unwritable(quality.BAD_CONFIGURATION_ERROR)
        return power

    async def _send(self, piece: _Piece) -> dict[int, int]:
        try:
            await (self._fields(piece) if not piece.data else self._whole(piece))
        except DeviceError as error:
            if len(piece.orders) > 1 and error.code in {2, 3}:
                return await self._one_by_one(piece)
            return _all(piece, STATUSES.get(error.code, quality.BAD_DEVICE_FAILURE))
        except (Silence, Unanswered):
            return _all(piece, quality.BAD_TIMEOUT)
        return _all(piece, quality.GOOD)

    async def _one_by_one(self, piece: _Piece) -> dict[int, int]:
        """After a refusal of all of them: an exception says that none was written."""
        done: dict[int, int] = {}
        at, size = 0, 1 if piece.table == "coil" else 2
        for order in piece.orders:
            length = order.place.count * size
            part = _Piece(
                piece.unit, piece.table, order.place.register, [order], piece.data[at : at + length]
            )
            done |= await self._send(part)
            at += length
        return done

    async def _whole(self, piece: _Piece) -> None:
        coil = piece.table == "coil"
        many = (
            frames.write_coils(piece.start, [bool(byte) for byte in piece.data])
            if coil
            else frames.write_registers(piece.start, piece.data)
        )
        if piece.end - piece.start > 1:
            await self._client.write(piece.unit, many)
            return
        one = (
            frames.write_coil(piece.start, bool(piece.data[0]))
            if coil
            else frames.write_register(piece.start, piece.data)
        )
        await self._either(piece.unit, one, many)

    async def _either(self, unit: int, one: bytes, many: bytes) -> None:
        """The function for one, or the one for many where the device does not know the first."""
        if (unit, one[0]) not in self._lacks:
            try:
                await self._client.write(unit, one)
            except DeviceError as error:
                if error.code != ILLEGAL_FUNCTION:
                    raise
                self._lacks.add((unit, one[0]))
            else:
                return
        await self._client.write(unit, many)

    async def _fields(self, piece: _Piece) -> None:
        order = piece.orders[0]
        touched = masks(order.place, order.value)
        if len(touched) == 1 and (piece.unit, 22) not in self._lacks:
            [mask] = touched
            try:
                await self._client.write(piece.unit, frames.mask_register(mask.register, mask.keep, mask.set))
            except DeviceError as error:
                if error.code != ILLEGAL_FUNCTION:
                    raise
                self._lacks.add((piece.unit, 22))
                log.warning(
                    "the device has no mask write (function 22): bits are read, changed and written back, "
                    "and what the device itself changes in between is lost",
                    peer=self._client.peer,
                    unit=piece.unit,
                )
            else:
                return
        await self._change(piece.unit, touched)

    async def _change(self, unit: int, touched: list[Mask]) -> None:
        """Reads registers, changes their bits and writes them back in one request."""
        first, count = touched[0].register, touched[-1].register - touched[0].register + 1
        try:
            data = bytearray(await self._client.read(unit, READ["holding"], first, count))
        except Silence:
            raise DeviceError(NO_PATH) from None  # nothing was written yet
        for mask in touched:
            at = (mask.register - first) * 2
            old = int.from_bytes(data[at : at + 2], "big")
            data[at : at + 2] = ((old & mask.keep) | mask.set).to_bytes(2, "big")
        many = frames.write_registers(first, bytes(data))
        if count > 1:
            await self._client.write(unit, many)
        else:
            await self._either(unit, frames.write_register(first, bytes(data)), many)


def _adjoin(piece: _Piece, more: _Piece) -> bool:
    most = MOST_COILS if piece.table == "coil" else MOST_REGISTERS
    return (
        bool(piece.data and more.data)
        and (piece.unit, piece.table, piece.end) == (more.unit, more.table, more.start)
        and more.end - piece.start <= most
    )


def _all(piece: _Piece, status: int) -> dict[int, int]:
    return {order.number: status for order in piece.orders}
