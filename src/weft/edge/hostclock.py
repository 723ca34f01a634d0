"""The state of this computer's clock, as its kernel knows it: adjtimex(2), read only."""

from __future__ import annotations

import ctypes
from typing import Final

import msgspec

__all__ = ["HostClock", "read"]

TIME_ERROR: Final = 5
STA_UNSYNC: Final = 0x0040
STA_NANO: Final = 0x2000


class HostClock(msgspec.Struct, frozen=True):
    """Times in ms. ``offset`` is what is still to be corrected, ``error`` the estimated error."""

    synchronized: bool
    offset: float
    error: float


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),  # more than the kernel writes
    )


def read() -> HostClock | None:
    """None where the system has no such call, or forbids it."""
    try:
        ask = ctypes.CDLL(None, use_errno=True).adjtimex
    except (AttributeError, OSError):
        return None
    timex = _Timex(modes=0)  # nothing is changed
    state = ask(ctypes.byref(timex))
    if state < 0:
        return None
    unit = 1e6 if timex.status & STA_NANO else 1e3
    return HostClock(
        synchronized=state != TIME_ERROR and not timex.status & STA_UNSYNC,
        offset=timex.offset / unit,
        error=timex.esterror / 1e3,
    )
