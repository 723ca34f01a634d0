"""Local logic: rules that the gateway carries out by itself, straight from a sample that has just come in, without
the bus and without the plant's server. What they write goes the way of every command, guard rails included.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import anyio

from weft.edge.command import LOGIC
from weft.edge.latest import Latest
from weft.model import Command, Event, Kind, Outcome, Rule, Signal
from weft.model.expression import BadExpression, BadValue, Expression, Reading, Unknown, parse
from weft.model.quality import BAD_RESOURCE_UNAVAILABLE, UNCERTAIN
from weft.runtime import Clock, Ready, get_logger

__all__ = ["Logic", "Reflex", "Standing"]

log = get_logger(__name__)

MINUTE: Final = 60.0
AGAIN: Final = 1.0  # seconds until what could not be sent is tried again

Execute = Callable[[Command], Awaitable[Outcome]]


class Standing(StrEnum):
    IDLE = "idle"
    ACTIVE = "active"
    SAFE = "safe"
    HALTED = "halted"


class _Formula:
    """An expression and the handles of its signals."""

    def __init__(self, text: str, signals: Mapping[str, Signal]) -> None:
        self.expression: Expression = parse(text)
        self.handles = [signals[path].handle for path in self.expression.signals]

    def __call__(self, latest: Latest, now: int) -> Any:
        """Its value. Raises Unknown, BadValue."""
        return self.expression(self.readings(latest, now))

    def readings(self, latest: Latest, now: int) -> list[Reading]:
        return [latest.reading(handle, now) for handle in self.handles]

    @property
    def needed(self) -> set[int]:
        """Handles without a good value of which it cannot be asked."""
        return {handle for i, handle in enumerate(self.handles) if i not in self.expression.asked}


class Reflex:
    """One rule at work."""

    def __init__(
        self,
        rule: Rule,
        signals: Mapping[str, Signal],
        *,
        clock: Clock,
        latest: Latest,
        execute: Execute,
        tell: Callable[[Event], None],
    ) -> None:
        self.rule = rule
        self._clock = clock
        self._latest = latest
        self._execute = execute
        self._tell = tell
        self._when = _Formula(rule.when, signals)
        self._until = _Formula(rule.until, signals) if rule.until else None
        self._tables = {
            table: {path: _Formula(text, signals) for path, text in said.items()}
            for table, said in (("set", rule.set), ("else", rule.otherwise), ("safe", rule.safe))
        }
        asked = [self._when, *([self._until] if self._until else []), *self._tables["set"].values()]
        self._needed = set[int]().union(*(formula.needed for formula in asked))
        every = [formula for table in self._tables.values() for formula in table.values()]
        self.inputs = {handle for formula in (*asked, *every) for handle in formula.handles}
        self.standing = Standing.IDLE
        self._held_since: float | None = None  # since when the condition holds
        self._dead_since: float | None = None  # since when an input has no good value
        self._due: str = ""  # a table that is still to be written
        self._due_at = 0.0
        self._again = False  # what is due was written, or tried, before: no swing
        self._written = 0.0
        self._acted: deque[float] = deque()
        self._resume = 0.0
        self._news = anyio.Event()

    def notice(self) -> None:
        """One of the inputs has a new sample."""
        self._news.set()

    async def run(self) -> None:
        """Judges at every news, and when time itself decides; until cancelled."""
        while True:
            self._news = anyio.Event()
            wait = self._judge()
            now = self._clock.monotonic()
            if self._due and now >= self._due_at:
                await self._act()
                continue
            if self._due:
                wait = min(wait, self._due_at - now)
            await self._sleep(wait)

    async def _sleep(self, seconds: float) -> None:
        if seconds == float("inf"):
            await self._news.wait()
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self._wake, seconds, group.cancel_scope)
            await self._news.wait()
            group.cancel_scope.cancel()

    async def _wake(self, seconds: float, scope: anyio.CancelScope) -> None:
        await self._clock.sleep(max(seconds, 0.0))
        scope.cancel()

    # --- judging ------------------------------------------------------------------------------------------------

    def _judge(self) -> float:
        """Brings the standing up to date; seconds after which time alone may change it."""
        now = self._clock.monotonic()
        if self.standing is Standing.HALTED:
            if now < self._resume:
                return self._resume - now
            self._become(Standing.IDLE, "resumed after a minute")
        if not self._alive():
            return self._without_inputs(now)
        self._dead_since = None
        if self.standing is Standing.SAFE:
            self._become(Standing.IDLE, "its inputs are good again")
        holds = self._holds()
        if holds is None:
            return float("inf")
        return self._follow(now, holds)

    def _alive(self) -> bool:
        """Whether every input that it needs has a good value, heard in this life of the gateway."""
        now = self._clock.now()
        for handle in self._needed:
            reading = self._latest.reading(handle, now)
            if reading.value is None or reading.status >= UNCERTAIN or not self._latest.is_live(handle):
                return False
        return True

    def _without_inputs(self, now: float) -> float:
        self._held_since = None
        if self._dead_since is None:
            self._dead_since = now
        watchdog = self.rule.watchdog
        if not watchdog or self.standing is Standing.SAFE:
            return float("inf")
        left = self._dead_since + watchdog - now
        if left > 0:
            return left
        self._become(Standing.SAFE, f"an input has had no good value for {watchdog:g} s")
        self._plan("safe", now)
        return float("inf")

    def _holds(self) -> bool | None:
        """Whether the rule should be active; None when that cannot be told."""
        now = self._clock.now()
        try:
            if self.standing is Standing.ACTIVE and self._until is not None:
                return not self._until(self._latest, now)
            return bool(self._when(self._latest, now))
        except (Unknown, BadValue):
            return None

    def _follow(self, now: float, holds: bool) -> float:
        rule = self.rule
        if not holds:
            self._held_since = None
            if self.standing is Standing.ACTIVE:
                self._become(Standing.IDLE, self._reason())
                self._plan("else", now)
            return float("inf")
        if self.standing is not Standing.ACTIVE:
            if self._held_since is None:
                self._held_since = now
            left = self._held_since + rule.hold - now
            if left > 0:
                return left
            self._become(Standing.ACTIVE, self._reason())
            self._plan("set", now)
        elif rule.every and not self._due:
            self._plan("set", self._written + rule.every, again=True)
        return float("inf")

    def _plan(self, table: str, at: float, *, again: bool = False) -> None:
        self._due, self._due_at = (table, at) if self._tables[table] else ("", 0.0)
        self._again = again

    def _become(self, standing: Standing, reason: str) -> None:
        self.standing = standing
        now = self._clock.now()
        data = {"state": str(standing), "reason": reason}
        source = f"{LOGIC}/{self.rule.name}"
        self._tell(Event(kind=Kind.LOGIC_STATE, source=source, time=now, recorded=now, data=data))

    def _reason(self) -> str:
        """The condition and what its signals are."""
        formula = self._until if self._until is not None and self.standing is Standing.ACTIVE else self._when
        readings = formula.readings(self._latest, self._clock.now())
        known = zip(formula.expression.signals, readings, strict=True)
        said = ", ".join(f"{path.rpartition('/')[2]} = {reading.value!r:.40}" for path, reading in known)
        return f"{formula.expression.text:.400}: {said:.400}"

    # --- acting -------------------------------------------------------------------------------------------------

    async def _act(self) -> None:
        """Writes the table that is due; what could not be sent is tried again shortly."""
        now = self._clock.monotonic()
        table, self._due = self._due, ""
        if not self._again:
            if table != "safe" and self._swings(now):
                self._resume = now + MINUTE
                self._held_since = None
                self._become(Standing.HALTED, f"it acted {self.rule.per_minute} times within a minute")
                table = "safe"
            self._acted.append(now)
        self._written = now
        again = False
        reason = self._reason()
        for path, formula in self._tables[table].items():
            again |= await self._write(path, formula, f"{self.standing}: {reason}")
        if again and not self._due:
            self._plan(table, self._clock.monotonic() + AGAIN, again=True)

    def _swings(self, now: float) -> bool:
        while self._acted and now - self._acted[0] >= MINUTE:
            self._acted.popleft()
        return len(self._acted) >= self.rule.per_minute

    async def _write(self, path: str, formula: _Formula, reason: str) -> bool:
        """Whether it should be tried again."""
        try:
            value = formula(self._latest, self._clock.now())
        except (Unknown, BadValue) as error:
            log.warning("a rule's value is not known", rule=self.rule.name, signal=path, because=str(error))
            return False
        command = Command(
            signal=path, value=value, actor=f"{LOGIC}/{self.rule.name}", via=LOGIC, reason=reason[:1_000]
        )
        outcome = await self._execute(command)
        if outcome.status:
            log.warning("a rule was refused", rule=self.rule.name, signal=path, because=outcome.reason)
        return outcome.status == BAD_RESOURCE_UNAVAILABLE


class Logic:
    """The rules of a plant. ``notice`` is called from the edge's accept: a rule is woken before its sample has gone
    anywhere."""

    def __init__(
        self, *, clock: Clock, latest: Latest, execute: Execute, tell: Callable[[Event], None]
    ) -> None:
        self._clock = clock
        self._latest = latest
        self._execute = execute
        self._tell = tell
        self.reflexes: dict[str, Reflex] = {}
        self._by_input: dict[int, list[Reflex]] = {}
        self._signals: Mapping[str, Signal] = {}
        self._changed = anyio.Event()

    def apply(self, rules: Mapping[str, Rule], signals: Mapping[str, Signal]) -> None:
        """Other rules, or other signals under them; a rule that stays the same goes on as it stands."""
        kept = {}
        for name, rule in rules.items():
            if rule.enabled:
                reflex = self._reflex(rule, signals)
                if reflex is not None:
                    kept[name] = reflex
        self.reflexes, self._signals = kept, signals
        self._by_input = {}
        for reflex in kept.values():
            for handle in reflex.inputs:
                self._by_input.setdefault(handle, []).append(reflex)
        self._changed.set()

    @property
    def watched(self) -> Iterable[int]:
        """Handles of all inputs."""
        return self._by_input.keys()

    def notice(self, handles: Sequence[int]) -> None:
        """These signals have a new sample."""
        for handle in handles:
            for reflex in self._by_input.get(handle, ()):
                reflex.notice()

    async def run(self, ready: Ready) -> None:
        """Every rule is a task of its own, so that one that waits for its machine holds up no other."""
        ready()
        scopes: dict[Reflex, anyio.CancelScope] = {}
        async with anyio.create_task_group() as group:
            while True:
                self._changed = anyio.Event()
                wanted = set(self.reflexes.values())
                for reflex in scopes.keys() - wanted:
                    scopes.pop(reflex).cancel()
                for reflex in wanted - scopes.keys():
                    scope = scopes[reflex] = anyio.CancelScope()
                    group.start_soon(self._keep, reflex, scope)
                await self._changed.wait()

    @staticmethod
    async def _keep(reflex: Reflex, scope: anyio.CancelScope) -> None:
        with scope:
            await reflex.run()

    def _reflex(self, rule: Rule, signals: Mapping[str, Signal]) -> Reflex | None:
        known = self.reflexes.get(rule.name)
        if known is not None and known.rule == rule and not _moved(known, self._signals, signals):
            return known
        try:
            return Reflex(
                rule,
                signals,
                clock=self._clock,
                latest=self._latest,
                execute=self._execute,
                tell=self._tell,
            )
        except (BadExpression, KeyError) as error:  # the catalog lets none pass
            log.warning("a rule cannot work", rule=rule.name, because=str(error))
            return None


def _moved(reflex: Reflex, before: Mapping[str, Signal], after: Mapping[str, Signal]) -> bool:
    """Whether a path that the rule asks for has another handle than before."""
    texts = (reflex.rule.when, reflex.rule.until, *reflex.rule.set.values(), *reflex.rule.otherwise.values())
    paths = {path for text in (*texts, *reflex.rule.safe.values()) if text for path in parse(text).signals}
    return any(path not in after or before[path].handle != after[path].handle for path in paths)
