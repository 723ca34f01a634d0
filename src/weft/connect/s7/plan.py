"""Which bytes to ask for together: neighbours become one block, blocks fill PDUs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from weft.connect.s7.address import Place
from weft.connect.s7.pdu import ITEM, MOST_ITEMS, READ_HEAD, Item

__all__ = ["Block", "blocks", "requests"]


class Block(Struct, frozen=True):
    """Bytes ``start`` to ``end - 1`` of an area that hold the points of these indices."""

    area: int
    db: int
    start: int
    end: int
    points: tuple[int, ...]

    @property
    def name(self) -> str:
        area = f"DB{self.db}" if self.db else {0x81: "I", 0x82: "Q", 0x83: "M"}.get(self.area, "?")
        return f"{area}, byte {self.start}"

    def items(self, most: int) -> list[Item]:
        """Pieces of at most ``most`` bytes."""
        starts = range(self.start, self.end, most)
        return [Item(self.area, self.db, start, min(most, self.end - start)) for start in starts]


def blocks(places: Sequence[Place], wanted: Iterable[int], gap: int, most: int) -> list[Block]:
    """Of the wanted places, bridging at most ``gap`` bytes. A block is not larger than ``most`` bytes, unless one value
    alone is."""
    found: list[Block] = []
    order = sorted(wanted, key=lambda i: (places[i].area, places[i].db, places[i].offset))
    for i in order:
        place = places[i]
        last = found[-1] if found else None
        if (
            last is not None
            and (last.area, last.db) == (place.area, place.db)
            and place.offset - last.end <= gap
            and max(last.end, place.end) - last.start <= most
        ):
            end = max(last.end, place.end)
            found[-1] = Block(last.area, last.db, last.start, end, (*last.points, i))
        else:
            found.append(Block(place.area, place.db, place.offset, place.end, (i,)))
    return found


def requests(items: Sequence[Item], pdu: int) -> list[list[Item]]:
    """Items in requests such that question and answer fit into a PDU, and none has more than the 20 items that a
    controller takes."""
    packed: list[list[Item]] = []
    room = 0
    for item in items:
        need = 4 + item.size + item.size % 2
        if not packed or need > room or len(packed[-1]) == MOST_ITEMS or ITEM * (len(packed[-1]) + 2) > pdu:
            packed.append([])
            room = pdu - READ_HEAD
        packed[-1].append(item)
        room -= need
    return packed
