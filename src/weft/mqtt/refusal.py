"""Why a broker refuses a connection (MQTT 3.1.1, 3.2.2.3; MQTT 5.0, 3.2.2.2) and who can do something about it."""

from __future__ import annotations

from typing import Final

from weft.mqtt.broker import Version
from weft.runtime import NeedsHuman, Retry, WeftError

__all__ = ["TAKEN_OVER", "refusal"]

TAKEN_OVER: Final = 0x8E  # reason code of a DISCONNECT, MQTT 5.0

_SIGN_IN: Final = {"3.1.1": {4, 5}, "5": {134, 135, 138, 140}}
_VERSION: Final = {"3.1.1": {1}, "5": {1, 132}}
_IDENTITY: Final = {"3.1.1": {2}, "5": {133}}
_MOVED: Final = {156, 157}


def refusal(code: int, version: Version, where: str) -> WeftError:
    """The error to raise for the return code of a CONNACK that is not 0."""
    if code in _SIGN_IN[version]:
        return NeedsHuman(
            f"The broker at {where} does not accept this user and password (code {code}).",
            remedy="Check user and password of the connection and the broker's access list.",
        )
    if code in _VERSION[version]:
        return NeedsHuman(
            f"The broker at {where} does not speak MQTT {version}.",
            remedy=f"Set version = {'3.1.1' if version == '5' else '5'!r}.",
        )
    if code in _IDENTITY[version]:
        return NeedsHuman(
            f"The broker at {where} rejects the client id.", remedy="Set client_id to one that it allows."
        )
    if code in _MOVED:
        return NeedsHuman(
            f"The broker at {where} says that another server is to be used.", remedy="Change the host."
        )
    return Retry(f"The broker at {where} refuses connections for now (code {code}).")
