"""What flows through the factory: parts, and the buffers between the machines."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

__all__ = ["Buffer", "Part"]


@dataclass(frozen=True, slots=True)
class Part:
    """A milled housing. ``deviation`` in um from the drawing: decided at the mill, found at packing."""

    serial: str
    product: str
    deviation: float


class Buffer:
    """A conveyor with room for ``capacity`` parts, first in, first out."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._parts: deque[Part] = deque()

    def __len__(self) -> int:
        return len(self._parts)

    def room_for(self, count: int) -> bool:
        return len(self._parts) + count <= self.capacity

    def put(self, part: Part) -> None:
        if not self.room_for(1):
            raise ValueError(f"the buffer holds {self.capacity} parts and is full")
        self._parts.append(part)

    def take(self) -> Part:
        return self._parts.popleft()
