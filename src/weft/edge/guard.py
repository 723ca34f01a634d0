"""Guard rails of a command that need nothing but the command, the signal and what is known: each one passes or
raises :class:`Refused`. And the way between a signal's unit and the number that its source counts.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from weft.model import Call, Command, Signal, ValueType
from weft.model.expression import BadValue, Expression, Reading, Unknown
from weft.model.quality import (
    BAD_INVALID_ARGUMENT,
    BAD_INVALID_STATE,
    BAD_NO_DATA_AVAILABLE,
    BAD_NOT_WRITABLE,
    BAD_OUT_OF_RANGE,
    BAD_REQUEST_TIMEOUT,
    BAD_TYPE_MISMATCH,
    UNCERTAIN,
)
from weft.model.values import ARRAY, INTEGERS, RANGES, type_name

__all__ = [
    "Refused",
    "agrees",
    "digest",
    "holds",
    "in_time",
    "is_allowed",
    "raw",
    "sound",
    "typed",
    "within_range",
    "within_step",
]

LONGEST_ID: Final = 64
LONGEST_WORDS: Final = 1_000
LARGEST_VALUE: Final = 65_536
MOST_ELEMENTS: Final = 10_000


class Refused(Exception):
    """A guard rail says no: nothing was sent. ``status`` is an OPC UA StatusCode, ``reason`` is for people."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def digest(command: Command | Call) -> str:
    """SHA-256 of who asks for what: what an approval and a repetition are bound to. Until when it may be sent is no
    part of it: doors count that from now, and a repetition comes later. Raises Refused for what has no form in
    which it could be written down."""
    lasting = msgspec.structs.replace(command, expires=0)
    try:
        text = msgspec.json.encode([type(command).__name__, lasting], order="deterministic")
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Refused(BAD_INVALID_ARGUMENT, f"The value cannot be written down: {error}.") from None
    if len(text) > LARGEST_VALUE:
        raise Refused(
            BAD_INVALID_ARGUMENT, f"The command has {len(text):,} bytes; at most {LARGEST_VALUE:,}."
        )
    return hashlib.sha256(text).hexdigest()


def sound(command: Command | Call) -> None:
    """Who, through which door and under which id."""
    named = command.actor.strip() and command.via.strip()
    if not named or not 0 < len(command.id) <= LONGEST_ID or not command.id.isprintable():
        raise Refused(BAD_INVALID_ARGUMENT, "A command names who asks, through which door, and has an id.")
    if max(map(len, (command.actor, command.via, command.reason))) > LONGEST_WORDS:
        raise Refused(
            BAD_INVALID_ARGUMENT, f"Actor, door and reason have at most {LONGEST_WORDS} characters."
        )


def in_time(command: Command | Call, now: int) -> None:
    if command.expires and now >= command.expires:
        late = (now - command.expires) / 1e9
        raise Refused(BAD_REQUEST_TIMEOUT, f"It expired {late:.1f} s ago; nothing was sent.")


def typed(value: Any, signal: Signal, newest: int = ValueType.NULL) -> Any:
    """The value as the signal takes it: a state's name as its number, a whole float as an integer. ``newest`` is
    the type of its newest sample, for a signal of which the plant asks for none."""
    if signal.states and isinstance(value, str):
        value = _state(value, signal)
    kind = signal.type if signal.type is not None else newest
    if signal.scale != 1.0 or signal.offset != 0.0 or signal.type in (ValueType.FLOAT, ValueType.DOUBLE):
        return _number(value, signal)
    if isinstance(value, (list, tuple)):
        if len(value) > MOST_ELEMENTS:
            raise _wrong(signal, f"a list of {len(value)}", f"at most {MOST_ELEMENTS:,} values")
        return [_single(element, signal, kind & ~ARRAY) for element in value]
    return _single(value, signal, kind)


def _single(value: Any, signal: Signal, kind: int) -> Any:
    if kind == ValueType.BOOLEAN:
        if value not in (0, 1) or isinstance(value, float):
            raise _wrong(signal, value, "true or false")
        return bool(value)
    if kind in INTEGERS:
        return _integer(value, signal, int(kind))
    if kind in (ValueType.FLOAT, ValueType.DOUBLE):
        return _number(value, signal)
    if kind == ValueType.STRING and not isinstance(value, str):
        raise _wrong(signal, value, "text")
    if not isinstance(value, (bool, int, float, str)) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise _wrong(signal, value, "a number, a text, true or false")
    return value


def _state(name: str, signal: Signal) -> int:
    for number, known in signal.states.items():
        if known == name:
            return number
    raise Refused(BAD_OUT_OF_RANGE, f"{name!r} is not a state of {signal.path}: {_listed(signal)}.")


def _listed(signal: Signal) -> str:
    return ", ".join(f"{number} = {name}" for number, name in list(signal.states.items())[:20])


def _number(value: Any, signal: Signal) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(signal, value, "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _wrong(signal, value, "a finite number")
    return number


def _integer(value: Any, signal: Signal, kind: int) -> int:
    number = value if isinstance(value, int) else _number(value, signal)
    if isinstance(value, bool) or number != int(number):
        raise _wrong(signal, value, "a whole number")
    low, high = RANGES[kind]
    if not low <= number <= high:
        raise Refused(BAD_OUT_OF_RANGE, f"{value} does not fit {type_name(kind)} ({low} to {high}).")
    return int(number)


def _wrong(signal: Signal, value: Any, wanted: str) -> Refused:
    return Refused(BAD_TYPE_MISMATCH, f"{signal.path} takes {wanted}, not {value!r:.80}.")


def within_range(value: Any, signal: Signal) -> None:
    """Between the least and the most that may be written, else those that the instrument has at all."""
    rails = signal.write
    if rails is None:
        raise Refused(BAD_NOT_WRITABLE, f"{signal.path} must not be written.")
    low = signal.limits.minimum if rails.minimum is None else rails.minimum
    high = signal.limits.maximum if rails.maximum is None else rails.maximum
    if low is not None or high is not None:
        _must_be_number(value, signal, "a range")
    if low is not None and value < low:
        raise Refused(BAD_OUT_OF_RANGE, f"{value:g} is below {low:g}, the least that may be written.")
    if high is not None and value > high:
        raise Refused(BAD_OUT_OF_RANGE, f"{value:g} is above {high:g}, the most that may be written.")
    for one in (value if isinstance(value, list) else [value]) if signal.states else ():
        if isinstance(one, (int, float)) and one not in signal.states:
            raise Refused(BAD_OUT_OF_RANGE, f"{one} is not a state of {signal.path}: {_listed(signal)}.")


def _must_be_number(value: Any, signal: Signal, what: str) -> None:
    if not isinstance(value, (int, float)):
        raise Refused(BAD_TYPE_MISMATCH, f"{signal.path} has {what}: it takes a number, not {value!r:.80}.")


def within_step(value: Any, signal: Signal, now: Reading) -> None:
    """Not too far from the newest good value, which must be there."""
    step = signal.write.step if signal.write else None
    if step is None:
        return
    _must_be_number(value, signal, "a largest step")
    known = now.value
    if now.status >= UNCERTAIN or not isinstance(known, (int, float)) or math.isnan(known):
        raise Refused(
            BAD_NO_DATA_AVAILABLE, f"The step from the present value of {signal.path} is not known."
        )
    if abs(value - known) > step * (1 + 1e-12):
        raise Refused(
            BAD_OUT_OF_RANGE, f"From {known:g} to {value:g} is more than {step:g}, the largest step at once."
        )


def holds(interlock: Expression, readings: Sequence[Reading]) -> None:
    """Whether the interlock lets the command pass; its signals are known to be fresh and good."""
    try:
        passed = interlock(readings)
    except (Unknown, BadValue) as error:
        raise Refused(BAD_INVALID_STATE, f"The interlock {interlock.text} has no answer: {error}.") from None
    if passed is not True and passed != 1:
        said = ", ".join(f"{p} = {r.value!r}" for p, r in zip(interlock.signals, readings, strict=True))
        raise Refused(BAD_INVALID_STATE, f"The interlock {interlock.text} does not hold: {said:.400}.")


def is_allowed(call: Call, methods: Sequence[str]) -> None:
    """Whether the connection's list has this method of this target, or all of the target's."""
    if f"{call.target}/{call.method}" not in methods and f"{call.target}/*" not in methods:
        raise Refused(
            BAD_NOT_WRITABLE,
            f"{call.target}/{call.method} is not among the methods of {call.connection} that may be called.",
        )


def raw(value: Any, signal: Signal) -> Any:
    """The number that the source counts: scale and offset undone. A whole one is an integer again."""
    if signal.scale == 1.0 and signal.offset == 0.0:
        return value
    number = (value - signal.offset) / signal.scale
    if not math.isfinite(number):
        raise Refused(BAD_OUT_OF_RANGE, f"{value:g} is more than the source of {signal.path} can count.")
    whole = round(number)
    near = abs(number - whole) <= 1e-9 * max(1.0, abs(number))
    return whole if near and abs(number) < 2**53 else number


def agrees(read: Any, written: Any, signal: Signal) -> bool:
    """Whether what was read back is what was written: numbers to half a count of the source, and to the digits
    of a 32-bit float."""
    if isinstance(read, (int, float)) and isinstance(written, (int, float)):
        if signal.scale == 1.0 and isinstance(read, int) and isinstance(written, int):
            return read == written
        half = abs(signal.scale) / 2 * (1 + 1e-9) if signal.scale != 1.0 else 0.0
        return abs(read - written) <= max(half, 1e-6 * abs(written))
    if isinstance(read, (list, tuple)) and isinstance(written, (list, tuple)):
        return list(read) == list(written)
    return bool(read == written)
