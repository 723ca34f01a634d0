"""Pictures of parts: grey, 96 by 64 pixels, as PNG (ISO/IEC 15948), drawn from the serial number alone."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["HEIGHT", "WIDTH", "picture", "pixels", "png"]

WIDTH, HEIGHT = 96, 64
_ROWS, _COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH]
_DISTANCE: Final = np.hypot(_COLUMNS - WIDTH / 2, _ROWS - HEIGHT / 2)


@lru_cache(maxsize=4)
def picture(serial: str, flaw: str) -> bytes:
    """The PNG of the assembly ``serial`` with that flaw: none, scratch, dent or burr."""
    return png(pixels(serial, flaw))


def pixels(serial: str, flaw: str) -> npt.NDArray[np.uint8]:
    """A ring with four screws before a dark ground, some noise, and the flaw somewhere on it."""
    random = np.random.default_rng(int.from_bytes(f"{serial}/{flaw}".encode(), "big"))
    image = np.full((HEIGHT, WIDTH), 34.0)
    image[_DISTANCE < 28] = 168.0
    image[_DISTANCE < 11] = 52.0
    for angle in (0.25, 0.75, 1.25, 1.75):
        x, y = WIDTH / 2 + 20 * np.cos(angle * np.pi), HEIGHT / 2 + 20 * np.sin(angle * np.pi)
        image[np.hypot(_COLUMNS - x, _ROWS - y) < 2.6] = 96.0
    _spoil(image, flaw, float(random.uniform(0.0, 2.0 * np.pi)))
    image += random.normal(0.0, 3.0, image.shape)
    grey: npt.NDArray[np.uint8] = np.clip(image, 0, 255).astype(np.uint8)
    return grey


def _spoil(image: npt.NDArray[np.float64], flaw: str, angle: float) -> None:
    """Draws the flaw in the direction ``angle``, in radians."""
    along = (_COLUMNS - WIDTH / 2) * np.cos(angle) + (_ROWS - HEIGHT / 2) * np.sin(angle)
    across = (_ROWS - HEIGHT / 2) * np.cos(angle) - (_COLUMNS - WIDTH / 2) * np.sin(angle)
    if flaw == "scratch":
        image[(np.abs(across) < 0.8) & (along > 12) & (along < 27)] = 232.0
    elif flaw == "dent":
        image[np.hypot(along - 19, across) < 4.0] = 118.0
    elif flaw == "burr":
        image[np.hypot(along - 28, across) < 3.0] = 205.0


def png(image: npt.NDArray[np.uint8]) -> bytes:
    """8 bits of grey a pixel, no filter."""
    height, width = image.shape
    head = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    rows = np.hstack([np.zeros((height, 1), np.uint8), image]).tobytes()
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
