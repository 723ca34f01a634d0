"""Quality of a value: the OPC UA StatusCode, always all 32 bits of it (OPC 10000-4, 7.39), and Weft's flags.

The two top bits are the severity: 00 good, 01 uncertain, 10 bad. Other protocols' conditions are mapped onto
these codes by their connectors; nobody invents a second quality.
"""

from __future__ import annotations

from enum import IntFlag
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "BAD_COMMUNICATION_ERROR",
    "BAD_CONFIGURATION_ERROR",
    "BAD_DECODING_ERROR",
    "BAD_DEVICE_FAILURE",
    "BAD_ENCODING_LIMITS_EXCEEDED",
    "BAD_INVALID_ARGUMENT",
    "BAD_INVALID_STATE",
    "BAD_NODE_ID_UNKNOWN",
    "BAD_NOT_CONNECTED",
    "BAD_NOT_SUPPORTED",
    "BAD_NOT_WRITABLE",
    "BAD_NO_COMMUNICATION",
    "BAD_NO_DATA_AVAILABLE",
    "BAD_OUT_OF_RANGE",
    "BAD_REQUEST_NOT_ALLOWED",
    "BAD_REQUEST_TIMEOUT",
    "BAD_RESOURCE_UNAVAILABLE",
    "BAD_SENSOR_FAILURE",
    "BAD_TIMEOUT",
    "BAD_TYPE_MISMATCH",
    "BAD_UNEXPECTED_ERROR",
    "BAD_USER_ACCESS_DENIED",
    "BAD_WAITING_FOR_INITIAL_DATA",
    "GOOD",
    "UNCERTAIN",
    "UNCERTAIN_ENGINEERING_UNITS_EXCEEDED",
    "UNCERTAIN_LAST_USABLE_VALUE",
    "UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE",
    "UNCERTAIN_SENSOR_NOT_ACCURATE",
    "Flag",
    "good",
    "severity",
    "status_name",
]

GOOD: Final = 0x00000000
UNCERTAIN: Final = 0x40000000
UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE: Final = 0x408F0000
UNCERTAIN_LAST_USABLE_VALUE: Final = 0x40900000
UNCERTAIN_SENSOR_NOT_ACCURATE: Final = 0x40930000
UNCERTAIN_ENGINEERING_UNITS_EXCEEDED: Final = 0x40940000
BAD: Final = 0x80000000
BAD_COMMUNICATION_ERROR: Final = 0x80050000
BAD_DECODING_ERROR: Final = 0x80070000
BAD_ENCODING_LIMITS_EXCEEDED: Final = 0x80080000
BAD_TIMEOUT: Final = 0x800A0000
BAD_NO_COMMUNICATION: Final = 0x80310000
BAD_WAITING_FOR_INITIAL_DATA: Final = 0x80320000
BAD_NODE_ID_UNKNOWN: Final = 0x80340000
BAD_OUT_OF_RANGE: Final = 0x803C0000
BAD_NOT_SUPPORTED: Final = 0x803D0000
BAD_TYPE_MISMATCH: Final = 0x80740000
BAD_CONFIGURATION_ERROR: Final = 0x80890000
BAD_NOT_CONNECTED: Final = 0x808A0000
BAD_DEVICE_FAILURE: Final = 0x808B0000
BAD_SENSOR_FAILURE: Final = 0x808C0000
BAD_UNEXPECTED_ERROR: Final = 0x80010000
BAD_RESOURCE_UNAVAILABLE: Final = 0x80040000
BAD_USER_ACCESS_DENIED: Final = 0x801F0000
BAD_NOT_WRITABLE: Final = 0x803B0000
BAD_REQUEST_TIMEOUT: Final = 0x80850000
BAD_INVALID_ARGUMENT: Final = 0x80AB0000
BAD_INVALID_STATE: Final = 0x80AF0000
BAD_NO_DATA_AVAILABLE: Final = 0x80B10000
BAD_REQUEST_NOT_ALLOWED: Final = 0x80E40000

_NAMES: Final = {
    GOOD: "Good",
    UNCERTAIN: "Uncertain",
    UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE: "UncertainNoCommunicationLastUsableValue",
    UNCERTAIN_LAST_USABLE_VALUE: "UncertainLastUsableValue",
    UNCERTAIN_SENSOR_NOT_ACCURATE: "UncertainSensorNotAccurate",
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED: "UncertainEngineeringUnitsExceeded",
    BAD: "Bad",
    BAD_COMMUNICATION_ERROR: "BadCommunicationError",
    BAD_DECODING_ERROR: "BadDecodingError",
    BAD_ENCODING_LIMITS_EXCEEDED: "BadEncodingLimitsExceeded",
    BAD_TIMEOUT: "BadTimeout",
    BAD_NO_COMMUNICATION: "BadNoCommunication",
    BAD_WAITING_FOR_INITIAL_DATA: "BadWaitingForInitialData",
    BAD_NODE_ID_UNKNOWN: "BadNodeIdUnknown",
    BAD_OUT_OF_RANGE: "BadOutOfRange",
    BAD_NOT_SUPPORTED: "BadNotSupported",
    BAD_TYPE_MISMATCH: "BadTypeMismatch",
    BAD_CONFIGURATION_ERROR: "BadConfigurationError",
    BAD_NOT_CONNECTED: "BadNotConnected",
    BAD_DEVICE_FAILURE: "BadDeviceFailure",
    BAD_SENSOR_FAILURE: "BadSensorFailure",
    BAD_UNEXPECTED_ERROR: "BadUnexpectedError",
    BAD_RESOURCE_UNAVAILABLE: "BadResourceUnavailable",
    BAD_USER_ACCESS_DENIED: "BadUserAccessDenied",
    BAD_NOT_WRITABLE: "BadNotWritable",
    BAD_REQUEST_TIMEOUT: "BadRequestTimeout",
    BAD_INVALID_ARGUMENT: "BadInvalidArgument",
    BAD_INVALID_STATE: "BadInvalidState",
    BAD_NO_DATA_AVAILABLE: "BadNoDataAvailable",
    BAD_REQUEST_NOT_ALLOWED: "BadRequestNotAllowed",
}


class Flag(IntFlag):
    """What Weft itself knows about a sample; the source's quality stays in the status untouched."""

    REPLAYED = 1  # sent again by the source after an interruption (OPC UA Republish)
    HISTORY = 2  # read back from the source's own history
    SUBSTITUTED = 4  # not measured: entered or estimated
    OVERFLOW = 8  # the source's queue overflowed just before this sample
    CLOCK_SUSPECT = 16  # the source's time is impossible or far off; it is kept as it came
    FIRST = 32  # first sample after (re)connecting
    RECEIVE_TIME = 64  # the source gave no time: this is the gateway's
    REPEATED = 128  # unchanged value, sent because the maximum silence had passed
    SYNTHETIC = 256  # written by the gateway itself, e.g. when the line went down
    THINNED = 512  # the swinging door left out samples between the signal's previous one and this
    LATE = 1024  # came after a newer sample of the same signal


def severity(status: int) -> str:
    """``good``, ``uncertain`` or ``bad``."""
    return ("good", "uncertain", "bad", "bad")[(status >> 30) & 3]


def good(status: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Which statuses (n) are good."""
    return status < UNCERTAIN


def status_name(status: int) -> str:
    """The symbolic name, info bits aside; an unlisted code reads as its severity and number."""
    name = _NAMES.get(status & 0xFFFF0000)
    return name if name is not None else f"{severity(status).capitalize()}(0x{status:08X})"
