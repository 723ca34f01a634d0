"""Names on the mill's OPC UA server."""

from __future__ import annotations

from typing import Final

__all__ = ["NAMESPACE", "node_name"]

NAMESPACE: Final = "urn:weft:model-factory"


def node_name(sensor: str) -> str:
    """``spindle-load`` is ``SpindleLoad`` in the control."""
    return "".join(word.capitalize() for word in sensor.split("-"))
