"""Topics (Sparkplug 3.0, 4) and the names in them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import unquote

__all__ = [
    "NAMESPACE",
    "Topic",
    "Verb",
    "device_id",
    "is_id",
    "parse_topic",
    "path_of",
    "state_host",
    "state_topic",
]

NAMESPACE: Final = "spBv1.0"
_STATE: Final = f"{NAMESPACE}/STATE/"
# What MQTT reserves, what NATS' listener hangs up on, and our own marks.
_ESCAPED: Final = {ord(char): f"%{ord(char):02X}" for char in "+#%*> \x7f" + "".join(map(chr, range(32)))}
_JOINED: Final = {**_ESCAPED, ord("."): "%2E", ord("/"): "."}


class Verb(StrEnum):
    """The message types (4.2)."""

    NBIRTH = "NBIRTH"
    NDEATH = "NDEATH"
    DBIRTH = "DBIRTH"
    DDEATH = "DDEATH"
    NDATA = "NDATA"
    DDATA = "DDATA"
    NCMD = "NCMD"
    DCMD = "DCMD"

    @property
    def of_device(self) -> bool:
        return self.value[0] == "D"


_VERBS: Final = {verb.value: verb for verb in Verb}


class Topic(NamedTuple):
    """``spBv1.0/group/verb/node[/device]``."""

    verb: Verb
    group: str
    node: str
    device: str = ""

    def __str__(self) -> str:
        end = f"/{self.device}" if self.device else ""
        return f"{NAMESPACE}/{self.group}/{self.verb}/{self.node}{end}"


def parse_topic(text: str) -> Topic | None:
    """None for what is not a message of a node or a device."""
    parts = text.split("/")
    if not 4 <= len(parts) <= 5 or parts[0] != NAMESPACE:
        return None
    verb = _VERBS.get(parts[2])
    if verb is None or not all(parts) or verb.of_device != (len(parts) == 5):
        return None
    return Topic(verb, parts[1], parts[3], parts[4] if len(parts) == 5 else "")


def state_topic(host: str) -> str:
    return _STATE + host


def state_host(topic: str) -> str:
    """The host application whose state the topic tells; empty for another topic."""
    host = topic.removeprefix(_STATE)
    return "" if host == topic or "/" in host else host


def is_id(text: str) -> bool:
    """Whether it can be a group, node, device or host id (4.1): not empty, without +, # and /."""
    return bool(text) and not set(text) & {"+", "#", "/", "\0"}


def device_id(path: str) -> str:
    """An asset's path as a device id: ``/`` becomes ``.``, and what may not be there is escaped as ``%XX``."""
    return path.translate(_JOINED)


def path_of(device: str) -> str:
    """Undoes :func:`device_id`."""
    return unquote(device.replace(".", "/"))
