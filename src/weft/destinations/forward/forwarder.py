"""An edge's forwarder: reads its own streams in order, publishes at the hub with ids that never change, and
acknowledges at home what the hub has stored.

A JetStream source would do the same, but after a hub's restart it was seen to stall for half a minute and more
(docs/decisions/0008). The hub recognises a repeat by its id for an hour; after any doubt the newest message of each
subject is compared too, so that an outage of any length doubles nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

import anyio
import msgspec

from weft.bus import (
    Bus,
    Draft,
    Message,
    NatsBus,
    Stream,
    Subscription,
    after,
    escape,
    parse_samples,
    samples_subject,
)
from weft.connect import LineState
from weft.destinations.forward.numbers import Numbers
from weft.destinations.forward.reception import Hello, hello_subject
from weft.destinations.status import Status
from weft.model import Batch, Event, Kind
from weft.runtime import (
    Clock,
    Conflict,
    Denied,
    Invalid,
    NeedsHuman,
    NotFound,
    Ready,
    Retry,
    describe,
    get_logger,
)

__all__ = ["Forwarder"]

log = get_logger(__name__)

DURABLE: Final = "hub"
AT_ONCE: Final = 256  # messages in one atomic batch
AGAIN: Final = (0.05, 0.2)
HUMAN: Final = 10.0
HELLO: Final = 2.0


class Forwarder:
    """``samples`` and ``events`` are the edge's streams, of the same names at the hub. ``path_of`` gives the path of
    a handle. ``may_send`` says of a message's time whether it is this gateway's to send: True, False (it is
    another's: left out), or None (not known yet: wait)."""

    def __init__(
        self,
        name: str,
        bus: Bus,
        hub: NatsBus,
        *,
        samples: Stream,
        events: Stream,
        path_of: Callable[[int], str | None],
        clock: Clock,
        tell: Callable[[Event], None],
        may_send: Callable[[int], bool | None] = lambda _time: True,
    ) -> None:
        self.name = name
        self.hub = hub
        self._bus = bus
        self._streams = (samples, events)
        self._clock = clock
        self._tell = tell
        self._may_send = may_send
        self._numbers = Numbers(hub, name, path_of)
        self._status = Status(name=DURABLE, state=LineState.STOPPED)
        self._taken = dict.fromkeys((samples.name, events.name), 0)  # sequence that the hub has
        self._sent = 0
        self._waiting = 0
        self._left_out = 0

    @property
    def status(self) -> Status:
        return msgspec.structs.replace(
            self._status,
            samples=self._sent,
            waiting=self._waiting,
            lost=self._left_out + self._numbers.refused,
        )

    async def run(self, ready: Ready) -> None:
        """Forwards until cancelled."""
        ready()  # a hub that is away must not hold up the edge
        self._become(LineState.CONNECTING)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._keep_hub)
                group.start_soon(self._greet)
                for stream in self._streams:
                    group.start_soon(self._follow, stream)
        finally:
            self._become(LineState.STOPPED, "stopped")

    async def _keep_hub(self) -> None:
        """The connection to the hub; a login that is refused is a person's business and is tried again."""
        while True:
            try:
                await self.hub.run(lambda: None)
            except (Denied, NeedsHuman) as error:
                self._become(LineState.NEEDS_HUMAN, describe(error))
            except Retry as error:
                self._become(LineState.DOWN, describe(error))
            await self._clock.sleep(HUMAN)

    async def _greet(self) -> None:
        """Tells the hub now and then how far it has come, and people here whether the hub answers."""
        while True:
            try:
                await self._look()
                hello = msgspec.msgpack.encode(Hello(self._waiting))
                await self.hub.request(hello_subject(self.name), hello, timeout=5.0)
            except (Retry, NotFound) as error:
                if self._status.state is not LineState.NEEDS_HUMAN or self.hub.is_up:
                    self._become(LineState.DOWN, describe(error))
            else:
                self._become(LineState.UP)
            await self._clock.sleep(HELLO)

    async def _look(self) -> None:
        states = {state.name: state.last for state in await self._bus.streams()}
        self._waiting = sum(max(0, states.get(name, 0) - taken) for name, taken in self._taken.items())

    # --- one stream -----------------------------------------------------------------------------------------

    async def _follow(self, stream: Stream) -> None:
        pattern = stream.subjects[0]
        async with self._bus.subscribe(pattern, start=after(0), durable=DURABLE) as subscription:
            doubt = True
            while True:
                messages = await subscription.next(AT_ONCE)
                doubt = await self._forward(messages, doubt=doubt)
                await self._acknowledge(subscription, messages[-1])
                self._taken[stream.name] = messages[-1].sequence

    async def _acknowledge(self, subscription: Subscription, message: Message) -> None:
        while True:
            try:
                await subscription.ack(message)
            except Retry:
                await self._clock.sleep(AGAIN[0])
            else:
                return

    async def _forward(self, messages: Sequence[Message], *, doubt: bool) -> bool:
        """Returns when the hub has stored them; always without doubt."""
        while True:
            try:
                if doubt:
                    self._numbers.forget()
                    await self._numbers.greet()
                mine = await self._mine(messages)
                drafts = [await self._draft(message) for message in mine]
                if doubt:
                    drafts = await self._not_there(drafts)
                if drafts:
                    await self._publish(drafts)
            except (Retry, Conflict, NotFound) as error:
                log.debug("the hub does not take it yet", reason=describe(error))
                doubt = True
                await self._clock.sleep(random.uniform(*AGAIN))  # noqa: S311  # spreads load, keeps no secret
            else:
                self._sent += sum(len(m.body) for m in mine if isinstance(m.body, Batch))
                self._status = msgspec.structs.replace(self._status, last_sent=self._clock.now())
                return False

    async def _mine(self, messages: Sequence[Message]) -> list[Message]:
        """Those that are this gateway's to send; waits while that is not known."""
        mine = []
        for message in messages:
            while (verdict := self._may_send(message.time)) is None:
                await self._clock.sleep(AGAIN[0])
            if verdict:
                mine.append(message)
            elif isinstance(message.body, Batch):
                self._left_out += 1
            else:
                mine.append(message)  # what happened here happened
        return mine

    async def _draft(self, message: Message) -> Draft:
        """The same id at every repetition; of a message without one, its place in the edge's stream."""
        body, subject = message.body, message.subject
        if isinstance(body, Batch):
            body = await self._numbers.renumber(body)
            subject = self._at_home(subject)
        id = message.id or f"#{message.sequence}"
        return Draft(subject, body, f"{escape(self.name)}/{id}")

    def _at_home(self, subject: str) -> str:
        """Below this edge's home: its own measurements, of the site here, are the edge's at the hub."""
        home, source = parse_samples(subject)
        ours = self._numbers.home
        if not ours or home == ours or home.startswith(f"{ours}/"):
            return subject
        return samples_subject(ours, source)

    async def _not_there(self, drafts: list[Draft]) -> list[Draft]:
        """Those after the newest of their subject that the hub has."""
        gone: set[str] = set()
        for subject in dict.fromkeys(draft.subject for draft in drafts):
            last = await self.hub.last(subject)
            ids = [draft.id for draft in drafts if draft.subject == subject]
            if last is not None and last.id in ids:
                gone.update(ids[: ids.index(last.id) + 1])
        return [draft for draft in drafts if draft.id not in gone]

    async def _publish(self, drafts: list[Draft]) -> None:
        """What the hub refuses for good, all else sent, is left out: it must not hold up what follows."""
        try:
            await self.hub.publish(*drafts)
        except Invalid as error:
            if len(drafts) > 1:
                for draft in drafts:
                    await self._publish([draft])
                return
            self._left_out += 1
            log.warning("the hub never takes a message", subject=drafts[0].subject, reason=describe(error))

    def _become(self, state: LineState, reason: str = "") -> None:
        if (self._status.state, self._status.reason) == (state, reason):
            return
        now = self._clock.now()
        self._status = msgspec.structs.replace(self._status, state=state, reason=reason, since=now)
        log.info("hub", state=str(state), reason=reason)
        data = {"state": str(state), "reason": reason, "detail": ""}
        self._tell(Event(kind=Kind.DESTINATION_STATE, source=DURABLE, time=now, recorded=now, data=data))
