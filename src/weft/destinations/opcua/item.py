"""A monitored item: which samples of one attribute a client is told of (OPC 10000-4, 5.12)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.values import Sample
from weft.destinations.opcua.variable import Variable
from weft.model import ARRAY
from weft.model.values import FLOATS, INTEGERS
from weft.ua.stack import ua

if TYPE_CHECKING:
    from weft.destinations.opcua.publishing import Subscription

__all__ = ["DISABLED", "REPORTING", "Item", "Wanted", "filter_of"]

DISABLED: Final = 0
SAMPLING: Final = 1
REPORTING: Final = 2

_STATUS: Final = 0
_STATUS_VALUE: Final = 1
_LONGEST_QUEUE: Final = 1000
_LONGEST_SAMPLING: Final = 3600.0


class Wanted(NamedTuple):
    """Revised parameters. ``sampling`` in seconds (0: every change); ``deadband`` absolute, in the value's unit."""

    handle: int
    sampling: float
    queue: int
    discard_oldest: bool
    trigger: int
    deadband: float


class Item:
    """``variable`` is the signal, when the item is one's Value; else ``read`` is asked at every publishing
    interval. ``stamps``: which timestamps the client wants."""

    __slots__ = (
        "_deadband_from",
        "_due",
        "_held",
        "_last",
        "_overflow",
        "id",
        "mode",
        "queue",
        "read",
        "stamps",
        "subscription",
        "variable",
        "wanted",
    )

    def __init__(
        self,
        id: int,
        subscription: Subscription,
        wanted: Wanted,
        stamps: int,
        mode: int,
        variable: Variable | None,
        read: Callable[[], Sample],
    ) -> None:
        self.id = id
        self.subscription = subscription
        self.wanted = wanted
        self.stamps = stamps
        self.mode = mode
        self.variable = variable
        self.read = read
        self.queue: deque[Sample] = deque()
        self._last: Sample | None = None
        self._deadband_from = float("nan")
        self._due = 0.0
        self._held: Sample | None = None
        self._overflow = False

    def offer(self, sample: Sample, now: float) -> None:
        """A new sample; ``now`` is monotonic. Between two samplings only the newest counts."""
        if self.mode == DISABLED:
            return
        if self.wanted.sampling and now < self._due:
            if self._held is None:
                self.subscription.held.add(self)
            self._held = sample
            return
        self.release(now)
        if self.wanted.sampling and now < self._due:
            self._held = sample
            self.subscription.held.add(self)
            return
        self._sampled(sample, now)

    def release(self, now: float) -> None:
        """Takes the sample that was held back, once its time has come."""
        if self._held is not None and now >= self._due:
            held, self._held = self._held, None
            self.subscription.held.discard(self)
            self._sampled(held, now)

    def poll(self, now: float) -> None:
        self.offer(self.read(), now)

    def change(self, wanted: Wanted, stamps: int) -> None:
        self.wanted, self.stamps = wanted, stamps
        while len(self.queue) > wanted.queue:
            self._overflow = True
            self.queue.popleft()

    def set_mode(self, mode: int, now: float) -> None:
        before, self.mode = self.mode, mode
        if mode == DISABLED:
            self.queue.clear()
            self._held = self._last = None
            self.subscription.held.discard(self)
            self.subscription.ready.pop(self, None)
        elif before == DISABLED:
            self._sampled(self.read(), now)
        elif mode == REPORTING and self.queue:
            self.subscription.ready[self] = None

    def notification(self) -> bytes:
        """The oldest waiting one: MonitoredItemNotification (7.25.2)."""
        sample = self.queue.popleft()
        overflow = self._overflow and (self.wanted.discard_oldest or not self.queue)
        if overflow:
            self._overflow = False
        return self.wanted.handle.to_bytes(4, "little") + sample.data_value(self.stamps, overflow=overflow)

    def repeat(self, now: float) -> None:
        """The newest sample once more, whether it changed or not."""
        self._last = None
        self._sampled(self.read(), now)

    def _sampled(self, sample: Sample, now: float) -> None:
        if self.wanted.sampling:
            # In step, not so long after this one: of a source as fast as the sampling, each that comes a little
            # early would push the next one out.
            self._due = max(self._due + self.wanted.sampling, now)
        if not self._passes(sample):
            return
        self._last = sample
        wanted, queue = self.wanted, self.queue
        if len(queue) >= wanted.queue:
            if wanted.queue > 1:  # the bit is not for queues of one (5.12.1.5)
                self._overflow = True
            if wanted.discard_oldest:
                queue.popleft()
            else:
                queue.pop()
        queue.append(sample)
        if self.mode == REPORTING:
            self.subscription.ready[self] = None

    def _passes(self, sample: Sample) -> bool:
        last = self._last
        if last is None or sample.status != last.status:
            self._deadband_from = sample.number
            return True
        trigger, deadband = self.wanted.trigger, self.wanted.deadband
        if trigger == _STATUS:
            return False
        if deadband > 0 and abs(sample.number - self._deadband_from) <= deadband:
            return False
        if sample.variant != last.variant:
            self._deadband_from = sample.number
            return True
        return trigger > _STATUS_VALUE and sample.source != last.source


def filter_of(
    parameters: Any, variable: Variable | None, span: Callable[[], float | None]
) -> tuple[int, float]:
    """Trigger and absolute deadband of a DataChangeFilter (7.22.2); ``span`` is the width of the EURange. Raises
    Refused."""
    wanted = parameters.Filter
    if wanted is None or (isinstance(wanted, ua.ExtensionObject) and wanted.Body is None):
        return _STATUS_VALUE, 0.0
    if not isinstance(wanted, ua.DataChangeFilter):
        raise Refused(code.BadMonitoredItemFilterUnsupported)
    trigger, kind, value = int(wanted.Trigger), int(wanted.DeadbandType), float(wanted.DeadbandValue)
    if kind == 0:
        return trigger, 0.0
    if variable is None or not _is_number(variable.kind):
        raise Refused(code.BadFilterNotAllowed, "a deadband on what is no number")
    if kind == 1 and value >= 0:
        return trigger, value
    width = span()
    if kind == 2 and 0 <= value <= 100 and width is not None:
        return trigger, value / 100 * width
    raise Refused(code.BadDeadbandFilterInvalid)


def revised(requested: Any, interval: float, room: int, trigger: int, deadband: float) -> Wanted:
    """What the server makes of the wishes; a negative sampling interval means the publishing interval. ``room``
    bounds the queue."""
    sampling = float(requested.SamplingInterval) / 1000
    if not sampling >= 0:  # negative, or NaN
        sampling = interval
    queue = min(max(int(requested.QueueSize), 1), _LONGEST_QUEUE, max(room, 1))
    sampling = min(sampling, _LONGEST_SAMPLING)
    return Wanted(
        int(requested.ClientHandle), sampling, queue, bool(requested.DiscardOldest), trigger, deadband
    )


def _is_number(kind: int) -> bool:
    return not kind & ARRAY and kind in INTEGERS | FLOATS
