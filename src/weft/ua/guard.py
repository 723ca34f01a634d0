"""Bounds around asyncua's decoder, for everything that a peer's bytes reach in it.

Bounded: sizes are never negative; an array is never longer than the bytes that are left (so also arrays
whose elements take no bytes), and never of the null type; the dimensions of an array hold just its values.
Nesting ends at Python's own recursion limit, which is one of FAULTS. Chunk and message sizes are bounded in
:mod:`weft.connect.opcua.channel`.

asyncua has no hooks for this, so its functions are replaced, once per process and for all who use it; the
contract test fails when a release no longer calls them.
"""

from __future__ import annotations

import functools
import logging
import struct
from collections.abc import Callable
from math import prod
from typing import Any, Final

from asyncua.common.utils import Buffer, NotEnoughData
from asyncua.ua import ua_binary
from asyncua.ua.uaerrors import UaError
from asyncua.ua.uatypes import VariantType

__all__ = ["FAULTS", "TooMuch", "install"]

FAULTS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    UaError,
    ValueError,
    struct.error,
)
"""What decoding somebody else's bytes with asyncua can raise."""

Decode = Callable[[Any], Any]


class TooMuch(NotEnoughData):
    """A size in the message cannot be true."""


def install() -> None:
    """Puts the bounds in place; once is enough, again does nothing."""
    if getattr(Buffer.read, "bounded", False):
        return
    for name in ("read", "skip", "copy"):
        setattr(Buffer, name, _no_negative(getattr(Buffer, name), lowest=-1 if name == "copy" else 0))
    ua_binary._reshape = _consistent(ua_binary._reshape)  # noqa: SLF001  # no public hook
    for name in ("_create_list_deserializer", "_create_uatype_array_deserializer"):
        setattr(ua_binary, name, _no_longer_than_bytes(getattr(ua_binary, name)))
    for made in vars(ua_binary).values():
        if hasattr(made, "cache_clear"):
            made.cache_clear()  # decoders made before now have no bounds
    # It logs whole requests, passwords among them, at DEBUG, and much of every line that is lost.
    logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)


def _no_negative(method: Callable[..., Any], lowest: int) -> Callable[..., Any]:
    @functools.wraps(method)
    def bounded(self: Buffer, size: int = -1) -> Any:
        if size < lowest:
            raise TooMuch(f"negative size {size}")
        return method(self, size)

    bounded.bounded = True  # type: ignore[attr-defined]  # a mark on a function
    return bounded


def _no_longer_than_bytes(make: Callable[..., Decode]) -> Callable[..., Decode]:
    @functools.cache
    def made(element: Any) -> Decode:
        decode = make(element)

        def bounded(data: Any) -> Any:
            size = ua_binary.Primitives.Int32.unpack(data.copy(4))
            if size < -1 or size > len(data) - 4:
                raise TooMuch(f"an array of {size} in {len(data) - 4} bytes")
            if element is VariantType.Null:
                raise TooMuch("an array of nothing")
            return decode(data)

        return bounded

    return made


def _consistent(reshape: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(reshape)
    def bounded(flat: list[Any], dimensions: list[int] | None) -> Any:
        if not dimensions:
            return flat
        if min(dimensions) < 0 or prod(dimensions) != len(flat):
            raise TooMuch(f"{len(flat)} values in an array of {dimensions[:10]}")
        return reshape(flat, dimensions) if flat else flat

    return bounded
