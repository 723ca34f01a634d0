"""Supervision: services run in task groups, are restarted when they crash, and stop in order.

A service is an ``async def run(ready)`` that works until it is cancelled. It calls ``ready()`` once it does
its work; services of the next floor start only then, and floors stop in the opposite order, so that what
consumes outlives what produces. This module is the only place that catches ``Exception``.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Final, TypeAlias

import anyio
import msgspec
from anyio.abc import TaskGroup, TaskStatus

from weft.runtime.clock import Clock, SystemClock
from weft.runtime.log import get_logger

__all__ = ["Backoff", "Floor", "Ready", "Service", "State", "Supervisor"]

Ready: TypeAlias = Callable[[], None]
Run: TypeAlias = Callable[[Ready], Awaitable[None]]

log = get_logger(__name__)


class State(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"  # crashed, restart is due
    STOPPED = "stopped"


class Backoff(msgspec.Struct, frozen=True):
    """Seconds before a restart: doubling from ``first`` to ``most``, each drawn from the upper half so that
    services that fell together do not return together; calm again after ``calm`` seconds of work."""

    first: float = 0.25
    most: float = 10.0
    calm: float = 30.0

    def delay(self, failures: int) -> float:
        ceiling: float = min(self.first * 2.0 ** min(failures - 1, 32), self.most)
        return ceiling * random.uniform(0.5, 1.0)  # noqa: S311  # spreads load, keeps no secret


class Service:
    """One supervised run function and what is known about it."""

    def __init__(self, name: str, run: Run, backoff: Backoff | None = None) -> None:
        self.name = name
        self.run = run
        self.backoff = backoff or Backoff()
        self.state = State.STOPPED
        self.restarts = 0
        self.failure = ""
        self.ready = anyio.Event()
        self._scope: anyio.CancelScope | None = None
        self._done = anyio.Event()

    async def supervise(self, clock: Clock) -> None:
        """Runs until cancelled or until ``run`` returns; restarts after every crash."""
        try:
            with anyio.CancelScope() as self._scope:
                await self._keep_running(clock)
        finally:
            self.state = State.STOPPED
            self.ready.set()  # nobody waits for ever for a service that ended
            self._done.set()

    async def _keep_running(self, clock: Clock) -> None:
        failures = 0
        while True:
            self.state = State.STARTING
            begun = clock.monotonic()
            try:
                await self.run(self._set_ready)
            except Exception as error:  # noqa: BLE001  # the one broad handler: the rest goes on
                failures = 1 if clock.monotonic() - begun > self.backoff.calm else failures + 1
                self.failure = describe(error)
            else:
                return
            delay = self.backoff.delay(failures)
            self.state = State.WAITING
            self.restarts += 1
            log.warning(
                "service crashed", service=self.name, failure=self.failure, restart_in=round(delay, 2)
            )
            await clock.sleep(delay)

    async def stop(self) -> None:
        """Cancels the service and waits until it has cleaned up."""
        if self._scope is None:
            return
        self._scope.cancel()
        await self._done.wait()

    def _set_ready(self) -> None:
        self.state = State.RUNNING
        self.ready.set()


class Floor:
    """Services that start and stop together; more can be added and removed while it runs."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.services: dict[str, Service] = {}
        self._clock = clock
        self._group: TaskGroup
        self._leave = anyio.Event()
        self._left = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Holds the floor until :meth:`stop`. A cancellation from outside does not reach its services: it
        would end all floors at once, and what the upper ones still hand down would be lost."""
        with anyio.CancelScope(shield=True):
            try:
                async with anyio.create_task_group() as self._group:
                    task_status.started()
                    await self._leave.wait()
                    self._group.cancel_scope.cancel()
            finally:
                self._left.set()

    async def stop(self) -> None:
        """Cancels all services and waits until they have cleaned up."""
        self._leave.set()
        await self._left.wait()

    def add(self, service: Service) -> Service:
        """Starts a service. Raises ValueError when one of that name is there."""
        if service.name in self.services:
            raise ValueError(f"service {service.name!r} is there already")
        self.services[service.name] = service
        self._group.start_soon(service.supervise, self._clock, name=service.name)
        return service

    async def remove(self, name: str) -> None:
        """Stops a service and forgets it; unknown names are ignored."""
        service = self.services.pop(name, None)
        if service is not None:
            await service.stop()

    async def ready(self) -> None:
        for service in list(self.services.values()):
            await service.ready.wait()


class Supervisor:
    """Floors of services, lowest first."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.floors: dict[str, Floor] = {}

    @asynccontextmanager
    async def running(self, floors: Sequence[tuple[str, Sequence[Service]]]) -> AsyncIterator[Supervisor]:
        """All floors up, each once the one below is ready. However this is left, also by cancellation, they
        stop from the top down, each one only when the one above has cleaned up."""
        async with anyio.create_task_group() as group:
            up: list[Floor] = []
            try:
                for name, services in floors:
                    floor = self.floors[name] = Floor(name, self.clock)
                    await group.start(floor.run)
                    up.append(floor)
                    for service in services:
                        floor.add(service)
                    await floor.ready()
                yield self
            finally:
                with anyio.CancelScope(shield=True):
                    for floor in reversed(up):
                        await floor.stop()

    @property
    def services(self) -> list[Service]:
        return [service for floor in self.floors.values() for service in floor.services.values()]


LONGEST: Final = 500


def describe(error: BaseException) -> str:
    """One line about an error, the innermost of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = str(error).strip() or type(error).__name__
    prefix = "" if type(error).__module__.startswith("weft.") else f"{type(error).__name__}: "
    return (prefix + text).splitlines()[0][:LONGEST]
