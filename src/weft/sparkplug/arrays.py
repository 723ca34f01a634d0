"""Arrays in a metric's bytes (Sparkplug 3.0, 6.4.16): packed little-endian numbers, bits, texts that end in zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weft.sparkplug.datatype import ARRAY_DTYPES, DataType
from weft.sparkplug.wire import BadPayload

__all__ = ["MOST_BOOLEANS", "pack", "unpack"]

MOST_BOOLEANS: Final = 16 << 20  # eight of them are one byte of the message


def pack(datatype: int, values: Sequence[Any]) -> bytes:
    """Raises ValueError or OverflowError for what the type cannot hold."""
    if datatype == DataType.BOOLEANARRAY:
        bits = _flat(values, "?")
        return len(bits).to_bytes(4, "little") + np.packbits(bits).tobytes()
    if datatype == DataType.STRINGARRAY:
        if not all(isinstance(text, str) and "\0" not in text for text in values):
            raise ValueError("not only texts without a zero in them")
        return b"".join(text.encode() + b"\0" for text in values)
    return _flat(values, ARRAY_DTYPES[DataType(datatype)]).tobytes()


def _flat(values: Sequence[Any], dtype: str) -> npt.NDArray[Any]:
    found = np.array(values, dtype=dtype)
    if found.ndim != 1:
        raise ValueError(f"{found.ndim} dimensions")
    return found


def unpack(datatype: int, data: bytes) -> list[Any]:
    """Raises BadPayload for bytes that do not fit."""
    if datatype == DataType.BOOLEANARRAY:
        count = int.from_bytes(data[:4], "little")
        if len(data) < 4 or count > MOST_BOOLEANS or len(data) - 4 < (count + 7) // 8:
            raise BadPayload(f"{count} booleans in {len(data)} bytes")
        bits = np.unpackbits(np.frombuffer(data, np.uint8, (count + 7) // 8, 4), count=count)
        return list(bits.view(np.bool_).tolist())
    if datatype == DataType.STRINGARRAY:
        return _texts(data)
    dtype = np.dtype(ARRAY_DTYPES[DataType(datatype)])
    if len(data) % dtype.itemsize:
        raise BadPayload(f"{len(data)} bytes are no array of {dtype}")
    return list(np.frombuffer(data, dtype).tolist())


def _texts(data: bytes) -> list[str]:
    if not data:
        return []
    parts = data.split(b"\0")
    if not parts[-1]:
        parts.pop()  # some leave out the last zero
    try:
        return [part.decode() for part in parts]
    except UnicodeDecodeError as error:
        raise BadPayload("a text that is not UTF-8") from error
