"""What flows through the factory: parts, what is made of them, and the buffers between the machines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Buffer", "Part"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """A milled housing, a turned shaft or a pressed cover. ``deviation`` in um from the drawing: decided where it is
    made, found where it is measured. A housing that was assembled names its ``shaft`` and ``cover``; ``runout`` and
    ``gap`` in um are theirs."""

    serial: str
    product: str
    deviation: float
    shaft: str = ""
    cover: str = ""
    runout: float = 0.0
    gap: float = 0.0


class Buffer(Generic[T]):
    """A conveyor with room for ``capacity`` things, first in, first out."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._parts: deque[T] = deque()

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[T]:
        return iter(self._parts)

    def room_for(self, count: int) -> bool:
        return len(self._parts) + count <= self.capacity

    def put(self, part: T) -> None:
        if not self.room_for(1):
            raise ValueError(f"the buffer holds {self.capacity} parts and is full")
        self._parts.append(part)

    def take(self) -> T:
        return self._parts.popleft()
