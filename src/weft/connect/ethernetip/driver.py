"""pycomm3 in a worker thread: one call at a time, each with an end."""

from __future__ import annotations

import logging
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread

from weft.connect.ethernetip.address import Config
from weft.connect.ethernetip.line import Line
from weft.runtime import NeedsHuman, Retry

__all__ = ["Driver", "Lost", "Result", "connect"]

T = TypeVar("T")

_NOTHING: Final = "__no_such_tag__"
GET_SINGLE: Final = 0x0E
SET_SINGLE: Final = 0x10
# What a controller says that nobody has tried pycomm3 on can end in any of these.
_CONFUSED: Final = (struct.error, LookupError, ValueError, TypeError, AttributeError)


class Lost(Retry):
    """The connection was lost in the middle of a call: it may have been heard."""


class Result:
    """Of one tag: its value and pycomm3's name of the type, or the fault in words."""

    __slots__ = ("fault", "type", "value")

    def __init__(self, value: Any, type: str, fault: str) -> None:
        self.value, self.type, self.fault = value, type, fault


@asynccontextmanager
async def connect(config: Config, *, tags: bool = True) -> AsyncIterator[Driver]:
    """An open session, and with ``tags`` the list of them uploaded. Raises Retry, NeedsHuman."""
    driver = Driver(config, tags=tags)
    try:
        await driver.open()
        yield driver
    finally:
        with anyio.CancelScope(shield=True):
            await driver.close()


class Driver:
    """A session with one device."""

    def __init__(self, config: Config, *, tags: bool) -> None:
        self.peer = f"{config.host}:{config.port}"
        self._config = config
        self._with_tags = tags and config.controller != "generic"
        self._line = Line(config.timeout)
        self._turn = anyio.CapacityLimiter(1)
        self._lost = False
        self._driver: Any = None

    @property
    def tags(self) -> dict[str, dict[str, Any]]:
        """What the controller says of its tags, by name."""
        return dict(self._driver.tags) if self._with_tags else {}

    async def open(self) -> None:
        await self._call(self._open, self._config.timeout * 40 if self._with_tags else None)

    async def refresh(self) -> None:
        """Uploads the list of tags again."""
        if self._with_tags:
            await self._call(
                lambda: self._driver.get_tag_list(program=self._programs), self._config.timeout * 40
            )

    async def read(self, requests: Sequence[str]) -> list[Result]:
        """Of each tag. Raises Lost, Retry."""
        if not requests:
            return []
        found = await self._call(lambda: self._driver.read(*requests))
        return [_result(tag) for tag in ([found] if len(requests) == 1 else found)]

    async def write(self, request: str, value: Any) -> Result:
        """Of one tag, once. Raises Lost when it may have happened, Retry when it has not."""
        # Alone, pycomm3 1.2 sends a value twice in one message, which not every controller overlooks. Beside a second
        # tag, which it then finds is none and leaves out, it does not.
        found = await self._call(lambda: self._driver.write((request, value), (_NOTHING, 0)))
        return _result(found[0])

    async def attribute(self, place: tuple[int, int, int]) -> Result:
        """The bytes of an object's attribute. Raises Lost, Retry."""
        return _result(await self._call(lambda: self._message(GET_SINGLE, place, b"")))

    async def set_attribute(self, place: tuple[int, int, int], data: bytes) -> Result:
        """Once. Raises Lost when it may have happened, Retry when it has not."""
        return _result(await self._call(lambda: self._message(SET_SINGLE, place, data)))

    async def identity(self) -> bytes:
        """All attributes of the identity object; empty when the device does not tell them."""
        found = _result(await self._call(lambda: self._message(1, (1, 1, 0), b"")))
        return found.value if isinstance(found.value, bytes) else b""

    async def close(self) -> None:
        """Takes leave, when there is somebody to take leave of."""
        if self._driver is None:
            return
        if self._lost:
            self._line.abort()
        with anyio.move_on_after(self._config.timeout):
            await anyio.to_thread.run_sync(
                self._close, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
            )
        self._line.abort()

    @property
    def _programs(self) -> str | None:
        return None if self._config.controller == "micro800" else "*"

    def _open(self) -> None:
        import pycomm3  # only who has such a device pays for it

        # What it finds wrong with a tag is said by us, once and not in every cycle.
        logging.getLogger("pycomm3").setLevel(logging.CRITICAL + 1)
        if not self._with_tags:
            self._driver = pycomm3.CIPDriver(self._config.route)
        else:
            self._driver = pycomm3.LogixDriver(
                self._config.route, init_tags=True, init_program_tags=self._programs is not None
            )
        self._driver._sock = self._line  # noqa: SLF001  # see Line; there is no other way to give it one
        if not self._driver.open():
            raise pycomm3.CommError("no session")
        if self._with_tags:
            # Numbers of tags change when a program is loaded: an old number would read another tag without a word.
            self._driver._cfg["use_instance_ids"] = False  # noqa: SLF001

    def _close(self) -> None:
        try:
            self._driver.close()
        except (self._error, OSError, *_CONFUSED):
            self._line.abort()

    def _message(self, service: int, place: tuple[int, int, int], data: bytes) -> Any:
        kind, instance, attribute = place
        routed = bool(self._config.path) or self._config.controller == "logix"
        return self._driver.generic_message(
            service=service,
            class_code=kind,
            instance=instance,
            attribute=attribute or b"",
            request_data=data,
            connected=False,
            unconnected_send=routed,
            route_path=routed,
        )

    @property
    def _error(self) -> type[Exception]:
        from pycomm3 import PycommError

        error: type[Exception] = PycommError
        return error

    async def _call(self, work: Callable[[], T], limit: float | None = None) -> T:
        if self._lost:
            raise Retry(f"The connection to {self.peer} is lost.")
        finished = False
        try:
            with anyio.fail_after(limit or self._config.timeout * 10):
                result = await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._turn)
            finished = True
        except (OSError, TimeoutError) as error:
            raise self._gone(error) from error
        except self._error as error:
            raise self._gone(error) from error
        except _CONFUSED as error:
            raise Lost(f"{self.peer} sent what is no answer of a Logix controller: {error}.") from error
        finally:
            if not finished:
                self._lost = True
                self._line.abort()
        return result

    def _gone(self, error: BaseException) -> Retry | NeedsHuman:
        why = _innermost(error)
        if self._driver is None or not self._driver.connected:
            return Retry(
                f"No EtherNet/IP session with {self.peer}: {why}.",
                remedy="Is the controller on, and are slot or path right?",
            )
        return Lost(f"The connection to {self.peer} is lost: {why}.")


def _result(tag: Any) -> Result:
    if tag.error is not None or tag.value is None:
        return Result(None, "", str(tag.error or "no value"))
    return Result(tag.value, tag.type or "", "")


def _innermost(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__
