"""One edge node as its messages tell: born, dead, and every message of it in order (Sparkplug 3.0, 5.4 to 5.9)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from msgspec import Struct

from weft.connect.sparkplug.births import Directory, Wanted
from weft.connect.sparkplug.samples import Samples
from weft.sparkplug.payload import Metric
from weft.sparkplug.scan import Scan
from weft.sparkplug.topic import Topic, Verb

__all__ = ["BDSEQ", "Arrived", "Effect", "Node"]

BDSEQ: Final = "bdSeq"
MOST_HELD: Final = 127  # messages that wait for one before them
_MS: Final = 1_000_000


class Arrived(Struct, frozen=True):
    """A message of a node: when it came (ns UTC), and whether the broker says that it sends it again."""

    topic: Topic
    scan: Scan
    time: int
    repeated: bool = False

    @property
    def sent(self) -> int:
        """When the node sent it, as it says; else when it came. ns UTC."""
        stamp = self.scan.timestamp
        return stamp * _MS if stamp and stamp < 2**63 // _MS else self.time


class Effect(Enum):
    """What a message asks of the host application."""

    NONE = auto()
    REBIRTH = auto()  # the node is to be asked for its birth
    REFUSED = auto()  # passed over: of a session that is over, sent twice


class Node:
    """The session of one edge node. ``samples`` collects what its messages say; ``missing`` is called with the
    times (ns UTC) between which messages are lost."""

    def __init__(self, wanted: Wanted, samples: Samples, reorder: float) -> None:
        self.directory = Directory(wanted)
        self.online = False
        self.alive: set[str] = set()  # devices, and "" for the node itself
        self.lost: list[tuple[int, int]] = []
        self.due: int | None = None  # ns: until then the missing message may come
        self._samples = samples
        self._reorder = int(reorder * 1e9)
        self._bdseq: int | None = None
        self._next: int | None = None
        self._held: dict[int, Arrived] = {}
        self._last_sent = 0

    def take(self, message: Arrived) -> Effect:
        """A message in the order of its arrival."""
        verb = message.topic.verb
        if verb is Verb.NDEATH:
            return self._node_dies(message)
        if verb is Verb.NBIRTH:
            return self._node_is_born(message)
        if not self.online:
            return Effect.REBIRTH
        seq = message.scan.seq
        if seq is None or self._next is None:
            return self._read(message)  # without a number there is no order to keep
        if seq == self._next:
            return self._in_order(message)
        if message.repeated or seq in self._held:
            return Effect.REFUSED
        return self._hold(message, seq)

    def tick(self, now: int) -> Effect:
        """The missing message did not come in time: what waited for it is read, and the node asked for its birth."""
        if self.due is None or now < self.due:
            return Effect.NONE
        return self._give_up()

    def silent(self, now: int) -> None:
        """The node cannot be heard any more: all that it told is marked, and its birth awaited."""
        self._samples.stale(self.directory, self.directory.handles(), now)
        self.online = False
        self.alive = set()
        self._forget()

    # --- births and deaths --------------------------------------------------------------------------------

    def _node_is_born(self, message: Arrived) -> Effect:
        metrics = _all_metrics(message.scan)
        bdseq = _bdseq(metrics)
        if self.online and bdseq != self._bdseq:
            self.silent(message.time)  # another session of it: its death did not reach us
        devices = self.alive - {""}
        self._forget()
        self._bdseq = bdseq
        self.online = True
        seq = message.scan.seq
        self._next = None if seq is None else (seq + 1) % 256
        self._birth("", message, metrics)
        self.alive = {"", *devices}  # after a request for births the devices follow at once
        self._last_sent = message.sent
        return Effect.NONE

    def _birth(self, device: str, message: Arrived, metrics: Sequence[Metric]) -> None:
        self.directory.born(device, metrics)
        self.alive.add(device)
        self._samples.born(self.directory, device, metrics, message.sent, message.time)

    def _node_dies(self, message: Arrived) -> Effect:
        bdseq = _bdseq(_all_metrics(message.scan))
        if not self.online or (bdseq is not None and self._bdseq is not None and bdseq != self._bdseq):
            return Effect.REFUSED  # the will of a session before this one
        self.silent(message.time)
        return Effect.NONE

    def _forget(self) -> None:
        self._next = None
        self._held = {}
        self.due = None

    # --- order ----------------------------------------------------------------------------------------------

    def _in_order(self, message: Arrived) -> Effect:
        effect = self._step(message)
        while self._next in self._held:
            effect = _worse(effect, self._step(self._held.pop(self._next)))
        if not self._held:
            self.due = None
        return effect

    def _step(self, message: Arrived) -> Effect:
        self._next = ((message.scan.seq or 0) + 1) % 256
        self._last_sent = message.sent
        return self._read(message)

    def _hold(self, message: Arrived, seq: int) -> Effect:
        self._held[seq] = message
        if self.due is None:
            self.due = message.time + self._reorder
        return self._give_up() if not self._reorder or len(self._held) > MOST_HELD else Effect.NONE

    def _give_up(self) -> Effect:
        first = self._next or 0
        held = [self._held[seq] for seq in sorted(self._held, key=lambda seq: (seq - first) % 256)]
        self._held = {}
        self.due = None
        if held:
            self.lost.append((self._last_sent, held[0].sent))
        for message in held:
            self._step(message)
        return Effect.REBIRTH

    def _read(self, message: Arrived) -> Effect:
        topic = message.topic
        if topic.verb is Verb.DBIRTH:
            self._birth(topic.device, message, _all_metrics(message.scan))
            return Effect.NONE
        if topic.verb is Verb.DDEATH:
            self.alive.discard(topic.device)
            self._samples.stale(self.directory, self.directory.handles(topic.device), message.sent)
            return Effect.NONE
        if topic.device not in self.alive:
            return Effect.REBIRTH
        known = self._samples.data(self.directory, topic.device, message.scan, message.sent)
        return Effect.NONE if known else Effect.REBIRTH


def _worse(one: Effect, other: Effect) -> Effect:
    return Effect.REBIRTH if Effect.REBIRTH in (one, other) else one


def _all_metrics(scan: Scan) -> list[Metric]:
    """A birth's or death's metrics; the few that are plain (a bdSeq without name is none) have no name."""
    return [scan.others[row] for row in sorted(scan.others)]


def _bdseq(metrics: Sequence[Metric]) -> int | None:
    for metric in metrics:
        if metric.name == BDSEQ and isinstance(metric.value, int):
            return metric.value
    return None
