"""Statements that no recording of messages can decide, each with the reason."""

from __future__ import annotations

from typing import Final

__all__ = ["BEYOND"]

_BROKER: Final = "about the broker's own abilities: it takes a test that drives the broker"
_INSIDE: Final = "about what a host application shows inside; nothing of it is on the wire"
_CAUSE: Final = (
    "needs to know what really changed or happened at the device; messages only tell what was sent"
)
_MANY: Final = "needs recordings of several brokers at once"
_REORDER: Final = "needs to know in which order messages reached the host, and its configured timeout"


def _all(reason: str, ids: str) -> dict[str, str]:
    return {f"tck-id-{name}": reason for name in ids.split()}


BEYOND: Final[dict[str, str]] = {
    **_all(
        _BROKER,
        "conformance-mqtt-qos0 conformance-mqtt-qos1 conformance-mqtt-retained conformance-mqtt-will-messages "
        "conformance-mqtt-aware-basic conformance-mqtt-aware-ndeath-timestamp",
    ),
    **_all(
        _INSIDE,
        "operational-behavior-edge-node-termination-host-action-ndeath-node-offline "
        "operational-behavior-edge-node-termination-host-action-ndeath-node-tags-stale "
        "operational-behavior-edge-node-termination-host-action-ndeath-devices-offline "
        "operational-behavior-edge-node-termination-host-action-ndeath-devices-tags-stale "
        "operational-behavior-edge-node-termination-host-action-ddeath-devices-offline "
        "operational-behavior-edge-node-termination-host-action-ddeath-devices-tags-stale "
        "operational-behavior-host-reordering-param",
    ),
    **_all(
        _REORDER,
        "operational-behavior-host-reordering-start operational-behavior-host-reordering-rebirth "
        "operational-behavior-host-reordering-success",
    ),
    **_all(
        _CAUSE,
        "principles-rbe-recommended topics-ndata-payload topics-ddata-payload operational-behavior-device-ddeath "
        "operational-behavior-data-publish-nbirth-change operational-behavior-data-publish-dbirth-change",
    ),
    **_all(
        _MANY,
        "operational-behavior-host-application-multi-server-timestamp "
        "operational-behavior-primary-application-state-with-multiple-servers-single-server",
    ),
    **_all(
        "whether a host without a DISCONNECT left on purpose cannot be seen",
        "host-topic-phid-death-payload-timestamp-disconnect-with-no-disconnect-packet",
    ),
}
