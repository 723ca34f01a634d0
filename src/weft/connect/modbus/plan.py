"""Which registers to ask for together, so that few requests read many values.

Spans of the same unit and table become blocks: contiguous reads that bridge at most ``gap`` registers that
nobody wants. Two things are learnt from a device and kept out of blocks: holes, registers it refuses, and walls,
places where reading across is refused though both sides can be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct

from weft.connect.modbus.address import Config
from weft.connect.modbus.frames import READ
from weft.connect.modbus.place import BIT_TABLES

__all__ = ["CLOCK", "FACTOR", "Block", "Span", "halves", "plan"]

CLOCK: Final = -1
FACTOR: Final = -2  # a scale factor, which any number of values may share


class Span(Struct, frozen=True, order=True):
    """Registers ``start`` to ``end - 1`` that belong to one value; ``point`` is its index, CLOCK or FACTOR."""

    unit: int
    table: str
    start: int
    end: int
    point: int


class Block(Struct, frozen=True):
    """One request. Its spans are sorted by start and may overlap."""

    spans: tuple[Span, ...]

    @property
    def unit(self) -> int:
        return self.spans[0].unit

    @property
    def table(self) -> str:
        return self.spans[0].table

    @property
    def function(self) -> int:
        return READ[self.table]

    @property
    def start(self) -> int:
        return self.spans[0].start

    @property
    def count(self) -> int:
        return max(span.end for span in self.spans) - self.start

    @property
    def with_clock(self) -> bool:
        return any(span.point == CLOCK for span in self.spans)

    @property
    def points(self) -> list[int]:
        return [span.point for span in self.spans if span.point >= 0]


def plan(
    spans: Iterable[Span], config: Config, holes: Sequence[Span] = (), walls: frozenset[Span] = frozenset()
) -> list[Block]:
    """Blocks that cover every span once, by unit, table and register. A span of its own larger than the limit
    is a block of its own. ``walls`` are spans that must begin a block."""
    blocks: list[Block] = []
    for (unit, table), group in groupby(sorted(spans), key=lambda span: (span.unit, span.table)):
        barred = [hole for hole in holes if (hole.unit, hole.table) == (unit, table)]
        blocks += _blocks(list(group), config, barred, walls)
    return blocks


def halves(block: Block) -> tuple[Block, Block]:
    """The block's spans in two blocks."""
    middle = len(block.spans) // 2
    return Block(block.spans[:middle]), Block(block.spans[middle:])


def _blocks(spans: list[Span], config: Config, holes: list[Span], walls: frozenset[Span]) -> list[Block]:
    limit, gap = _limits(spans, config)
    blocks: list[Block] = []
    current: list[Span] = []
    end = 0
    for span in spans:
        apart = (
            not current
            or span.start - end > gap
            or max(end, span.end) - current[0].start > limit
            or span in walls
            or any(hole.start < span.start and hole.end > end for hole in holes)
        )
        if apart and current:
            blocks.append(Block(tuple(current)))
            current, end = [], 0
        current.append(span)
        end = max(end, span.end)
    return [*blocks, Block(tuple(current))]


def _limits(spans: list[Span], config: Config) -> tuple[int, int]:
    if spans[0].table in BIT_TABLES:
        return config.max_bits, config.gap * 16
    whole = max(span.end for span in spans) - spans[0].start
    if whole <= config.max_registers and any(span.point == CLOCK for span in spans):
        # A value is only as sure as the clock that was read with it: being in the clock's own request is worth
        # any number of unwanted registers.
        return config.max_registers, whole
    return config.max_registers, config.gap
